"""The position of each webhook in each room: due lanes, and the results of attempts.

Neither receivers nor rooms wait for each other. `webhooks.lanes` decides what follows from an attempt.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage import outbox
from signaling.storage.access_tables import outbox as events
from signaling.storage.columns import POSTGRESQL, UtcTime
from signaling.storage.pages import columns_of, load, values_of
from signaling.storage.webhook_record import Webhook
from signaling.storage.webhook_tables import webhook_lanes as table
from signaling.storage.webhook_tables import webhooks

_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
SPREAD_AT_ONCE = 1000
"""Maximum events that one call of `spread` assigns to lanes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One webhook and one room. Events up to `last_seq` are done; those up to `target_seq` are pending.

    `next_attempt_at` is None if none is pending. A courier moves it to the end of its lease, and drops a lane that was
    moved since.
    """

    webhook_id: str
    room_id: str
    last_seq: int
    target_seq: int
    next_attempt_at: datetime | None
    attempts: int = 0
    failing_since: datetime | None = None
    delivered_at: datetime | None = None
    last_error: str | None = None


async def behind(connection: AsyncConnection) -> list[str]:
    """Return the enabled webhooks with events that are not yet assigned to lanes."""
    head = await outbox.head(connection)
    query = select(webhooks.c.id).where(webhooks.c.enabled.is_(True), webhooks.c.position < head)
    return list((await connection.execute(query)).scalars())


async def due(connection: AsyncConnection, utc: datetime) -> list[str]:
    """Return the enabled webhooks with due lanes."""
    query = select(table.c.webhook_id).distinct().join(webhooks, webhooks.c.id == table.c.webhook_id)
    found = await connection.execute(query.where(webhooks.c.enabled.is_(True), table.c.next_attempt_at <= utc))
    return list(found.scalars())


async def spread(connection: AsyncConnection, webhook_id: str) -> bool:
    """Assign the next matching events to the lanes of a webhook. Return whether there may be more."""
    query = select(webhooks.c.position, webhooks.c.events)
    query = query.where(webhooks.c.id == webhook_id, webhooks.c.enabled.is_(True))
    found = (await connection.execute(query.with_for_update())).one_or_none()
    if found is None:
        return False
    last = await outbox.head(connection)
    until = min(last, found.position + SPREAD_AT_ONCE)
    wanted = (
        select(events.c.room_id, func.min(events.c.seq).label("first"), func.max(events.c.seq).label("last"))
        .where(events.c.position > found.position, events.c.position <= until, outbox.matching(found.events))
        .group_by(events.c.room_id)
        .order_by(events.c.room_id)
    )
    for row in (await connection.execute(wanted)).all():
        await _extend(connection, webhook_id, row.room_id, (row.first, row.last))
    await connection.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(position=until))
    return bool(until < last)


async def claim(
    connection: AsyncConnection, webhook_id: str, utc: datetime, lease: timedelta, limit: int
) -> list[Lane]:
    """Lease due lanes of an enabled webhook to the caller for `lease`.

    No other caller gets them during the lease. If the caller dies, they are due again after it.
    """
    on = select(webhooks.c.id).where(webhooks.c.id == table.c.webhook_id, webhooks.c.enabled.is_(True))
    query = (
        _lanes()
        .where(table.c.webhook_id == webhook_id, table.c.next_attempt_at <= utc, on.exists())
        .order_by(table.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=table)  # SQLite has one writer at a time, and no such clause
    )
    due = [load(Lane, row) for row in (await connection.execute(query)).mappings()]
    found = []
    for lane in due:
        values = {"next_attempt_at": utc + lease}
        await connection.execute(update(table).where(_is(lane)).values(**values))
        found.append(load(Lane, values_of(lane) | values))
    return found


async def waiting(connection: AsyncConnection, lane: Lane, webhook: Webhook, limit: int) -> list[outbox.OutboxEvent]:
    """Return the next events of a lane, in order. Deleted events are skipped."""
    seqs = (lane.last_seq, lane.target_seq)
    return await outbox.in_room(connection, lane.room_id, seqs, webhook.events, limit)


async def save(connection: AsyncConnection, before: Lane, after: Lane) -> bool:
    """Update a lane. Return False, without a change, if it was moved since `before` was read."""
    values = values_of(after)
    for name in ("webhook_id", "room_id", "target_seq"):
        del values[name]
    if after.next_attempt_at is None:
        # New events may have arrived; then the lane is due immediately.
        more = literal(_AT_ONCE, UtcTime())
        values["next_attempt_at"] = case((table.c.target_seq > after.last_seq, more), else_=None)
    same = and_(_is(before), table.c.last_seq == before.last_seq, table.c.next_attempt_at == before.next_attempt_at)
    return bool((await connection.execute(update(table).where(same).values(**values))).rowcount)


async def replay(connection: AsyncConnection, webhook_id: str, position: int, utc: datetime) -> None:
    """Deliver to a webhook again all stored events after a position."""
    first = (
        select(func.min(events.c.seq) - 1)
        .where(events.c.room_id == table.c.room_id, events.c.position > position)
        .scalar_subquery()
    )
    again = {"last_seq": first, "next_attempt_at": utc, "attempts": 0, "failing_since": None}
    await connection.execute(
        update(table).where(table.c.webhook_id == webhook_id, table.c.last_seq > first).values(**again)
    )
    # `spread` creates missing lanes.
    earlier = update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.position > position)
    await connection.execute(earlier.values(position=max(position, 0)))


async def delivered_since(connection: AsyncConnection, webhook_id: str, utc: datetime) -> bool:
    """Whether a delivery to this webhook succeeded after a time, in any room."""
    query = select(table.c.room_id).where(table.c.webhook_id == webhook_id, table.c.delivered_at > utc).limit(1)
    return (await connection.execute(query)).first() is not None


async def failing(connection: AsyncConnection) -> list[Lane]:
    """Return the lanes whose last attempt failed."""
    query = _lanes().where(table.c.attempts > 0).order_by(table.c.webhook_id, table.c.failing_since).limit(1000)
    return [load(Lane, row) for row in (await connection.execute(query)).mappings()]


async def forget_idle(connection: AsyncConnection, before: datetime) -> None:
    """Delete lanes without pending events that were not used since a time. A new event creates a new one."""
    idle = and_(table.c.next_attempt_at.is_(None), or_(table.c.delivered_at.is_(None), table.c.delivered_at < before))
    await connection.execute(delete(table).where(idle))


async def _extend(connection: AsyncConnection, webhook_id: str, room_id: str, seqs: tuple[int, int]) -> None:
    insert: Any = postgresql.insert if connection.dialect.name == POSTGRESQL else sqlite.insert
    first, last = seqs
    lane = Lane(webhook_id=webhook_id, room_id=room_id, last_seq=first - 1, target_seq=last, next_attempt_at=_AT_ONCE)
    made = insert(table).values(**values_of(lane))
    further = {
        "target_seq": case((table.c.target_seq < last, last), else_=table.c.target_seq),
        "next_attempt_at": case(
            (and_(table.c.next_attempt_at.is_(None), table.c.last_seq < last), literal(_AT_ONCE, UtcTime())),
            else_=table.c.next_attempt_at,
        ),
    }
    await connection.execute(
        made.on_conflict_do_update(index_elements=[table.c.webhook_id, table.c.room_id], set_=further)
    )


def _is(lane: Lane) -> Any:
    return and_(table.c.webhook_id == lane.webhook_id, table.c.room_id == lane.room_id)


def _lanes() -> Select[Any]:
    return select(*columns_of(table, Lane))
