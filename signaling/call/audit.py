"""Who did what to whom, as a value and as a line of the log; `chronicle` keeps it. Pure, but for that line."""

from dataclasses import dataclass
from datetime import datetime

import structlog

from signaling.identity.grants import Standing

_log = structlog.get_logger("signaling.call.audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One act that was done. `action` is one of `permissions.ACTIONS`; times are aware UTC.

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
