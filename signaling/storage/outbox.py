"""The outbox of events: append, read in order, delete; and filters of event names. Pure.

Webhooks and `/api/v1/events` use the same filters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, false, func, or_, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.storage import words
from signaling.storage.access_tables import outbox as table
from signaling.storage.access_tables import outbox_heads
from signaling.storage.columns import POSTGRESQL
from signaling.storage.fields import check_object, check_text
from signaling.storage.pages import columns_of, load, values_of

EVENTS = (
    "room.created",
    "room.deleted",
    "call.started",
    "call.ended",
    "participant.joined",
    "participant.left",
    "recording.started",
    "recording.finished",
    "recording.failed",
    "recording.recovered",
    "quality.degraded",
    "moderation.action",
)
"""The names of all events of a server."""
TEST = "webhook.test"
"""The event of a test delivery. Nothing else produces it."""
EVERYTHING = "*"
MOST_PATTERNS = 50
_FAMILY = re.compile(r"[a-z_]{1,32}\.\*")


def check_filter(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the sorted, unique patterns if each matches an event name. Raises ClientMistake (`bad_message`)."""
    if not 1 <= len(patterns) <= MOST_PATTERNS:
        raise ClientMistake("bad_message", f"events: needs 1 to {MOST_PATTERNS} entries; {EVERYTHING} means all")
    for pattern in patterns:
        if pattern != EVERYTHING and not any(covers(pattern, event) for event in EVENTS):
            raise ClientMistake("bad_message", f"events: each is one of {', '.join(EVENTS)}, room.* or *")
    return tuple(sorted(set(patterns)))


def family(pattern: str) -> str | None:
    """Return the prefix of a family, the dot included; None for a pattern that is not a family."""
    return pattern[:-1] if _FAMILY.fullmatch(pattern) else None


def covers(pattern: str, event: str) -> bool:
    """Whether a pattern matches an event name."""
    begin = family(pattern)
    return pattern in (EVERYTHING, event) or (begin is not None and event.startswith(begin))


SERVER = "*"
"""The head that numbers all events. No room has this id."""
LARGEST_PAYLOAD = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """One event. `room_id` is empty for an event without a room; `event` is a name like `room.created`."""

    id: str
    event: str
    payload: dict[str, Any]
    created_at: datetime
    room_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent(NewEvent):
    """An event in the outbox."""

    position: int
    seq: int


async def append(connection: AsyncConnection, event: NewEvent) -> OutboxEvent:
    """Append an event to the outbox. An event with an existing id is left unchanged.

    An append waits for earlier transactions that append: keep them short.
    """
    check_text("event", event.event, words.EVENT_LENGTH, least=1)
    check_object("payload", event.payload, LARGEST_PAYLOAD)
    there = await find(connection, event.id)
    if there is not None:
        return there
    # Lock the server's head before the room's, always in this order, to avoid a deadlock.
    position = await _next(connection, SERVER)
    seq = await _next(connection, event.room_id)
    made = OutboxEvent(**values_of(event), position=position, seq=seq)
    await connection.execute(table.insert().values(**values_of(made)))
    return made


async def find(connection: AsyncConnection, event_id: str) -> OutboxEvent | None:
    """Return the event, or None."""
    found = await _all(connection, _events().where(table.c.id == event_id))
    return found[0] if found else None


async def head(connection: AsyncConnection) -> int:
    """Return the position of the last event; 0 if there was none."""
    query = select(outbox_heads.c.last).where(outbox_heads.c.room_id == SERVER)
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def oldest(connection: AsyncConnection) -> int | None:
    """Return the position of the oldest stored event, or None."""
    found: int | None = (await connection.execute(select(func.min(table.c.position)))).scalar_one()
    return found


async def after(
    connection: AsyncConnection,
    position: int,
    limit: int = 100,
    *,
    room_id: str | None = None,
    patterns: Sequence[str] = (EVERYTHING,),
) -> list[OutboxEvent]:
    """Return events after a position, in order; optionally of one room or of some names."""
    query = _events().where(table.c.position > position, matching(patterns)).limit(limit)
    if room_id is None:
        return await _all(connection, query.order_by(table.c.position))
    # Within a room `seq` has the same order, and an index.
    return await _all(connection, query.where(table.c.room_id == room_id).order_by(table.c.seq))


async def in_room(
    connection: AsyncConnection, room_id: str, seqs: tuple[int, int], patterns: Sequence[str], limit: int
) -> list[OutboxEvent]:
    """Return events of one room in order, from the first `seq` (exclusive) to the second (inclusive)."""
    query = _events().where(table.c.room_id == room_id, table.c.seq > seqs[0], table.c.seq <= seqs[1])
    return await _all(connection, query.where(matching(patterns)).order_by(table.c.seq).limit(limit))


def matching(patterns: Sequence[str]) -> ColumnElement[bool]:
    """Return the SQL condition that is equivalent to `covers`."""
    if EVERYTHING in patterns:
        return true()
    families = [begin for pattern in patterns if (begin := family(pattern)) is not None]
    begins = (table.c.event.startswith(begin, autoescape=True) for begin in families)
    return or_(false(), table.c.event.in_(patterns), *begins)


async def forget(connection: AsyncConnection, before: datetime, limit: int = 1000) -> int:
    """Delete at most `limit` events older than a time and return their number."""
    old = select(table.c.position).where(table.c.created_at < before).order_by(table.c.created_at).limit(limit)
    return (await connection.execute(delete(table).where(table.c.position.in_(old)))).rowcount


def _events() -> Select[Any]:
    return select(*columns_of(table, OutboxEvent))


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[OutboxEvent]:
    return [load(OutboxEvent, row) for row in (await connection.execute(query)).mappings()]


async def _next(connection: AsyncConnection, counted: str) -> int:
    """Return the next number of a head. The head stays locked until the transaction ends."""
    insert: Any = postgresql.insert if connection.dialect.name == POSTGRESQL else sqlite.insert
    first = insert(outbox_heads).values(room_id=counted, last=1)
    counting = first.on_conflict_do_update(
        index_elements=[outbox_heads.c.room_id], set_={"last": outbox_heads.c.last + 1}
    )
    return int((await connection.execute(counting.returning(outbox_heads.c.last))).scalar_one())
