import json
import re
import uuid

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import BaseModel

from signaling.api.openapi import all_endpoints
from signaling.http.app_keys import SPOOL
from signaling.http.routes import Endpoint, add_endpoints, json_answer
from tests.signaling.http.callers import enter, person
from tests.signaling.serving import served

RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Answer(BaseModel):
    number: int


async def test_a_row_makes_a_route():
    async def handler(_request):
        return json_answer(Answer(number=1), status=201)

    app = web.Application()
    add_endpoints(app, [Endpoint("POST", "/x", handler, "Do it.", answers={201: Answer})])
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
        lists = [row for row in all_endpoints() if row.method == "GET" and row.query is not None]
        assert len(lists) >= 10
        for row in lists:
            _, page = await ops.ask("GET", row.path.replace("{id}", room["id"]))
            check(page)
            if row.path != "/api/v1/events":
                assert page.keys() == {"items", "next_cursor"}, row.path
            assert page["items"] or row.path.endswith("/messages"), row.path
