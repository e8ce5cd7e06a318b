"""Routes of the stored messages of a room. Pure."""

from datetime import datetime
from typing import Any, Self

from aiohttp import web
from pydantic import Field

from signaling.api.people_models import PageQuery
from signaling.http import bearer
from signaling.http.app_keys import DATABASE
from signaling.http.bearer import enter
from signaling.http.problems import read_query
from signaling.http.routes import Route, json_answer
from signaling.models import Model
from signaling.storage import messages
from signaling.storage.messages import Message
from signaling.storage.pages import PageRequest


class MessageQuery(PageQuery):
    """Which messages."""

    topic: str | None = Field(None, min_length=1, max_length=64)


class MessageView(Model):
    """One message; `id` is that of the signaling message. `sender` and `recipient` are identities."""

    id: str
    call_id: str | None
    sender: str
    recipient: str | None = Field(description="null if the message went to all participants.")
    topic: str
    body: Any
    sent_at: datetime

    @classmethod
    def of(cls, message: Message) -> Self:
        """The view of a message."""
        return cls(**{name: getattr(message, name) for name in cls.model_fields})


class MessagesPage(Model):
    """Messages, newest first; `next_cursor` is null on the last page."""

    items: list[MessageView]
    next_cursor: str | None


async def past_messages(request: web.Request) -> web.StreamResponse:
    """The messages to the room, and those that the asker has sent or received."""
    asker, _ = await enter(request, "message.read")
    query, room_id = read_query(request, MessageQuery), request.match_info["id"]
    wanted = PageRequest(query.limit, query.cursor)
    async with request.app[DATABASE].reading() as connection:
        page = await messages.page(connection, room_id, asker.identity, wanted, topic=query.topic)
    return json_answer(MessagesPage(items=[MessageView.of(one) for one in page.items], next_cursor=page.next_cursor))


ROUTES = (
    Route(
        "GET",
        "/api/v1/rooms/{id}/messages",
        past_messages,
        "Read the stored messages of a room.",
        answers={200: MessagesPage},
        query=MessageQuery,
        errors=(*bearer.ERRORS, "storage_unavailable"),
    ),
)
