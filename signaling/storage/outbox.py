"""Events to be told to others, written in the transaction of the change that they tell of.

Each event has a place in the order of the server (`position`) and in that of its room (`seq`); neither has gaps. The
events of a room are delivered one after the other, at least once; rooms do not wait for each other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.storage import words
from signaling.storage.access_tables import outbox as table
from signaling.storage.access_tables import outbox_heads
from signaling.storage.columns import POSTGRESQL
from signaling.storage.fields import check_object, check_text
from signaling.storage.retry_times import retry_after
from signaling.storage.row_types import columns_of, load, values_of

SERVER = "*"
"""The head that counts all events; no room has this id."""
GIVE_UP = timedelta(days=3)
LARGEST_PAYLOAD = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened. `room_id` is empty for what concerns no room; `event` is like `room.created`."""

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
    next_attempt_at: datetime
    state: words.OutboxState = "pending"
    attempts: int = 0
    last_error: str | None = None
    ended_at: datetime | None = None


async def append(connection: AsyncConnection, event: NewEvent) -> OutboxEvent:
    """Put an event at the end of the outbox; one whose id is there already stays what and where it is.

    Whoever appends waits for the transactions that have done so before: keep them short.
    """
    check_text("event", event.event, words.EVENT_LENGTH, least=1)
    check_object("payload", event.payload, LARGEST_PAYLOAD)
    there = await find(connection, event.id)
    if there is not None:
        return there
    # First the server's head, then the room's: always in this order, so that nobody waits in a circle.
    position = await _next(connection, SERVER)
    seq = await _next(connection, event.room_id)
    made = OutboxEvent(**values_of(event), position=position, seq=seq, next_attempt_at=event.created_at)
    await connection.execute(table.insert().values(**values_of(made)))
    return made


async def find(connection: AsyncConnection, event_id: str) -> OutboxEvent | None:
    """The event, if it is there."""
    found = await _all(connection, _events().where(table.c.id == event_id))
    return found[0] if found else None


async def claim_due(connection: AsyncConnection, utc: datetime, lease: timedelta, limit: int = 50) -> list[OutboxEvent]:
    """The next event of each room whose time has come, for the caller to deliver within `lease`.

    Nobody else gets them meanwhile; whoever dies with them leaves them to the next one after the lease.
    """
    earlier = table.alias("earlier")
    before = select(earlier.c.position).where(
        earlier.c.room_id == table.c.room_id, earlier.c.state == "pending", earlier.c.seq < table.c.seq
    )
    query = (
        _events()
        .where(table.c.state == "pending", table.c.next_attempt_at <= utc, ~before.exists())
        .order_by(table.c.position)
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time, and no such clause
    )
    due = await _all(connection, query)
    claimed = table.c.position.in_([one.position for one in due])
    await connection.execute(update(table).where(claimed).values(next_attempt_at=utc + lease))
    return due


async def delivered(connection: AsyncConnection, position: int, utc: datetime) -> None:
    """Everybody who is to know, knows."""
    done = update(table).where(table.c.position == position, table.c.state == "pending")
    await connection.execute(
        done.values(state="delivered", ended_at=utc, attempts=table.c.attempts + 1, last_error=None)
    )


async def failed(
    connection: AsyncConnection, position: int, utc: datetime, error: str, chance: float
) -> OutboxEvent | None:
    """An attempt failed: try again later, or give up after `GIVE_UP`. None where the event has ended meanwhile."""
    query = _events().where(table.c.position == position, table.c.state == "pending")
    found = await _all(connection, query.with_for_update())
    if not found:
        return None
    attempts = found[0].attempts + 1
    over = utc - found[0].created_at >= GIVE_UP
    values = {
        "attempts": attempts,
        "last_error": error.replace("\0", "")[: words.ERROR_LENGTH],
        "next_attempt_at": utc + timedelta(seconds=retry_after(attempts, chance)),
        "state": "abandoned" if over else "pending",
        "ended_at": utc if over else None,
    }
    change = (
        update(table).where(table.c.position == position).values(**values).returning(*columns_of(table, OutboxEvent))
    )
    row = (await connection.execute(change)).mappings().one()
    return load(OutboxEvent, row)


async def requeue(connection: AsyncConnection, event_id: str, utc: datetime) -> OutboxEvent:
    """Deliver an event once more. Raises ClientMistake (`not_found`)."""
    again = {"state": "pending", "ended_at": None, "attempts": 0, "next_attempt_at": utc}
    change = update(table).where(table.c.id == event_id).values(**again).returning(*columns_of(table, OutboxEvent))
    row = (await connection.execute(change)).mappings().one_or_none()
    if row is None:
        raise ClientMistake("not_found", "there is no such event")
    return load(OutboxEvent, row)


async def after(
    connection: AsyncConnection, place: int, limit: int = 100, *, room_id: str | None = None
) -> list[OutboxEvent]:
    """Events after a position, or after a `seq` of one room; in order."""
    query = _events()
    if room_id is None:
        query = query.where(table.c.position > place).order_by(table.c.position)
    else:
        query = query.where(table.c.room_id == room_id, table.c.seq > place).order_by(table.c.seq)
    return await _all(connection, query.limit(limit))


async def forget(connection: AsyncConnection, before: datetime, limit: int = 1000) -> int:
    """Delete events that ended before a time, so many at once; how many they were."""
    oldest = select(table.c.position).where(table.c.ended_at < before).order_by(table.c.ended_at).limit(limit)
    return (await connection.execute(delete(table).where(table.c.position.in_(oldest)))).rowcount


def _events() -> Select[Any]:
    return select(*columns_of(table, OutboxEvent))


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[OutboxEvent]:
    return [load(OutboxEvent, row) for row in (await connection.execute(query)).mappings()]


async def _next(connection: AsyncConnection, head: str) -> int:
    """The next number of a head, which stays locked until the transaction ends."""
    insert: Any = postgresql.insert if connection.dialect.name == POSTGRESQL else sqlite.insert
    first = insert(outbox_heads).values(room_id=head, last=1)
    counting = first.on_conflict_do_update(
        index_elements=[outbox_heads.c.room_id], set_={"last": outbox_heads.c.last + 1}
    )
    return int((await connection.execute(counting.returning(outbox_heads.c.last))).scalar_one())
