"""Starts and heartbeats of servers, so that records left open by a crash end at the right time."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage.pages import columns_of, insert_once, load, values_of
from signaling.storage.room_tables import server_starts as table


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStart:
    """One run of one node."""

    id: str
    node: str
    version: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None = None


async def started(connection: AsyncConnection, start: ServerStart) -> None:
    """Record the start of a server. Call `calls.close_orphans` first, as it reads the last sign of life."""
    await insert_once(connection, table, values_of(start))


async def seen(connection: AsyncConnection, start_id: str, utc: datetime) -> None:
    """Record a sign of life, every 10 s or so."""
    await connection.execute(update(table).where(table.c.id == start_id, table.c.seen_at < utc).values(seen_at=utc))


async def stopped(connection: AsyncConnection, start_id: str, utc: datetime) -> None:
    """Record a clean end."""
    await connection.execute(update(table).where(table.c.id == start_id).values(seen_at=utc, stopped_at=utc))


async def last(connection: AsyncConnection, node: str) -> ServerStart | None:
    """Return the latest run of a node."""
    query = select(*columns_of(table, ServerStart)).where(table.c.node == node)
    row = (await connection.execute(query.order_by(table.c.started_at.desc()).limit(1))).mappings().one_or_none()
    return None if row is None else load(ServerStart, row)
