"""What several people do at the same moment, at a real server on either database: one of them gets it, none gets 500.

The last use of an invite is in `test_invites.py`. And what two servers on one database know of each other's acts.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from signaling.history import writer
from signaling.http.app_keys import GATEWAY, SPOOL
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import Served, served
from tests.support.house import eventually
from tests.support.kept import database_url
from tests.support.postgres import PostgresServer

ROOMS = "/api/v1/rooms"
DEN = f"{ROOMS}/den"
PEOPLE = 12
ROUNDS = 4


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, postgres: PostgresServer) -> str:
    return database_url(request.param, postgres)


@asynccontextmanager
async def raced(folder: Any, url: str) -> AsyncIterator[tuple[Served, Caller]]:
    """A server and its operator."""
    async with served(folder, database_url=url, rate_limit_rpm=100_000, joins_per_minute=10_000) as server:
        yield server, person(server, "ops", "operator")


def joiners(server: Served) -> list[Caller]:
    return [person(server, f"p{number}", room="den", room_join=True) for number in range(PEOPLE)]


async def test_of_many_who_join_the_last_place_is_for_one(tmp_path: Any, url: str) -> None:
    async with raced(tmp_path, url) as (server, operator):
        await operator.ask("POST", ROOMS, {"id": "den", "name": "Den", "max_participants": 2})
        everybody = joiners(server)
        assert await everybody[0].status("POST", f"{DEN}/join", {}) == 200
        found = await asyncio.gather(*(one.code("POST", f"{DEN}/join", {}) for one in everybody[1:]))
        assert Counter(found) == {(200, None): 1, (409, "room_full"): PEOPLE - 2}
        _, page = await operator.ask("GET", f"{DEN}/participants")
        assert len(page["items"]) == 2


async def test_of_two_bans_at_once_one_holds_and_one_lift_ends_it(tmp_path: Any, url: str) -> None:
    async with raced(tmp_path, url) as (server, operator):
        await operator.ask("POST", ROOMS, {"id": "den", "name": "Den"})
        eve = person(server, "eve", room="den", room_join=True)
        assert await eve.status("POST", f"{DEN}/join", {}) == 200
        others = [person(server, f"mod{number}", room="den", room_admin=True) for number in range(PEOPLE)]
        order = {"identity": "eve", "reason": "noise"}
        found = await asyncio.gather(*(one.status("POST", f"{DEN}/bans", order) for one in others))
        assert Counter(found) == {201: PEOPLE}
        assert await eve.code("POST", f"{DEN}/join", {}) == (403, "banned")
        await server.app[SPOOL].flush()
        _, page = await operator.ask("GET", f"{DEN}/bans")
        assert [one["identity"] for one in page["items"]] == ["eve"]
        lifts = await asyncio.gather(*(one.status("DELETE", f"{DEN}/bans/{page['items'][0]['id']}") for one in others))
        assert Counter(lifts) == {204: 1, 404: PEOPLE - 1}
        await server.app[SPOOL].flush()
        _, page = await operator.ask("GET", f"{DEN}/bans")
        assert page["items"] == []


async def test_a_room_that_is_deleted_while_people_join_has_nobody_in_it(tmp_path: Any, url: str) -> None:
    async with raced(tmp_path, url) as (server, operator):
        house = server.app[GATEWAY].conversation
        for _ in range(ROUNDS):
            await operator.ask("POST", ROOMS, {"id": "den", "name": "Den", "max_participants": 3})
            everybody = joiners(server)
            half = [one.code("POST", f"{DEN}/join", {}) for one in everybody[: PEOPLE // 2]]
            rest = [one.code("POST", f"{DEN}/join", {}) for one in everybody[PEOPLE // 2 :]]
            *found, deleted = await asyncio.gather(*half, *rest, operator.status("DELETE", DEN))
            assert deleted == 204
            assert {status for status, _ in found} <= {200, 403, 404, 409}, found
            assert await operator.status("GET", DEN) == 404
            live = house.rooms.find("den")
            # Who came after the end is in a room of the same name that nobody keeps, under its rules.
            assert live is None or live.policy.version == 0
            await operator.ask("POST", ROOMS, {"id": "den", "name": "Den"})
            assert await operator.status("DELETE", DEN) == 204
            assert house.rooms.find("den") is None


async def test_of_many_changes_of_one_version_one_is_made(tmp_path: Any, url: str) -> None:
    async with raced(tmp_path, url) as (_, operator):
        response, _ = await operator.ask("POST", ROOMS, {"id": "den", "name": "Den"})
        tag = response.headers["ETag"]
        changes = [operator.code("PATCH", DEN, {"description": str(number)}, If_Match=tag) for number in range(PEOPLE)]
        assert Counter(await asyncio.gather(*changes)) == {(200, None): 1, (412, "stale"): PEOPLE - 1}
        response, _ = await operator.ask("GET", DEN)
        tag = response.headers["ETag"]
        both = await asyncio.gather(
            operator.status("PATCH", DEN, {"description": "x"}, If_Match=tag),
            operator.status("DELETE", DEN, If_Match=tag),
        )
        assert both in ([200, 412], [412, 204], [404, 204]), both


async def test_of_many_who_make_one_room_one_makes_it(tmp_path: Any, url: str) -> None:
    async with raced(tmp_path, url) as (_, operator):
        made = await asyncio.gather(*(operator.code("POST", ROOMS, {"id": "den", "name": "x"}) for _ in range(PEOPLE)))
        assert Counter(made) == {(201, None): 1, (409, "already_exists"): PEOPLE - 1}


async def test_a_key_that_is_withdrawn_during_requests_does_nothing_afterwards(tmp_path: Any, url: str) -> None:
    async with raced(tmp_path, url) as (server, operator):
        key = await service(server, "*")
        _, page = await operator.ask("GET", "/api/v1/api-keys")
        path = f"/api/v1/api-keys/{page['items'][0]['id']}"
        asked = [key.code("GET", ROOMS) for _ in range(PEOPLE)]
        *found, first, second = await asyncio.gather(
            *asked, operator.status("DELETE", path), operator.status("DELETE", path)
        )
        assert sorted((first, second)) == [204, 404]
        assert set(found) <= {(200, None), (401, "token_invalid")}
        assert await key.code("GET", ROOMS) == (401, "token_invalid")


@pytest.mark.parametrize(("action", "refused"), [("kick", (401, "token_invalid")), ("ban", (403, "banned"))])
async def test_who_was_removed_at_one_server_is_out_at_the_other_on_its_database(
    tmp_path: Any, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, action: str, refused: tuple[int, str]
) -> None:
    monkeypatch.setattr(writer, "FOLLOW_SECONDS", 0.05)
    folders, url = [tmp_path / "one", tmp_path / "two"], postgres.new_database()
    for folder in folders:
        folder.mkdir()
    async with (
        served(folders[0], database_url=url) as one,
        served(folders[1], database_url=url, node_name="two") as two,
    ):
        ana, ben = (person(one, name, room="den", room_join=True) for name in ("ana", "ben"))
        everywhere = [Caller(server, who.bearer) for server in (one, two) for who in (ana, ben)]
        assert [await who.status("POST", f"{DEN}/join", {}) for who in everywhere] == [200] * 4
        moderator = person(one, "mod", room="den", room_admin=True)
        assert await moderator.status("POST", f"{DEN}/moderation", {"action": action, "identity": "ana"}) == 200
        there = two.app[GATEWAY].conversation.rooms.find("den")
        assert there is not None
        await eventually(lambda: there.with_identity("ana") is None)
        assert there.with_identity("ben")
        assert await Caller(two, ana.bearer).code("POST", f"{DEN}/join", {}) == refused
