from contextlib import asynccontextmanager

import pytest

from signaling.errors import StorageUnavailable
from signaling.http.app_keys import DATABASE
from tests.signaling.http.callers import Caller, enter, person, service
from tests.signaling.serving import served

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
