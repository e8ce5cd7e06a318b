import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from signaling.errors import StorageUnavailable
from signaling.http.app_keys import DATABASE, GATEWAY, TOKENS
from signaling.identity.grants import Grants
from tests.signaling.http.callers import Caller, enter, person, service
from tests.signaling.identity.test_jwks import ED_JWK, document
from tests.signaling.serving import STANDING_CLOCK, served

ROOMS = "/api/v1/rooms"


async def code(server, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    response, body = await server.ask(ROOMS, headers=headers)
    return response.status, json.loads(body).get("code")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
async def test_rfc_6750_without_a_bearer_token_nobody_is_known(tmp_path, header):
    async with served(tmp_path) as server:
        assert await code(server, header) == (401, "unauthenticated")


async def test_forged_tokens_slow_an_address_down_also_for_good_ones(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, failed_auths_per_minute=2) as server:
        good = server.app[TOKENS].issue("ana", grants=Grants(room_list=True), utc=datetime.now(UTC))
        assert await code(server, f"bearer {good}") == (200, None)
        for _ in range(2):
            assert await code(server, "Bearer x.y.z") == (401, "token_invalid")
        assert await code(server, f"Bearer {good}") == (429, "rate_limited")


async def test_a_token_that_is_merely_old_is_not_counted(tmp_path):
    async with served(tmp_path, failed_auths_per_minute=1) as server:
        old = server.app[TOKENS].issue("ana", grants=Grants(), utc=datetime(2020, 1, 1, tzinfo=UTC))
        for _ in range(2):
            assert await code(server, f"Bearer {old}") == (401, "token_expired")


async def test_a_withdrawn_token_opens_nothing(tmp_path):
    async with served(tmp_path) as server:
        token = server.app[TOKENS].issue("ana", grants=Grants(room_list=True), utc=datetime.now(UTC))
        claims = server.app[TOKENS].verify(token, datetime.now(UTC))
        server.app[GATEWAY].conversation.records.deny_list.withdraw(claims, datetime.now(UTC))
        assert await code(server, f"Bearer {token}") == (401, "token_invalid")


async def test_with_a_key_set_its_keys_are_looked_for(tmp_path):
    (tmp_path / "keys.json").write_bytes(document(ED_JWK))
    async with served(tmp_path, jwks_file=tmp_path / "keys.json") as server:
        assert await code(server, "Bearer x.y.z") == (401, "token_invalid")


async def test_an_api_key_is_taken_as_bearer_for_what_its_scopes_say(tmp_path):
    async with served(tmp_path) as server:
        assert await (await service(server, "room.list")).code("GET", ROOMS) == (200, None)
        assert await (await service(server, "room.read")).code("GET", ROOMS) == (403, "forbidden")
        assert await (await service(server, "room.*", rooms={"den"})).code("GET", ROOMS) == (403, "forbidden")


async def test_a_key_that_is_wrong_old_or_no_key_opens_nothing_and_is_counted(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, failed_auths_per_minute=4) as server:
        good = await service(server, "*")
        old = await service(server, "*", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
        for text in (good.bearer[:-1] + "~", good.bearer[:-2] + "AA", "parley_", old.bearer):
            assert await code(server, f"Bearer {text}") == (401, "token_invalid")
        assert await code(server, f"Bearer {good.bearer}") == (429, "rate_limited")


async def test_each_request_is_authenticated_once(tmp_path, monkeypatch):
    async with served(tmp_path) as server:
        ana = person(server, room_create=True)
        verify, seen = server.app[TOKENS].verify, []
        monkeypatch.setattr(server.app[TOKENS], "verify", lambda *order: seen.append(order) or verify(*order))
        assert await ana.status("POST", ROOMS, {"name": "A"}, Idempotency_Key="k") == 201
        assert len(seen) == 1


PATHS = ("participants", "participants/history", "calls", "bans", "audit")


@pytest.mark.parametrize("path", PATHS)
async def test_a_token_of_one_room_learns_nothing_of_another_not_even_whether_it_is_there(tmp_path, path):
    async with served(tmp_path) as server:
        await person(server, "ben", room_create=True).ask("POST", "/api/v1/rooms", {"name": "Den", "id": "den"})
        enter(server, "eve", "live")
        holders = (
            person(server, room="other", role="owner"),
            person(server, role="owner"),
            await service(server, "*", rooms={"other"}),
        )
        for who in holders:
            answers = []
            for room in ("den", "live", "nowhere", "a%20b", "..%2fden"):
                response, told = await who.ask("GET", f"/api/v1/rooms/{room}/{path}")
                answers.append((response.status, told["code"], told["detail"]))
            assert set(answers) == {(403, "forbidden", answers[0][2])}
        assert await Caller(server, None).status("GET", f"/api/v1/rooms/den/{path}") == 401


async def test_who_owns_a_room_needs_no_role_in_the_token(tmp_path):
    async with served(tmp_path) as server:
        ben = person(server, "ben", room_create=True)
        await ben.ask("POST", "/api/v1/rooms", {"name": "Den", "id": "den"})
        assert await ben.status("GET", "/api/v1/rooms/den/audit") == 200
        assert await person(server, "ben", room="other").status("GET", "/api/v1/rooms/den/audit") == 403


async def test_without_the_database_a_token_still_holds_and_an_owner_waits(tmp_path, monkeypatch):
    @asynccontextmanager
    async def away():
        raise StorageUnavailable("gone")
        yield

    async with served(tmp_path) as server:
        ben = person(server, "ben", room_create=True)
        await ben.ask("POST", "/api/v1/rooms", {"name": "Den", "id": "den"})
        line = enter(server, "ana")
        monkeypatch.setattr(server.app[DATABASE], "reading", away)
        moderator = person(server, "mod", room="den", room_admin=True)
        response, told = await moderator.ask("GET", "/api/v1/rooms/den/participants")
        assert (response.status, [one["identity"] for one in told["items"]]) == (200, ["ana"])
        order = {"action": "mute", "identity": "ana"}
        assert await moderator.status("POST", "/api/v1/rooms/den/moderation", order) == 200
        assert line.types == ["moderated", "participant-updated"]
        assert await ben.code("GET", "/api/v1/rooms/den/participants") == (503, "storage_unavailable")
