"""What is kept of calls by a real server: through its stop, its crashes, and crashes of its database."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import aiohttp
import pytest

from signaling.cli.token import TokenOrder, make_token
from signaling.clock import rfc3339
from signaling.settings.settings import Settings
from signaling.storage.spool import decode_lines
from tests.support.client import QUIET, ServerRefused, VoiceClient
from tests.support.house import eventually
from tests.support.kept import Kept, database_url, read_kept
from tests.support.patience import PATIENCE
from tests.support.postgres import PostgresServer
from tests.support.server import ServerProcess

VOICES = {"Ana": 440.0, "Ben": 700.0, "Cem": 1060.0}
SPOOLED_WITHIN = 1.0
"""Seconds after which nothing that has happened is in memory alone."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """One server for this module: some tests stop it, and start it again."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, postgres: PostgresServer) -> str:
    return database_url(request.param, postgres)


class Site:
    """A server with a database, and what it has kept."""

    def __init__(self, folder: Path, url: str) -> None:
        self.data = folder / "data"
        self.database_url = url
        given = {"DATABASE_URL": url} if url else {}
        limits = {"PARLEY_JOINS_PER_MINUTE": "1000", "PARLEY_RATE_LIMIT_RPM": "100000"}
        self.server = ServerProcess(folder, settings={**limits, **given})

    async def __aenter__(self) -> "Site":
        await asyncio.to_thread(self.server.start)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await asyncio.to_thread(self.server.kill if kind else self.server.stop)

    async def restart(self) -> None:
        """Start again after a crash."""
        await asyncio.to_thread(self.server.start)

    async def kept(self) -> Kept:
        return await read_kept(self.database_url, self.data)

    @property
    def spool(self) -> Path:
        return self.data / "changes.log"

    def spooled(self) -> list[tuple[str, str]]:
        """What is in the file: kinds, and whom each is about."""
        found = decode_lines(self.spool.read_bytes()).lines if self.spool.exists() else []
        return [(one.kind, str(one.values.get("participant_id"))) for line in found for one in line]

    def ready(self) -> int:
        try:
            with urlopen(f"{self.server.url}/ready", timeout=PATIENCE) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                checks = json.loads(error.read())["checks"]
                assert {name for name, check in checks.items() if check["state"] != "ok"} == {"database"}
                return error.code

    async def until_ready(self, status: int) -> None:
        await asyncio.to_thread(self._until_ready, status)

    def _until_ready(self, status: int) -> None:
        """In a thread: whoever is in the call goes on speaking and hearing meanwhile."""
        end = time.monotonic() + PATIENCE
        while (found := self.ready()) != status:
            assert time.monotonic() < end, f"/ready still says {found}"

    def token(self, identity: str, room: str = "kitchen", role: str = "member") -> str:
        settings = Settings(dev=True, data_dir=self.data)
        token = make_token(settings, TokenOrder(room, identity, identity, role), datetime.now(UTC))["token"]
        return str(token)

    async def sit(
        self, stack: AsyncExitStack, identity: str, room: str = "kitchen", role: str = "member"
    ) -> VoiceClient:
        """Somebody in a room, without media."""
        client = VoiceClient(self.server.url, room, identity)
        client.token = self.token(identity, room, role)
        stack.push_async_callback(client.close)
        await client.open()
        joined = await client.request("join", room=room)
        client.id = joined["participant"]["id"]
        return client

    async def until_kept(self, calls: list[str], token: str) -> None:
        """Wait until these are the calls of the kitchen: they are written a moment after they are told."""
        async with asyncio.timeout(PATIENCE):
            while [one["id"] for one in (await self.ask("GET", "rooms/kitchen/calls", token))["items"]] != calls:
                pass

    async def ask(self, method: str, path: str, token: str, **more: str) -> Any:
        """What the interface over HTTP answers to the bearer of this token; `more` are headers."""
        headers = {"Authorization": f"Bearer {token}", **more}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.server.url}/api/v1/{path}") as answer,
        ):
            assert answer.ok, await answer.text()
            return await answer.json()

    async def refused(self, token: str) -> str:
        """The code with which a token is refused, or `welcome`."""
        async with aiohttp.ClientSession() as session:
            protocols = ("parley.v1", f"parley.token.{token}")
            async with session.ws_connect(f"{self.server.url}/ws", protocols=protocols) as line:
                message = await line.receive_json(timeout=PATIENCE)
                return str(message["payload"].get("code", message["type"]))


def told_call(client: VoiceClient, kind: str = "joined") -> dict[str, Any]:
    """The call that the only message of this type tells of."""
    (call,) = [payload["call"] for type_, payload in client.received if type_ == kind]
    return dict(call)


def longest_gap(client: VoiceClient, frequency: float, since: float) -> float:
    """The longest time in which a voice was not heard, up to now."""
    times = [since, *client._times(frequency, since), time.monotonic()]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def check_whole(kept: Kept) -> None:
    """Nobody is in a call, nothing is there twice, nothing ends before it began, and events tell of each once."""
    assert {call.state for call in kept.calls} <= {"ended"}
    ends = {call.id: call.ended_at for call in kept.calls}
    for person in kept.people:
        assert person.left_at is not None
        assert person.joined_at <= person.left_at <= ends[person.call_id]
    for rows in (kept.calls, kept.people, kept.media, kept.events):
        assert max(Counter(row.id for row in rows).values(), default=1) == 1
    told = Counter(event.event for event in kept.events)
    assert told["call.started"] == told["call.ended"] == len(kept.calls)
    assert told["participant.joined"] == told["participant.left"] == len(kept.people)
    assert [event.position for event in kept.events] == list(range(1, len(kept.events) + 1))


async def test_a_call_is_kept_from_its_first_to_its_last(tmp_path: Path, url: str) -> None:
    async with Site(tmp_path, url) as site, AsyncExitStack() as stack:
        people = {name: VoiceClient(site.server.url, name=name, frequency=tone) for name, tone in VOICES.items()}
        for person in people.values():
            await stack.enter_async_context(person)
        await asyncio.gather(people["Ana"].heard(700), people["Ben"].heard(1060), people["Cem"].heard(440))
        await people["Ben"].leave()
    kept = await site.kept()
    check_whole(kept)
    assert [(call.room_id, call.node, call.end_reason) for call in kept.calls] == [
        ("kitchen", "parley", "server_shutdown")
    ]
    reasons = {person.name: person.leave_reason for person in kept.people}
    assert reasons == {"Ana": "server_shutdown", "Ben": "client_initiated", "Cem": "server_shutdown"}
    assert {person.address for person in kept.people} == {"127.0.0.1"}
    assert all(person.user_agent and "aiohttp" in person.user_agent for person in kept.people)
    names = {person.id: person.name for person in kept.people}
    ended = {names[one.participant_id]: (one.state, one.transport, one.end_reason) for one in kept.media}
    assert ended == {
        "Ana": ("closed", "udp", "closed_by_peer"),
        "Ben": ("closed", "udp", "left"),
        "Cem": ("closed", "udp", "closed_by_peer"),
    }
    assert all(one.bytes_sent > 0 < one.bytes_received and one.connected_at for one in kept.media)
    # An independent client (aiortc), whose offer names its candidates; and the software that it says it is.
    assert {(one.candidate_type, bool(one.user_agent)) for one in kept.media} == {("host", True)}
    assert [event.event for event in kept.events[:2]] == ["call.started", "participant.joined"]


async def test_the_call_that_people_are_told_of_is_the_one_that_is_kept(tmp_path: Path, url: str) -> None:
    site, told = Site(tmp_path, url), []
    await site.__aenter__()
    owner = site.token("boss", role="owner")
    async with AsyncExitStack() as stack:
        for _ in range(2):
            ana, ben = [await site.sit(stack, name) for name in ("ana", "ben")]
            call = told_call(ana)
            told.append(call["id"])
            cem = await site.ask("POST", "rooms/kitchen/join", site.token("cem"))
            assert told_call(ben) == cem["joined"]["call"] == call
            await site.until_kept(told[::-1], owner)
            shown = await site.ask("GET", f"calls/{call['id']}", owner)
            assert shown["state"] == "active"
            assert rfc3339(datetime.fromisoformat(shown["started_at"])) == call["started_at"]
            if len(told) == 1:
                line = f"{cem['session']}.{cem['secret']}"
                await site.ask("POST", "rooms/kitchen/leave", site.token("cem"), **{"Parley-Session": line})
                await asyncio.gather(ana.leave(), ben.leave())
        await asyncio.to_thread(site.server.stop)
        over = told_call(ana, "call-state-changed")
        types = [type_ for type_, _ in ana.received]
        assert types.index("call-state-changed") < types.index("reconnect")
        assert over == {**call, "state": "ended", "reason": "server_shutdown", "ended_at": over["ended_at"]}
    async with site, AsyncExitStack() as stack:
        told.append(told_call(await site.sit(stack, "ana"))["id"])
    kept = await site.kept()
    check_whole(kept)
    assert [row.id for row in kept.calls] == told
    assert len(set(told)) == 3
    assert [row.end_reason for row in kept.calls] == ["empty", "server_shutdown", "server_shutdown"]
    ended_at = kept.calls[1].ended_at
    assert ended_at is not None
    assert rfc3339(ended_at) == over["ended_at"]


async def test_a_database_that_crashes_in_mid_call_costs_no_audio_and_no_history(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.new_database()
    async with Site(tmp_path, url) as site, AsyncExitStack() as stack:
        people = {name: VoiceClient(site.server.url, name=name, frequency=tone) for name, tone in VOICES.items()}
        for person in people.values():
            await stack.enter_async_context(person)
        ana, ben, cem = people.values()
        await asyncio.gather(ana.heard(700), ben.heard(440), cem.heard(440))
        boss = await site.sit(stack, "boss", role="owner")
        since = time.monotonic()
        await asyncio.to_thread(postgres.stop, "immediate")
        try:
            await site.until_ready(503)
            await cem.leave()
            await boss.request("moderate", action="mute", target=ben.id, reason="an outage is no excuse")
            await boss.request("moderate", action="unmute", target=ben.id)
            with pytest.raises(ServerRefused) as refused:
                await site.sit(stack, "dan")
            assert refused.value.code == "storage_unavailable"
            await asyncio.gather(ana.heard(700), ben.heard(440))
            await eventually(lambda: ("participant.leave", cem.id) in site.spooled(), PATIENCE)
        finally:
            await asyncio.to_thread(postgres.start)
        await site.until_ready(200)
        await eventually(lambda: not site.spool.exists(), PATIENCE)
        assert longest_gap(ben, 440, since) < QUIET
        await site.sit(stack, "dan")
        await ben.leave()
    kept = await site.kept()
    check_whole(kept)
    reasons = {person.name: person.leave_reason for person in kept.people}
    assert reasons == {
        "Ana": "server_shutdown",
        "Ben": "client_initiated",
        "Cem": "client_initiated",
        "boss": "server_shutdown",
        "dan": "server_shutdown",
    }
    assert [(act.action, act.target) for act in kept.acts] == [
        ("participant.mute", kept.people[1].identity),
        ("participant.unmute", kept.people[1].identity),
    ]
    assert not site.spool.with_name("changes.log.refused").exists()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_server_that_is_killed_while_its_database_is_down_loses_a_second_at_most(
    tmp_path: Path, postgres: PostgresServer, seed: int
) -> None:
    random = Random(seed)
    site = Site(tmp_path, postgres.new_database())
    async with AsyncExitStack() as stack:
        await site.__aenter__()
        people = [await site.sit(stack, f"p{number}") for number in range(12)]
        await asyncio.to_thread(postgres.stop, "immediate")
        left_at: dict[str, float] = {}
        spooled_at: dict[str, float] = {}
        for person in people[: random.randrange(4, 10)]:
            await person.leave()
            left_at[person.id] = time.monotonic()
            await eventually(lambda: len(site.spooled()) > 0 and random.random() < 0.3, PATIENCE)
            for kind, who in site.spooled():
                if kind == "participant.leave":
                    spooled_at.setdefault(who, time.monotonic())
        killed_at = time.monotonic()
        site.server.kill()
        await asyncio.to_thread(postgres.start)
    durable = {who for kind, who in site.spooled() if kind == "participant.leave"}
    old = {who for who, at in left_at.items() if at < killed_at - SPOOLED_WITHIN}
    assert old <= durable
    async with site:
        pass
    kept = await site.kept()
    check_whole(kept)
    assert len(kept.people) == len(people)
    reasons = {person.id: person.leave_reason for person in kept.people}
    assert {who for who, reason in reasons.items() if reason == "client_initiated"} == durable
    assert {reason for who, reason in reasons.items() if who not in durable} == {"server_shutdown"}
    assert kept.calls[0].end_reason == "server_lost"


async def test_a_database_that_says_nothing_keeps_nothing_in_memory_alone(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    async with Site(tmp_path, postgres.new_database()) as site, AsyncExitStack() as stack:
        people = [await site.sit(stack, f"p{number}") for number in range(4)]
        postgres.freeze()
        try:
            slowest = 0.0
            for person in people[:3]:
                await person.leave()
                began = time.monotonic()
                await eventually(lambda person=person: ("participant.leave", person.id) in site.spooled(), PATIENCE)
                slowest = max(slowest, time.monotonic() - began)
        finally:
            postgres.thaw()
        await eventually(lambda: not site.spool.exists(), PATIENCE)
    kept = await site.kept()
    check_whole(kept)
    assert len(kept.people) == len(people)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_kill_at_any_moment_leaves_nobody_in_a_call(tmp_path: Path, url: str, seed: int) -> None:
    random = Random(seed)
    site = Site(tmp_path, url)
    await site.__aenter__()
    began = datetime.now(UTC)
    async with AsyncExitStack() as stack:
        joined: dict[str, float] = {}
        left: dict[str, float] = {}
        present: list[VoiceClient] = []
        for number in range(random.randrange(5, 25)):
            if present and random.random() < 0.3:
                one = present.pop(random.randrange(len(present)))
                await one.leave()
                left[one.id] = time.monotonic()
            else:
                one = await site.sit(stack, f"p{number}", f"room{random.randrange(3)}")
                joined[one.id] = time.monotonic()
                present.append(one)
        killed_at = time.monotonic()
        site.server.kill()
    async with site:
        in_between = await site.kept()
        check_whole(in_between)
        ended = datetime.now(UTC)
        people = {person.id: person for person in in_between.people}
        assert {who for who, at in joined.items() if at < killed_at - SPOOLED_WITHIN} <= set(people)
        for who, at in left.items():
            if at < killed_at - SPOOLED_WITHIN:
                assert people[who].leave_reason == "client_initiated"
        assert {person.leave_reason for who, person in people.items() if who not in left} <= {"server_shutdown"}
        for call in in_between.calls:
            assert call.ended_at is not None
            assert began <= call.started_at <= call.ended_at <= ended
            gone = [person for person in in_between.people if person.call_id == call.id]
            everybody_left = all(person.leave_reason == "client_initiated" for person in gone)
            assert call.end_reason == ("empty" if everybody_left else "server_lost")
        async with AsyncExitStack() as stack:
            await site.sit(stack, "somebody", "room0")


async def test_kicks_and_bans_hold_after_a_restart(tmp_path: Path, url: str) -> None:
    site = Site(tmp_path, url)
    async with AsyncExitStack() as stack:
        await site.__aenter__()
        boss = await site.sit(stack, "boss", role="owner")
        ana, ben, cem = [await site.sit(stack, name) for name in ("ana", "ben", "cem")]
        await boss.request("moderate", action="kick", target=ana.id)
        await boss.request("moderate", action="ban", target=ben.id, reason="noise")
        await boss.request("moderate", action="ban", target=cem.id)
        await boss.request("moderate", action="unban", target="cem")
        await eventually(lambda: "participant.unban" in site.server.stdout + site.server.stderr)
    # Whatever way it ends: here it is asked to, in other tests it is killed.
    await asyncio.to_thread(site.server.stop)
    async with site:
        assert ana.token is not None
        assert ben.token is not None
        assert await site.refused(ana.token) == "token_invalid"
        assert await site.refused(ben.token) == "banned"
        assert await site.refused(site.token("ben")) == "banned"
        assert await site.refused(site.token("ana")) == "welcome"
        assert await site.refused(site.token("cem")) == "welcome"
        async with AsyncExitStack() as stack:
            boss = await site.sit(stack, "boss", role="owner")
            await boss.request("moderate", action="unban", target="ben")
    async with site:
        assert await site.refused(site.token("ben")) == "welcome"
    kept = await site.kept()
    assert [(act.action, act.target) for act in kept.acts] == [
        ("participant.kick", "ana"),
        ("participant.ban", "ben"),
        ("participant.ban", "cem"),
        ("participant.unban", "cem"),
        ("participant.unban", "ben"),
    ]
    assert {act.actor for act in kept.acts} == {"boss"}
