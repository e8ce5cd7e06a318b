"""Chat and application messages of rooms that keep them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage import words
from signaling.storage.fields import check_document, check_text
from signaling.storage.pages import Listing, Page, PageRequest, insert_once
from signaling.storage.room_tables import messages as table
from signaling.storage.row_types import values_of


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


_LISTING = Listing(table, Message, "sent_at")


async def keep(connection: AsyncConnection, message: Message) -> bool:
    """Keep a message; whether it was not there before. Raises ClientMistake (`bad_message`)."""
    check_text("topic", message.topic, words.TOPIC_LENGTH, least=1)
    check_document("body", message.body)
    return await insert_once(connection, table, values_of(message))


async def page(
    connection: AsyncConnection, room_id: str, reader: str, request: PageRequest, *, topic: str | None = None
) -> Page[Message]:
    """What `reader`, an identity, may read of a room: what was said to all, to them, and by them; the newest first."""
    mine = table.c.recipient.is_(None) | (table.c.recipient == reader) | (table.c.sender == reader)
    conditions: list[ColumnElement[bool]] = [table.c.room_id == room_id, mine]
    if topic is not None:
        conditions.append(table.c.topic == topic)
    wanted = {"room_id": room_id, "reader": reader, "topic": topic}
    return await _LISTING.page(connection, wanted, conditions, request)


async def forget(connection: AsyncConnection, before: datetime, limit: int = 1000) -> int:
    """Delete the oldest messages sent before a time, so many at once; how many they were."""
    oldest = select(table.c.id).where(table.c.sent_at < before).order_by(table.c.sent_at).limit(limit)
    return (await connection.execute(delete(table).where(table.c.id.in_(oldest)))).rowcount
