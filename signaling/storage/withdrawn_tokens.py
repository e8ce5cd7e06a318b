"""Tokens that admit nobody any more: those of people who were removed. A row goes when its token would have expired."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage.access_tables import withdrawn_tokens as table
from signaling.storage.pages import columns_of, insert_once, load, values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnToken:
    """One token, by the SHA-256 of its `jti` in hexadecimal, and until when it has to be known."""

    token_hash: str
    until: datetime


async def add(connection: AsyncConnection, token: WithdrawnToken) -> bool:
    """Withdraw a token; whether it was not withdrawn before."""
    return await insert_once(connection, table, values_of(token))


async def holding(connection: AsyncConnection, utc: datetime) -> AsyncIterator[WithdrawnToken]:
    """All that have to be known at `utc`."""
    query = select(*columns_of(table, WithdrawnToken)).where(table.c.until > utc).order_by(table.c.until)
    async for row in (await connection.stream(query)).mappings():
        yield load(WithdrawnToken, row)


async def tally(connection: AsyncConnection) -> int:
    """How many there are: another number after each that is added, but for chance."""
    return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def forget(connection: AsyncConnection, utc: datetime) -> int:
    """Delete those that have expired by themselves; how many they were."""
    return (await connection.execute(delete(table).where(table.c.until <= utc))).rowcount
