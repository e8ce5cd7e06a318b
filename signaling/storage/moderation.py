"""The audit trail: actor, action, target, time and reason. Rows are only added, never changed or deleted."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.identity.permissions import ACTIONS
from signaling.storage import words
from signaling.storage.access_tables import moderation_events as table
from signaling.storage.fields import check_object, check_text, check_word
from signaling.storage.pages import Listing, Page, PageRequest, insert_once, values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationEvent:
    """One moderation action. `action` is one of `permissions.ACTIONS`; `actor` and `target` are identities.

    `room_id` None is the whole server, `target` is empty for an action without a target, `address` is the actor's,
    and `expires_at` is when the action ends.
    """

    id: str
    action: str
    actor: str
    actor_role: words.ActorRole
    created_at: datetime
    target: str = ""
    address: str | None = None
    room_id: str | None = None
    call_id: str | None = None
    participant_id: str | None = None
    reason: str = ""
    expires_at: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModerationFilter:
    """A filter of actions by all fields that are not None. `since` is inclusive, `until` exclusive."""

    room_id: str | None = None
    target: str | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_LISTING = Listing(table, ModerationEvent, "created_at")


def check_event(event: ModerationEvent) -> None:
    """Check, before an action takes effect, that it can be stored. Raises ClientMistake (`bad_message`)."""
    check_word("action", event.action, tuple(ACTIONS))
    check_word("actor_role", event.actor_role, words.ACTOR_ROLES)
    check_text("actor", event.actor, words.IDENTITY_LENGTH, least=1)
    check_text("target", event.target, words.IDENTITY_LENGTH)
    check_text("address", event.address or "", words.ADDRESS_LENGTH)
    check_text("reason", event.reason, words.REASON_LENGTH)
    check_object("details", event.details)


async def append(connection: AsyncConnection, event: ModerationEvent) -> bool:
    """Append an action to the audit trail and return whether it is new."""
    check_event(event)
    return await insert_once(connection, table, values_of(event))


async def page(connection: AsyncConnection, wanted: ModerationFilter, request: PageRequest) -> Page[ModerationEvent]:
    """Return moderation actions, newest first."""
    conditions: list[ColumnElement[bool]] = [
        table.c[name] == value
        for name in ("room_id", "target", "actor", "action")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.since is not None:
        conditions.append(table.c.created_at >= wanted.since)
    return await _LISTING.page(connection, asdict(wanted), conditions, request, wanted.until)
