import json
from datetime import UTC, datetime

import pytest

from signaling.api.openapi import as_text
from signaling.http.app_keys import TOKENS
from signaling.identity.claims import LIFETIME
from tests.signaling.serving import served

WANTED = {"name": " Ana\u202e ", "room": "lobby"}


async def test_config_says_what_a_page_must_know(tmp_path):
    async with served(tmp_path, slots=4) as server:
        _, body = await server.ask("/api/v1/config")
        assert json.loads(body) == {"dev": False, "version": "0.1.0", "slots": 4}


async def test_the_openapi_document_is_served(tmp_path):
    async with served(tmp_path) as server:
        assert (await server.ask("/openapi.json"))[1].decode() == as_text()


async def test_dev_gives_a_token_for_the_room(tmp_path):
    async with served(tmp_path, dev=True) as server:
        response, body = await server.ask("/dev/token", "POST", json=WANTED)
        answer = json.loads(body)
        assert response.status == 200
        assert answer["url"] == f"ws://{server.host}/ws"
        claims = server.app[TOKENS].verify(answer["token"], datetime.now(UTC))
        assert (claims.name, claims.grants.room, claims.role) == ("Ana", "lobby", "member")
        assert claims.identity.startswith("dev-")


async def test_dev_makes_an_operator_for_whoever_asks_from_this_machine(tmp_path):
    async with served(tmp_path, dev=True) as server:
        _, body = await server.ask("/dev/token", "POST", json={"name": "Olga", "role": "operator"})
        claims = server.app[TOKENS].verify(json.loads(body)["token"], datetime.now(UTC))
        assert (claims.identity, claims.role, claims.grants.room) == ("dev-operator", "operator", None)
        assert claims.expires_at - datetime.now(UTC) <= LIFETIME


@pytest.mark.parametrize("wanted", [WANTED, {"role": "operator"}])
async def test_without_dev_there_is_no_such_route(tmp_path, wanted):
    async with served(tmp_path) as server:
        assert (await server.ask("/dev/token", "POST", json=wanted))[0].status == 404


@pytest.mark.parametrize("role", ["owner", "moderator", "", None, 3])
async def test_dev_gives_no_other_role(tmp_path, role):
    async with served(tmp_path, dev=True) as server:
        response, body = await server.ask("/dev/token", "POST", json={**WANTED, "role": role})
        assert (response.status, json.loads(body)["code"]) == (400, "bad_message")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"X-Forwarded-For": "198.51.100.7"}, 403),
        ({"Forwarded": "for=127.0.0.1"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Origin": "own", "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
@pytest.mark.parametrize("wanted", [WANTED, {"role": "operator"}], ids=["member", "operator"])
async def test_a_foreign_page_name_or_machine_gets_no_token(tmp_path, headers, status, wanted):
    async with served(tmp_path, dev=True) as server:
        if headers.get("Origin") == "own":
            headers = {**headers, "Origin": f"http://{server.host}"}
        response, body = await server.ask("/dev/token", "POST", json=wanted, headers=headers)
        assert response.status == status
        assert (b'"token"' in body) == (status == 200)


@pytest.mark.parametrize("room", ["", "a b", "../etc", "x" * 65, "lobby\n", 5, None])
async def test_a_room_that_cannot_be_is_refused(tmp_path, room):
    async with served(tmp_path, dev=True) as server:
        response, body = await server.ask("/dev/token", "POST", json={"name": "Ana", "room": room})
        assert (response.status, json.loads(body)["code"]) == (400, "bad_message")
