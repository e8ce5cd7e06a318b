"""A moderation action as a value and as a line of the log; `chronicle` stores it. Pure, but for that line."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from signaling.call.chronicle import AuditEvent
from signaling.call.state import State
from signaling.errors import ClientMistake
from signaling.identity.grants import Role
from signaling.identity.permissions import Asker, may
from signaling.protocol.server_messages import Outgoing, rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act. `permission` is its row in the table, `action` its word in messages.

    `room_id` is None for the whole server; `seconds` is how long it lasts, None until it is undone; `to_room` is where
    a move goes.
    """

    actor: Asker
    permission: str
    action: str
    room_id: str | None
    seconds: int | None = None
    reason: str | None = None
    to_room: str | None = None

    def until(self, utc: datetime) -> datetime | None:
        """When it ends by itself, if it is done at `utc`."""
        return None if self.seconds is None else utc + timedelta(seconds=self.seconds)


def check(act: Act, target_role: Role | None = None) -> None:
    """Whether the table allows it, to somebody of that role. Raises ClientMistake (`forbidden`)."""
    if not may(act.actor.holder, act.permission, target_role, room=act.room_id):
        raise ClientMistake("forbidden", "this needs a moderator with a higher role than the target")


def notice(state: State, act: Act) -> Outgoing:
    """What the person is told. Who is hidden, or not in the room, is not named."""
    told: dict[str, object] = {
        "action": act.action,
        "by": None if act.actor.hidden else act.actor.participant_id,
        "reason": act.reason,
    }
    until = act.until(state.utc())
    if until is not None:
        told["until"] = rfc3339(until)
    return Outgoing("moderated", told)


def record(state: State, act: Act, target: str) -> None:
    """The trail of an act that was done; `target` is an identity."""
    utc = state.utc()
    state.records.chronicle.acted(
        AuditEvent(
            at=utc,
            action=act.permission,
            room=act.room_id,
            actor=act.actor.identity,
            actor_role=act.actor.role,
            address=act.actor.address,
            target=target,
            reason=act.reason,
            until=act.until(utc),
            to_room=act.to_room,
            actor_hidden=act.actor.hidden,
        )
    )
