"""`parley room`: rooms in the database itself, with or without a running server."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from signaling.chance import SYSTEM_CHANCE
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.http.room_models import RoomView
from signaling.operating.db_command import database_settings
from signaling.operating.refusals import Refusal
from signaling.operating.settings import Settings
from signaling.storage import migrate, rooms
from signaling.storage.database import Database
from signaling.storage.pages import MOST, PageRequest
from signaling.storage.room_record import Room, RoomFields

Result = TypeVar("Result")


def create(settings: Settings, chosen: RoomFields, room_id: str | None, utc: datetime) -> RoomView:
    """Make a room; what it is. Raises Refusal."""

    async def work(database: Database) -> Room:
        async with database.transaction() as connection:
            return await rooms.create(connection, chosen, rooms.Creation(None, utc, SYSTEM_CHANCE, room_id))

    return RoomView.of(_run(settings, work))


def delete(settings: Settings, room_id: str) -> RoomView:
    """Delete a room; what it was. A running server is not told: whoever is in it stays. Raises Refusal."""

    async def work(database: Database) -> Room:
        async with database.transaction() as connection:
            return await rooms.remove(connection, room_id)

    return RoomView.of(_run(settings, work))


def listing(settings: Settings, search: str | None = None) -> list[RoomView]:
    """All rooms, or those whose name contains `search`; the newest first. Raises Refusal."""

    async def work(database: Database) -> list[Room]:
        found: list[Room] = []
        request = PageRequest(MOST)
        while True:
            async with database.reading() as connection:
                page = await rooms.page(connection, rooms.RoomFilter(search=search), request)
            found += page.items
            if page.next_cursor is None:
                return found
            request = PageRequest(MOST, page.next_cursor)

    return [RoomView.of(room) for room in _run(settings, work)]


def _run(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    try:
        return asyncio.run(_with(settings, work))
    except ClientMistake as mistake:
        raise Refusal("that is not possible", mistake.message, "Choose another value.", exit_code=2) from None
    except StorageUnavailable as error:
        raise Refusal("the database does not answer", error.message, "Look at it with `parley db status`.") from error


async def _with(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    chosen = database_settings(settings)
    await migrate.prepare(chosen)
    database = Database(chosen)
    try:
        await migrate.open_or_refuse(database)
        return await work(database)
    finally:
        await database.close()
