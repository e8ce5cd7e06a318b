"""Stored messages of rooms, and the limits of their fields. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage import words
from signaling.storage.fields import check_document, check_text
from signaling.storage.pages import Listing, Page, PageRequest, insert_once, values_of
from signaling.storage.room_record import message_days
from signaling.storage.room_tables import messages as table
from signaling.storage.room_tables import rooms


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to a room, or to one person in it (`recipient`, an identity). `body` is any JSON."""

    id: str
    room_id: str
    sender: str
    topic: str
    body: Any
    sent_at: datetime
    call_id: str | None = None
    recipient: str | None = None


def check_message(message: Message) -> Message:
    """Return the message if both databases can store it. Raises ClientMistake (`bad_message`)."""
    check_text("topic", message.topic, words.TOPIC_LENGTH, least=1)
    check_document("body", message.body)
    return message


AT_ONCE = 1000
"""Maximum messages that one transaction deletes."""

_LISTING = Listing(table, Message, "sent_at")


async def keep(connection: AsyncConnection, message: Message) -> bool:
    """Store a message. Return whether it is new and its room exists. Raises ClientMistake (`bad_message`)."""
    check_message(message)
    there = select(rooms.c.id).where(rooms.c.id == message.room_id)
    if (await connection.execute(there)).first() is None:
        return False
    return await insert_once(connection, table, values_of(message))


async def page(
    connection: AsyncConnection, room_id: str, reader: str, request: PageRequest, *, topic: str | None = None
) -> Page[Message]:
    """Return the messages of a room to all, to the identity `reader` and by `reader`, newest first."""
    mine = table.c.recipient.is_(None) | (table.c.recipient == reader) | (table.c.sender == reader)
    conditions: list[ColumnElement[bool]] = [table.c.room_id == room_id, mine]
    if topic is not None:
        conditions.append(table.c.topic == topic)
    wanted = {"room_id": room_id, "reader": reader, "topic": topic}
    return await _LISTING.page(connection, wanted, conditions, request)


async def rooms_that_keep(connection: AsyncConnection, after: str = "", limit: int = 200) -> Sequence[tuple[str, Any]]:
    """Return (id, settings) of rooms with stored messages, in the order of their ids, starting after `after`."""
    some = exists().where(table.c.room_id == rooms.c.id)
    query = select(rooms.c.id, rooms.c.settings).where(rooms.c.id > after, some).order_by(rooms.c.id).limit(limit)
    return [(row.id, row.settings) for row in await connection.execute(query)]


async def forget(connection: AsyncConnection, room_id: str, settings: dict[str, Any], utc: datetime) -> int:
    """Delete the oldest messages past the retention in `settings`, `AT_ONCE` at most, and return their number.

    Without retention all messages of the room are deleted.
    """
    days = message_days(settings)
    oldest = select(table.c.id).where(table.c.room_id == room_id)
    if days is not None:
        oldest = oldest.where(table.c.sent_at < utc - timedelta(days=days))
    oldest = oldest.order_by(table.c.sent_at).limit(AT_ONCE)
    return (await connection.execute(delete(table).where(table.c.id.in_(oldest)))).rowcount
