"""Stored rooms: create, find, change, remove, list. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.ids import RandomBytes, uuid7
from signaling.storage.access_tables import bans
from signaling.storage.database import is_conflict
from signaling.storage.fields import check_text, search_key
from signaling.storage.pages import Listing, Page, PageRequest, columns_of, load, values_of
from signaling.storage.room_record import CHANGEABLE, Room, RoomFields, check_room, check_room_id
from signaling.storage.room_tables import calls, participants
from signaling.storage.room_tables import rooms as table

_LISTING = Listing(table, Room, "created_at")
_LAST_CHARACTER = "\U0010ffff"
LONGEST_SEARCH = 64


@dataclass(frozen=True, slots=True)
class RoomFilter:
    """A filter of rooms by all fields that are not None.

    `prefix` and `search` match the start of the name and a part of it, ignoring case.
    """

    room_type: str | None = None
    guild_id: str | None = None
    owner: str | None = None
    region: str | None = None
    is_private: bool | None = None
    prefix: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class Creation:
    """Creator, time, and random source of a new room. `room_id` is set for a chosen id."""

    by: str | None
    utc: datetime
    random: RandomBytes
    room_id: str | None = None


async def create(connection: AsyncConnection, chosen: RoomFields, creation: Creation) -> Room:
    """Insert a room. Raises ClientMistake: `bad_message`, or `already_exists` for a chosen id that is taken."""
    check_room(chosen)
    room_id = uuid7(creation.utc, creation.random) if creation.room_id is None else check_room_id(creation.room_id)
    room = Room(
        **values_of_fields(chosen),
        id=room_id,
        version=1,
        created_by=creation.by,
        created_at=creation.utc,
        updated_at=creation.utc,
    )
    try:
        await connection.execute(insert(table).values(**_columns(room)))
    except IntegrityError as error:
        if is_conflict(error):
            raise ClientMistake("already_exists", f"the room id {room_id} is taken") from None
        raise
    return room


async def find(connection: AsyncConnection, room_id: str) -> Room | None:
    """Return the room, or None."""
    query = select(*columns_of(table, Room)).where(table.c.id == room_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else load(Room, row)


async def get(connection: AsyncConnection, room_id: str) -> Room:
    """Return the room. Raises ClientMistake (`not_found`)."""
    room = await find(connection, room_id)
    if room is None:
        raise ClientMistake("not_found", "there is no such room")
    return room


async def change(
    connection: AsyncConnection, room_id: str, changes: Mapping[str, Any], version: int | None, utc: datetime
) -> Room:
    """Change fields of the version that the caller has read; None for any version.

    Raises ClientMistake: `not_found`, `stale` if another change came first, `bad_message`.
    """
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise ClientMistake("bad_message", f"{unknown[0]} cannot be changed")
    before = await get(connection, room_id)
    if version is not None and version != before.version:
        raise _stale(before.version)
    after = replace(before, **changes, version=before.version + 1, updated_at=utc)
    check_room(after)
    statement = update(table).where(table.c.id == room_id, table.c.version == before.version)
    if not (await connection.execute(statement.values(**_columns(after)))).rowcount:
        raise _stale(None)
    return after


async def remove(connection: AsyncConnection, room_id: str, version: int | None = None) -> Room:
    """Delete a room with its bans, invites and messages. Its calls stay in the history. Raises as `change`."""
    room = await get(connection, room_id)
    if version is not None and version != room.version:
        raise _stale(room.version)
    statement = delete(table).where(table.c.id == room_id, table.c.version == room.version)
    if not (await connection.execute(statement)).rowcount:
        raise _stale(None)
    await connection.execute(delete(bans).where(bans.c.room_id == room_id))
    return room


async def page(connection: AsyncConnection, wanted: RoomFilter, request: PageRequest) -> Page[Room]:
    """Return rooms, newest first. Raises ClientMistake (`bad_message`) for an invalid cursor or search."""
    conditions: list[ColumnElement[bool]] = [
        table.c[name] == value
        for name in ("room_type", "guild_id", "owner", "region", "is_private")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.prefix is not None:
        begin = search_key(check_text("prefix", wanted.prefix, LONGEST_SEARCH, least=1))
        conditions += [table.c.name_key >= begin, table.c.name_key < begin + _LAST_CHARACTER]
    if wanted.search is not None:
        part = search_key(check_text("search", wanted.search, LONGEST_SEARCH, least=1))
        conditions.append(table.c.name_key.contains(part, autoescape=True))
    for name in ("guild_id", "owner", "region"):
        check_text(name, getattr(wanted, name) or "", LONGEST_SEARCH * 2)
    return await _LISTING.page(connection, asdict(wanted), conditions, request)


async def abandoned(connection: AsyncConnection, utc: datetime, limit: int = 100) -> list[Room]:
    """Return temporary rooms that have been empty for their `empty_timeout` and are due for deletion."""
    last = (
        select(func.max(func.coalesce(calls.c.ended_at, calls.c.started_at)))
        .where(calls.c.room_id == table.c.id)
        .scalar_subquery()
    )
    somebody = select(participants.c.id).where(participants.c.room_id == table.c.id, participants.c.left_at.is_(None))
    since = func.coalesce(last, table.c.created_at, type_=table.c.created_at.type).label("empty_since")
    query = select(table.c.id, table.c.empty_timeout, since).where(table.c.is_temporary.is_(True), ~somebody.exists())
    found = (await connection.execute(query.order_by(since, table.c.id))).all()
    due = [row.id for row in found if row.empty_since + timedelta(seconds=row.empty_timeout) <= utc][:limit]
    rooms = select(*columns_of(table, Room)).where(table.c.id.in_(due)).order_by(table.c.id)
    return [load(Room, row) for row in (await connection.execute(rooms)).mappings()]


def values_of_fields(chosen: RoomFields) -> dict[str, Any]:
    """Return the chosen fields by name."""
    return {name: getattr(chosen, name) for name in CHANGEABLE}


def _columns(room: Room) -> dict[str, Any]:
    return {**values_of(room), "name_key": search_key(room.name)}


def _stale(version: int | None) -> ClientMistake:
    return ClientMistake("stale", details=None if version is None else {"version": version})
