import json
import re
import uuid
from pathlib import Path
from typing import get_args

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

from signaling.api.openapi import all_routes
from signaling.http.aliases import ALIASES, other_names
from signaling.http.app_keys import CLOCK, SPOOL, TOKENS
from signaling.http.routes import Route, add_routes, json_answer
from signaling.identity.grants import Grants
from signaling.storage.words import RoomType
from tests.signaling.http.callers import enter, person
from tests.signaling.serving import STANDING_CLOCK, served

MAPPING = (Path(__file__).parents[3] / "docs" / "mapping.md").read_text()


@pytest.mark.parametrize(("alias", "ours"), ALIASES.items())
def test_each_alias_leads_to_routes_that_there_are(alias: str, ours: str) -> None:
    paths = {row.path for row in all_routes()}
    assert any(alias in one for path in paths for one in other_names(path)), f"nothing begins with {ours}"
    assert not any(path.startswith(alias) for path in paths), "what has its own routes is no alias"


def test_what_follows_stays_and_names_that_only_begin_alike_are_left_alone() -> None:
    assert other_names("/api/v1/rooms") == ("/api/v1/voice-channels",)
    assert other_names("/api/v1/rooms/{id}/join") == ("/api/v1/voice-channels/{id}/join",)
    assert other_names("/api/v1/roomsful") == ()


async def test_an_alias_reaches_the_same_handler_under_the_same_limits(tmp_path: Path) -> None:
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=len(ALIASES)) as server:
        for alias, ours in ALIASES.items():
            row = next(row for row in all_routes() if row.method == "GET" and row.path.startswith(ours))
            path = alias + row.path.removeprefix(ours).replace("{id}", "x")
            response, body = await server.ask(path)
            assert (response.status, json.loads(body)["code"]) == (401, "unauthenticated")
        response, _ = await server.ask(path)
        assert response.status == 429


async def test_a_whole_session_goes_by_another_name(tmp_path: Path) -> None:
    async with served(tmp_path, rate_limit_rpm=1) as server:
        utc = server.app[CLOCK].utc()
        token = server.app[TOKENS].issue("ana", grants=Grants.for_room("lobby"), utc=utc)
        room = "/api/v1/voice-channels/lobby"
        headers = {"Authorization": f"Bearer {token}"}
        response, _ = await server.ask(f"{room}/join", "POST", json={}, headers=headers)
        assert response.status == 200
        session = {"Parley-Session": response.headers["Parley-Session"]}
        for _ in range(3):
            response, body = await server.ask(f"{room}/signal", "POST", json={"type": "ping"}, headers=session)
            assert (response.status, json.loads(body)["type"]) == (200, "pong")
        response, _ = await server.ask(f"{room}/leave", "POST", headers=session)
        assert response.status == 200


def test_the_manual_says_what_is_called_a_voice_channel_a_call_or_a_party_and_has_each_type_of_room() -> None:
    words = MAPPING.split("## Words")[1].split("## Messages")[0]
    ours = {row.split("|")[1].strip(): row for row in words.splitlines() if row.startswith("|")}
    assert "voice channel" in ours["room"]
    assert "call" in ours
    assert "room session" in ours["call"]
    (types,) = [row for name, row in ours.items() if "room of type" in name]
    assert "party chat" in types
    assert [name for name in get_args(RoomType) if f"`{name}`" not in types] == []


def test_the_manual_has_the_table_as_it_is() -> None:
    rows = re.findall(r"^\| `(/[^`]+)` \| `(/[^`]+)` \|", MAPPING, re.MULTILINE)
    assert dict(rows) == ALIASES
    assert len(rows) == len(ALIASES)


RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Answer(BaseModel):
    number: int


async def test_a_row_makes_a_route():
    async def handler(_request):
        return json_answer(Answer(number=1), status=201)

    app = web.Application()
    add_routes(app, [Route("POST", "/x", handler, "Do it.", answers={201: Answer})])
    async with TestClient(TestServer(app)) as client:
        response = await client.post("/x")
        assert response.status == 201
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert json.loads(await response.read()) == {"number": 1}


def named_values(answer):
    """(name, value) of everything in it, however deep."""
    for each in answer if isinstance(answer, list) else [answer]:
        for name, value in each.items() if isinstance(each, dict) else ():
            yield name, value
            if isinstance(value, dict | list):
                yield from named_values(value)


def check(answer):
    """Ids that nobody chose are UUIDs of version 7, times are in UTC as RFC 3339 writes them."""
    for name, value in named_values(answer):
        if name == "id":
            assert uuid.UUID(value).version == 7, answer
        if (name.endswith("_at") or name in ("timestamp", "until", "scheduled_end")) and value is not None:
            assert RFC_3339_UTC.fullmatch(value), (name, value)


async def test_all_lists_have_pages_ids_and_times_of_one_kind(tmp_path):
    async with served(tmp_path, webhook_allow_private=True) as server:
        ops = person(server, "ops", "operator")
        _, room = await ops.ask("POST", "/api/v1/rooms", {"name": "Den", "scheduled_end": "2099-01-01T02:00:00+02:00"})
        assert room["scheduled_end"] == "2099-01-01T00:00:00Z"
        den = f"/api/v1/rooms/{room['id']}"
        enter(server, "ana", room["id"])
        for path, order in (
            (f"{den}/moderation", {"action": "mute", "identity": "ana", "duration": 60}),
            (f"{den}/bans", {"identity": "ben", "duration": 60}),
            (f"{den}/invites", {}),
            ("/api/v1/bans", {"identity": "cem"}),
            ("/api/v1/api-keys", {"name": "game", "scopes": ["*"], "ttl": 60}),
            ("/api/v1/webhooks", {"url": "http://127.0.0.1:9/", "enabled": False}),
        ):
            response, made = await ops.ask("POST", path, order)
            assert response.status < 300
            check(made)
        await server.app[SPOOL].flush()
        lists = [row for row in all_routes() if row.method == "GET" and row.query is not None]
        assert len(lists) >= 10
        for row in lists:
            _, page = await ops.ask("GET", row.path.replace("{id}", room["id"]))
            check(page)
            if row.path != "/api/v1/events":
                assert page.keys() == {"items", "next_cursor"}, row.path
            assert page["items"] or row.path.endswith("/messages"), row.path
