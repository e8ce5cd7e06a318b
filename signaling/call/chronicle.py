"""The port through which calls are recorded: joins, peer connections, stored messages, moderators' acts. Pure.

Each method of a `Chronicle` is one transaction: the change of the history, and the event that reports it. The history
includes hidden participants; no event reports them, or a call that only they are in.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sfu.offer import CandidateType
from signaling.call.rooms import LiveCall, Participant
from signaling.identity.grants import Standing
from signaling.protocol.server_messages import LeaveReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One moderation action. `action` is one of `permissions.ACTIONS`; times are aware UTC.

    `actor` and `target` are identities. `room` is None for the whole server. `until` is the time at which the act ends
    by itself, if it does. `to_room` is the new room of a move. `actor_hidden` says that the others in the room do not
    see the actor.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """A message to a room that stores its messages. `sender` and `recipient` are identities; None is the room.

    `sent_at` is aware UTC.
    """

    id: str
    room_id: str
    sender: str
    recipient: str | None
    topic: str
    body: Any
    sent_at: datetime


class Chronicle(Protocol):
    """Records what happens. Its methods do not wait, and raise only where it is stated. Times are aware UTC."""

    def joined(self, person: Participant, call: LiveCall, address: str, user_agent: str) -> None:
        """A participant has joined the call of its room, from this address and with this software."""

    def left(self, participant_id: str, reason: LeaveReason, utc: datetime) -> None:
        """A participant has left; an unknown id is ignored. After `migration` the same participant may join again."""

    def media_began(self, participant_id: str, utc: datetime) -> None:
        """An offer of the participant has begun a new peer connection."""

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None, utc: datetime) -> None:
        """The peer connection is up; `candidate_type` is that of the client's selected candidate."""

    def media_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int], utc: datetime) -> None:
        """The peer connection has ended; `sent_received` counts the octets of each direction."""

    def message_sent(self, message: SentMessage) -> None:
        """Store a message. Raises ClientMistake (`bad_message`) for one that the history cannot store."""

    def acted(self, event: AuditEvent) -> None:
        """A moderator has acted."""


class SilentChronicle:
    """Stores nothing."""

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

    def message_sent(self, message: SentMessage) -> None:
        """See `Chronicle`."""

    def acted(self, event: AuditEvent) -> None:
        """See `Chronicle`."""
