"""Who did what to whom: the one way on which acts leave a trail. Pure, but for the line of the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from signaling.identity.grants import Role

_log = structlog.get_logger("signaling.call.audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One act that was done. `action` is one of `permissions.ACTIONS`; times are aware UTC.

    `actor` and `target` are identities; `until` is when the act ends by itself, None where it does not.
    """

    at: datetime
    action: str
    room: str
    actor: str
    actor_role: Role
    address: str
    target: str
    reason: str | None = None
    until: datetime | None = None


class AuditLog(Protocol):
    """Takes each act as it is done. It does not wait, and it does not raise."""

    def record(self, event: AuditEvent) -> None:
        """Keep it."""


class LoggedAudit:
    """The trail as lines of the server's log."""

    def record(self, event: AuditEvent) -> None:
        """See `AuditLog`."""
        _log.info(
            "audit",
            action=event.action,
            room_id=event.room,
            actor=event.actor,
            actor_role=event.actor_role,
            client=event.address,
            target=event.target,
            reason=event.reason,
            until=None if event.until is None else event.until.isoformat(timespec="seconds"),
        )
