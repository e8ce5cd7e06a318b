"""`/api/v1/rooms/{id}/messages`: what was said in a room that keeps it. Handlers only."""

from aiohttp import web

from signaling.api.message_models import MessageQuery, MessagesPage, MessageView
from signaling.http import bearer
from signaling.http.app_keys import DATABASE
from signaling.http.problems import read_query
from signaling.http.room_gate import enter
from signaling.http.routes import Endpoint, json_answer
from signaling.storage import messages
from signaling.storage.pages import PageRequest


async def past_messages(request: web.Request) -> web.StreamResponse:
    """What was said to all, and what the asker has said to one person or was told by one."""
    asker, _ = await enter(request, "message.read")
    query, room_id = read_query(request, MessageQuery), request.match_info["id"]
    wanted = PageRequest(query.limit, query.cursor)
    async with request.app[DATABASE].reading() as connection:
        page = await messages.page(connection, room_id, asker.identity, wanted, topic=query.topic)
    return json_answer(MessagesPage(items=[MessageView.of(one) for one in page.items], next_cursor=page.next_cursor))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/v1/rooms/{id}/messages",
        past_messages,
        "Read the messages that a room keeps.",
        answers={200: MessagesPage},
        query=MessageQuery,
        errors=(*bearer.ERRORS, "storage_unavailable"),
    ),
)
