"""What was said in a room that keeps it: from the line of one to a page of another, through spool and database."""

import json
from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

from signaling.api.messages import MessageQuery, MessagesPage, MessageView
from signaling.http.app_keys import CLOCK, GATEWAY, SPOOL
from signaling.storage.messages import Message
from tests.signaling.fakes import receive
from tests.signaling.http.callers import Line, person, service
from tests.signaling.serving import Served, served
from tests.signaling.storage.samples import at


def test_a_message_is_told_with_all_but_its_room():
    kept = Message(id="m", room_id="den", sender="ana", topic="chat", body={"a": [1]}, sent_at=at(0), recipient="ben")
    view = MessageView.of(kept)
    assert set(MessageView.model_fields) == {one.name for one in fields(Message)} - {"room_id"}
    assert (view.sender, view.recipient, view.body) == ("ana", "ben", {"a": [1]})
    assert MessagesPage(items=[view], next_cursor=None).items == [view]


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 201}, {"topic": ""}, {"topic": "x" * 65}, {"reader": "ben"}])
def test_what_is_no_query(wrong):
    with pytest.raises(ValidationError):
        MessageQuery(**wrong)


DEN = "/api/v1/rooms/den"
MESSAGES = f"{DEN}/messages"
KEEP = {"message_history": {"keep": True, "days": 7}}


async def a_den(server: Served, **settings: Any) -> None:
    status = await person(server, "boss", role="operator").status(
        "POST", "/api/v1/rooms", {"id": "den", "name": "Den", "owner": "boss", "settings": settings}
    )
    assert status == 201


async def join(server: Served, identity: str) -> Line:
    """Somebody who has joined the den, as the gateway lets them in: with the room looked up."""
    gateway, line, now = server.app[GATEWAY], Line(), server.app[CLOCK].now()
    conversation = gateway.conversation
    token = person(server, identity, room="den", room_join=True).bearer
    conversation.open(line, now, token)
    request = conversation.read(line, json.dumps({"type": "join", "id": 1, "payload": {"room": "den"}}), now)
    assert request is not None
    assert line.session is not None
    conversation.act(line, await gateway.prepare(line.session, request), now)
    assert line.frames[-1]["type"] == "joined", line.frames
    line.take()
    return line


def say(server: Served, line: Line, body: str, to: Line | None = None, topic: str = "chat") -> Any:
    """What the sender gets back."""
    payload: dict[str, Any] = {"topic": topic, "body": body}
    if to is not None:
        assert to.session is not None
        payload["to"] = to.session.participant_id
    text = json.dumps({"type": "message", "id": 2, "payload": payload})
    receive(server.app[GATEWAY].conversation, line, text, server.app[CLOCK].now())
    return line.frames[-1]["payload"]


async def test_those_of_the_room_read_what_was_said_to_them(tmp_path):
    async with served(tmp_path) as server:
        await a_den(server, **KEEP)
        ana, ben = await join(server, "ana"), await join(server, "ben")
        hello, psst, game = (
            say(server, ana, "hello"),
            say(server, ana, "psst", ben),
            say(server, ben, "e4", None, "game"),
        )
        assert await server.app[SPOOL].flush()
        readers = {name: person(server, name, room="den", room_join=True) for name in ("ana", "ben", "cem")}
        for name, expected in (("ana", [game, psst, hello]), ("ben", [game, psst, hello]), ("cem", [game, hello])):
            response, page = await readers[name].ask("GET", MESSAGES)
            assert response.status == 200
            assert [one["id"] for one in page["items"]] == [one["id"] for one in expected]
            assert [one["body"] for one in page["items"]] == [one["body"] for one in expected]
        _, page = await readers["ben"].ask("GET", f"{MESSAGES}?topic=chat&limit=1")
        assert (page["items"][0]["sender"], page["items"][0]["recipient"]) == ("ana", "ben")
        assert page["items"][0]["call_id"]
        _, page = await readers["ben"].ask("GET", f"{MESSAGES}?topic=chat&limit=1&cursor={page['next_cursor']}")
        assert ([one["body"] for one in page["items"]], page["next_cursor"]) == (["hello"], None)
        robot = await service(server, "message.read")
        assert [one["body"] for one in (await robot.ask("GET", MESSAGES))[1]["items"]] == ["e4", "hello"]


async def test_who_may_not_read_does_not(tmp_path):
    async with served(tmp_path) as server:
        await a_den(server, **KEEP)
        elsewhere = person(server, "ana", room="other", room_join=True)
        assert await elsewhere.code("GET", MESSAGES) == (403, "forbidden")
        assert await (await service(server, "room.read")).code("GET", MESSAGES) == (403, "forbidden")
        reader = person(server, "ana", room="den", room_join=True)
        assert await reader.code("GET", f"{MESSAGES}?cursor=x") == (400, "bad_message")
        assert await reader.code("GET", f"{MESSAGES}?limit=1000") == (400, "bad_message")


async def test_a_room_that_keeps_none_has_none(tmp_path):
    async with served(tmp_path) as server:
        await a_den(server)
        ana = await join(server, "ana")
        assert "id" not in say(server, ana, "hello")
        assert await server.app[SPOOL].flush()
        _, page = await person(server, "ana", room="den", room_join=True).ask("GET", MESSAGES)
        assert page == {"items": [], "next_cursor": None}


async def test_a_room_begins_and_ceases_to_keep_them_while_people_are_in_it(tmp_path):
    async with served(tmp_path) as server:
        await a_den(server)
        ana, boss = await join(server, "ana"), person(server, "boss", role="operator")
        for version, keep in ((1, True), (2, False)):
            settings = {"settings": {"message_history": {"keep": keep}}}
            assert await boss.status("PATCH", DEN, settings, If_Match=f'"{version}"') == 200
            assert ("id" in say(server, ana, "hello")) is keep
        wrong = {"settings": {"message_history": {"keep": "always"}}}
        assert await boss.code("PATCH", DEN, wrong, If_Match='"3"') == (400, "bad_message")
