"""Creates and deletes stored rooms: the row and its event in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.ids import RandomBytes, uuid7
from signaling.storage import outbox, rooms
from signaling.storage.room_record import Room, RoomFields

_SHOWN = ("id", "name", "room_type", "owner", "guild_id", "region", "is_private", "is_temporary", "created_by")
"""The fields of a room in its events."""


async def make_room(connection: AsyncConnection, fields: RoomFields, creation: rooms.Creation) -> Room:
    """Insert a room, and append `room.created`. `creation.by` is None for the command line.

    Raises ClientMistake: `already_exists`, `bad_message`.
    """
    room = await rooms.create(connection, fields, creation)
    await outbox.append(connection, _event("room.created", room, creation.by, creation.utc, creation.random))
    return room


async def delete_room(
    connection: AsyncConnection,
    room_id: str,
    version: int | None,
    *,
    by: str | None,
    utc: datetime,
    random: RandomBytes,
) -> Room:
    """Delete a room, append `room.deleted`, and return the room as it was. A given version must match.

    Raises ClientMistake: `not_found`, `stale`.
    """
    room = await rooms.remove(connection, room_id, version)
    await outbox.append(connection, _event("room.deleted", room, by, utc, random))
    return room


def _event(name: str, room: Room, by: str | None, utc: datetime, random: RandomBytes) -> outbox.NewEvent:
    shown: Mapping[str, Any] = {field: getattr(room, field) for field in _SHOWN}
    return outbox.NewEvent(
        id=uuid7(utc, random), event=name, payload={"room": shown, "by": by}, created_at=utc, room_id=room.id
    )
