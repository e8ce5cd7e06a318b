"""A moderator's act as a value, its permission, its notice to the target, and its entry in the audit trail. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from signaling.call.chronicle import AuditEvent
from signaling.call.state import State
from signaling.clock import rfc3339
from signaling.errors import ClientMistake
from signaling.identity.grants import Role
from signaling.identity.permissions import Asker, may
from signaling.protocol.server_messages import Outgoing

_log = structlog.get_logger("signaling.call.acts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act. `permission` is its row in the table of permissions, `action` its word in messages.

    `room_id` is None for the whole server. `seconds` is the duration, None for an act that does not end by itself.
    `to_room` is the new room of a move.
    """

    actor: Asker
    permission: str
    action: str
    room_id: str | None
    seconds: int | None = None
    reason: str | None = None
    to_room: str | None = None

    def until(self, utc: datetime) -> datetime | None:
        """The time at which the act ends by itself, if it begins at `utc`."""
        return None if self.seconds is None else utc + timedelta(seconds=self.seconds)


def check(act: Act, target_role: Role | None = None) -> None:
    """Raise ClientMistake (`forbidden`) unless the actor may do this to a target of `target_role`."""
    if not may(act.actor.holder, act.permission, target_role, room=act.room_id):
        raise ClientMistake("forbidden", "this needs a moderator with a higher role than the target")


def notice(state: State, act: Act) -> Outgoing:
    """`moderated` for the target of an act. It does not name an actor who is hidden, or not in the room."""
    payload: dict[str, object] = {
        "action": act.action,
        "by": None if act.actor.hidden else act.actor.participant_id,
        "reason": act.reason,
    }
    until = act.until(state.utc())
    if until is not None:
        payload["until"] = rfc3339(until)
    return Outgoing("moderated", payload)


def notify(state: State, act: Act, participant_id: str) -> None:
    """Send the notice of an act to its target."""
    session = state.audience.session(participant_id)
    if session is not None:
        session.send(notice(state, act))


def record(state: State, act: Act, target: str) -> None:
    """Write an act to the audit trail; `target` is an identity."""
    utc, actor = state.utc(), act.actor
    until = act.until(utc)
    write_trail(
        state,
        AuditEvent(
            at=utc,
            action=act.permission,
            room=act.room_id,
            actor=actor.identity,
            actor_role=actor.role,
            address=actor.address,
            target=target,
            reason=act.reason,
            until=until,
            to_room=act.to_room,
            actor_hidden=actor.hidden,
        ),
    )


def record_access(
    state: State, asker: Asker, action: str, target: str, *, room: str | None = None, **fields: Any
) -> None:
    """Write the creation or revocation of an invite or an API key to the audit trail.

    `target` names it by a part of it that opens nothing. `fields` are further ones of `AuditEvent`.
    """
    write_trail(
        state,
        AuditEvent(
            at=state.utc(),
            action=action,
            room=room,
            actor=asker.identity,
            actor_role=asker.role,
            address=asker.address,
            target=target,
            **fields,
        ),
    )


def write_trail(state: State, event: AuditEvent) -> None:
    """Write an event to the log and to the history."""
    log_act(event)
    state.records.chronicle.acted(event)


def log_act(event: AuditEvent) -> None:
    """Log an act."""
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
