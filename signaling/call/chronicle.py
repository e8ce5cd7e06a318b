"""The port through which calls are recorded: participants, peer connections, moderation actions. Pure.

Each call of a `Chronicle` is one transaction: the change, and the event that tells others of it. Hidden participants
are in the history, which only those read who may; of them, and of a call where nobody else is, no event tells.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from sfu.offer import CandidateType
from signaling.call.rooms import LiveCall, Participant
from signaling.identity.grants import Standing
from signaling.protocol.server_messages import LeaveReason
from signaling.storage.messages import Message

_log = structlog.get_logger("signaling.call.acts")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One moderation action. `action` is one of `permissions.ACTIONS`; times are aware UTC.

    `actor` and `target` are identities; `room` is None for the whole server; `until` is when the act ends by itself,
    None where it does not; `to_room` is where a move went. `actor_hidden` says that the others in the room do not see
    who it was.
    """

    at: datetime
    action: str
    room: str | None
    actor: str
    actor_role: Standing
    address: str
    target: str
    reason: str | None = None
    until: datetime | None = None
    to_room: str | None = None
    actor_hidden: bool = False


def log_act(event: AuditEvent) -> None:
    """The act as a line of the server's log."""
    _log.info(
        "audit",
        action=event.action,
        room_id=event.room,
        actor=event.actor,
        actor_role=event.actor_role,
        client=event.address,
        target=event.target,
        to_room=event.to_room,
        reason=event.reason,
        until=None if event.until is None else event.until.isoformat(timespec="seconds"),
    )


class Chronicle(Protocol):
    """Takes what happens, as it happens. It does not wait, and it does not raise. Times are aware UTC."""

    def joined(self, person: Participant, call: LiveCall, address: str, user_agent: str) -> None:
        """Somebody has come into the call of its room, from this address and with this software."""

    def left(self, participant_id: str, reason: LeaveReason, utc: datetime) -> None:
        """Somebody has left; nothing for who is not in. After `migration` the same participant may join again."""

    def media_began(self, participant_id: str, utc: datetime) -> None:
        """An offer of this person has begun a new peer connection."""

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None, utc: datetime) -> None:
        """It stands, and the client is reached by this kind of candidate."""

    def media_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int], utc: datetime) -> None:
        """It is over, and so many bytes went each way."""

    def message_kept(self, message: Message) -> None:
        """Something was said in a room that keeps its messages."""

    def acted(self, event: AuditEvent) -> None:
        """Somebody has done something to somebody."""


class LoggedChronicle:
    """Keeps nothing. Acts are lines of the server's log, as with every chronicle."""

    def joined(self, person: Participant, call: LiveCall, address: str, user_agent: str) -> None:
        """See `Chronicle`."""

    def left(self, participant_id: str, reason: LeaveReason, utc: datetime) -> None:
        """See `Chronicle`."""

    def media_began(self, participant_id: str, utc: datetime) -> None:
        """See `Chronicle`."""

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None, utc: datetime) -> None:
        """See `Chronicle`."""

    def media_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int], utc: datetime) -> None:
        """See `Chronicle`."""

    def message_kept(self, message: Message) -> None:
        """See `Chronicle`."""

    def acted(self, event: AuditEvent) -> None:
        """See `Chronicle`."""
        log_act(event)
