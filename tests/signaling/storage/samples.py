"""Rows to write, with ids and times that are the same in every run."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from signaling.ids import uuid7
from signaling.storage import rooms
from signaling.storage.calls import Call, Presence
from signaling.storage.database import Database
from signaling.storage.pages import values_of
from signaling.storage.room_record import Room, RoomFields
from signaling.storage.spool import Change

START = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So long after the start."""
    return START + timedelta(seconds=seconds)


def seeded(seed: int = 0) -> Callable[[int], bytes]:
    return Random(seed).randbytes


_chance = seeded(1)


def new_id(seconds: float = 0) -> str:
    return uuid7(at(seconds), _chance)


def creation(seconds: float = 0, room_id: str | None = None) -> rooms.Creation:
    return rooms.Creation("ana", at(seconds), _chance, room_id)


async def a_room(database: Database, room_id: str = "lobby", seconds: float = 0, **chosen: Any) -> Room:
    chosen.setdefault("name", room_id)
    async with database.transaction() as connection:
        return await rooms.create(connection, RoomFields(**chosen), creation(seconds, room_id))


def a_call(room_id: str = "lobby", seconds: float = 0, node: str = "one") -> Call:
    return Call(id=new_id(seconds), room_id=room_id, node=node, started_at=at(seconds))


def a_presence(call: Call, identity: str = "ana", seconds: float = 0, **more: Any) -> Presence:
    return Presence(
        **{
            "id": new_id(seconds),
            "call_id": call.id,
            "room_id": call.room_id,
            "node": call.node,
            "identity": identity,
            "name": identity.title(),
            "role": "member",
            "joined_at": at(seconds),
            "address": "192.0.2.1",
            "user_agent": "Parley/1",
            **more,
        }
    )


def change_of(kind: str, record: object) -> Change:
    """The change that writes a record."""
    return Change(kind, values_of(record))
