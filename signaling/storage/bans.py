"""Bans from a room or from the whole server, and revoked tokens. Bans end by themselves, or are lifted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.storage import words
from signaling.storage.access_tables import bans as table
from signaling.storage.access_tables import withdrawn_tokens as tokens_table
from signaling.storage.fields import check_text
from signaling.storage.pages import Listing, Page, PageRequest, columns_of, insert_once, load, values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """One ban. `room_id` None is the whole server; `address_hash` is set for bans of addresses.

    `by_role` is the role that imposed it. A lower role may not lift it.
    """

    id: str
    created_by: str
    created_at: datetime
    by_role: words.ActorRole = "moderator"
    room_id: str | None = None
    identity: str | None = None
    address_hash: str | None = None
    reason: str = ""
    expires_at: datetime | None = None
    lifted_at: datetime | None = None
    lifted_by: str | None = None

    def holds(self, utc: datetime) -> bool:
        """Whether the ban is in force at `utc`."""
        return self.lifted_at is None and (self.expires_at is None or self.expires_at > utc)


_LISTING = Listing(table, Ban, "created_at")


async def add(connection: AsyncConnection, ban: Ban) -> bool:
    """Insert a ban and return whether it is new. Two bans of one person are independent of each other.

    Raises ClientMistake (`bad_message`) for a ban without a target, or one that ends before it begins.
    """
    check_text("reason", ban.reason, words.REASON_LENGTH)
    if ban.identity is None and ban.address_hash is None:
        raise ClientMistake("bad_message", "a ban must name an identity or an address")
    check_text("identity", ban.identity or "", words.IDENTITY_LENGTH)
    if ban.expires_at is not None and ban.expires_at <= ban.created_at:
        raise ClientMistake("bad_message", "a ban must end after it begins")
    return await insert_once(connection, table, values_of(ban))


async def holding(connection: AsyncConnection, utc: datetime) -> AsyncIterator[Ban]:
    """Yield all bans of identities in force, oldest first: the content of a deny list in memory."""
    query = select(*columns_of(table, Ban)).where(table.c.identity.is_not(None), _holding(utc))
    rows = await connection.stream(query.order_by(table.c.created_at, table.c.id))
    async for row in rows.mappings():
        yield load(Ban, row)


async def tally(connection: AsyncConnection) -> tuple[int, int]:
    """Return the numbers of bans and of lifted bans. The pair changes with almost every change of the table."""
    row = (await connection.execute(select(func.count(), func.count(table.c.lifted_at)).select_from(table))).one()
    return row[0], row[1]


async def find(connection: AsyncConnection, ban_id: str) -> Ban | None:
    """Return the ban, in force or not."""
    query = select(*columns_of(table, Ban)).where(table.c.id == ban_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else load(Ban, row)


async def lift(connection: AsyncConnection, ban_id: str, by: str, utc: datetime) -> Ban:
    """End one ban. Raises ClientMistake (`not_found`) if it does not exist or is not in force."""
    lifting = update(table).where(table.c.id == ban_id, _holding(utc)).values(lifted_at=utc, lifted_by=by)
    row = (await connection.execute(lifting.returning(*columns_of(table, Ban)))).mappings().one_or_none()
    if row is None:
        raise ClientMistake("not_found", "there is no active ban with this id")
    return load(Ban, row)


async def end(connection: AsyncConnection, ban_id: str, by: str, utc: datetime) -> bool:
    """End one ban and return whether it was still open."""
    lifting = update(table).where(table.c.id == ban_id, _holding(utc)).values(lifted_at=utc, lifted_by=by)
    return bool((await connection.execute(lifting)).rowcount)


async def forget(connection: AsyncConnection, before: datetime) -> int:
    """Delete bans that ended before a time and return their number. The audit trail still records them."""
    over = func.coalesce(table.c.lifted_at, table.c.expires_at) < before
    return (await connection.execute(delete(table).where(over))).rowcount


async def page(
    connection: AsyncConnection, room_id: str | None, request: PageRequest, *, holding_at: datetime | None = None
) -> Page[Ban]:
    """Return bans of a room, or of the whole server for None; with `holding_at` only those in force then."""
    conditions: list[ColumnElement[bool]] = [
        table.c.room_id.is_(None) if room_id is None else table.c.room_id == room_id
    ]
    if holding_at is not None:
        conditions.append(_holding(holding_at))
    wanted = {"room_id": room_id, "holding": holding_at is not None}
    return await _LISTING.page(connection, wanted, conditions, request)


def _holding(utc: datetime) -> ColumnElement[bool]:
    return table.c.lifted_at.is_(None) & (table.c.expires_at.is_(None) | (table.c.expires_at > utc))


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawnToken:
    """A revoked token: the SHA-256 of its `jti` in hexadecimal, and how long the record is needed."""

    token_hash: str
    until: datetime


async def withdraw(connection: AsyncConnection, token: WithdrawnToken) -> bool:
    """Revoke a token and return whether it was not revoked before."""
    return await insert_once(connection, tokens_table, values_of(token))


async def withdrawn(connection: AsyncConnection, utc: datetime) -> AsyncIterator[WithdrawnToken]:
    """Yield the revoked tokens that have not expired at `utc`."""
    query = (
        select(*columns_of(tokens_table, WithdrawnToken))
        .where(tokens_table.c.until > utc)
        .order_by(tokens_table.c.until)
    )
    async for row in (await connection.stream(query)).mappings():
        yield load(WithdrawnToken, row)


async def withdrawn_tally(connection: AsyncConnection) -> int:
    """Return the number of revoked tokens. It changes with almost every addition."""
    return (await connection.execute(select(func.count()).select_from(tokens_table))).scalar_one()


async def forget_withdrawn(connection: AsyncConnection, utc: datetime) -> int:
    """Delete revoked tokens that have expired and return their number."""
    return (await connection.execute(delete(tokens_table).where(tokens_table.c.until <= utc))).rowcount
