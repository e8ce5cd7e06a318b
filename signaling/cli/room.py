"""`parley room`: rooms in the database itself, with or without a running server."""

from datetime import datetime

from signaling.api.room_models import RoomView
from signaling.cli.database import do
from signaling.clock import SYSTEM_CHANCE
from signaling.history.rooms import delete_room, make_room
from signaling.settings.settings import Settings
from signaling.storage import rooms
from signaling.storage.database import Database
from signaling.storage.pages import MOST, PageRequest
from signaling.storage.room_record import Room, RoomFields


def create(settings: Settings, chosen: RoomFields, room_id: str | None, utc: datetime) -> RoomView:
    """Make a room; what it is. Raises Refusal."""

    async def work(database: Database) -> Room:
        async with database.transaction() as connection:
            return await make_room(connection, chosen, rooms.Creation(None, utc, SYSTEM_CHANCE, room_id))

    return RoomView.of(do(settings, work))


def delete(settings: Settings, room_id: str, utc: datetime) -> RoomView:
    """Delete a room; what it was. A running server is not told: whoever is in it stays. Raises Refusal."""

    async def work(database: Database) -> Room:
        async with database.transaction() as connection:
            return await delete_room(connection, room_id, None, by=None, utc=utc, random=SYSTEM_CHANCE)

    return RoomView.of(do(settings, work))


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

    return [RoomView.of(room) for room in do(settings, work)]
