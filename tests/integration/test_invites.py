"""The last use of an invite, wanted by many at once, at a real server on either database."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.signaling.http.callers import Caller, person
from tests.signaling.serving import served
from tests.support.kept import database_url
from tests.support.postgres import PostgresServer

INVITES, ACCEPT = "/api/v1/rooms/den/invites", "/api/v1/invites/accept"
PEOPLE = 20


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_many_guests_and_people_the_last_use_is_for_one(tmp_path, postgres, kind):
    """Each request is a connection and a transaction of its own; who is too late is told what a guess is told."""
    url = database_url(kind, postgres)
    async with served(tmp_path, database_url=url, failed_auths_per_minute=1000, rate_limit_rpm=10_000) as server:
        operator = person(server, "ops", "operator")
        assert await operator.status("POST", "/api/v1/rooms", {"id": "den", "name": "Den", "is_private": True}) == 201
        for max_uses in (1, 3):
            _, made = await operator.ask("POST", INVITES, {"max_uses": max_uses})
            token = {"token": made["token"]}
            known = [person(server, f"p{number}").code("POST", ACCEPT, token) for number in range(PEOPLE)]
            guests = [Caller(server, None).code("POST", ACCEPT, token) for _ in range(PEOPLE)]
            found = await asyncio.gather(*known, *guests)
            assert sorted(found) == [(200, None)] * max_uses + [(403, "invite_invalid")] * (2 * PEOPLE - max_uses)
            _, page = await operator.ask("GET", INVITES)
            assert (page["items"][0]["uses"], page["items"][0]["state"]) == (max_uses, "used_up")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_one_person_who_accepts_many_times_at_once_uses_one(tmp_path, postgres, kind):
    async with served(tmp_path, database_url=database_url(kind, postgres)) as server:
        operator, ben = person(server, "ops", "operator"), person(server, "ben")
        await operator.ask("POST", "/api/v1/rooms", {"id": "den", "name": "Den"})
        _, made = await operator.ask("POST", INVITES, {})
        found = await asyncio.gather(*(ben.status("POST", ACCEPT, {"token": made["token"]}) for _ in range(10)))
        assert found == [200] * 10
        assert (await operator.ask("GET", INVITES))[1]["items"][0]["uses"] == 1
