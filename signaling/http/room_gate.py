"""Who asks for something in a room, as they stand there: for all routes below `/rooms/{id}`."""

from aiohttp import web

from signaling.errors import StorageUnavailable
from signaling.http.app_keys import DATABASE
from signaling.http.bearer import asker_of
from signaling.http.problems import refuse
from signaling.identity.asker import Asker
from signaling.identity.names import ROOM_ID
from signaling.identity.permissions import may
from signaling.identity.room_access import in_room
from signaling.storage import rooms
from signaling.storage.room_record import Room


async def enter(request: web.Request, action: str) -> tuple[Asker, Room | None]:
    """Who asks, with the role that the room of the path gives them, and the room, if it is kept.

    Raises as `asker_of`, and ClientMistake (`forbidden`) for who may not do `action` there: the same one whether there
    is such a room or not. While the database is away, a token or a key that needs no owner's right still holds.
    """
    asker, room_id = await asker_of(request), request.match_info["id"]
    if not ROOM_ID.match(room_id):
        refuse("forbidden")
    room: Room | None = None
    try:
        async with request.app[DATABASE].reading() as connection:
            room = await rooms.find(connection, room_id)
    except StorageUnavailable:
        if not may(asker.holder, action, room=room_id):
            raise
    there = asker if room is None else in_room(asker, room_id, room.owner)
    if not may(there.holder, action, room=room_id):
        refuse("forbidden")
    return there, room
