"""A machine whose clock is set while people talk: an hour forward, an hour back. Time limits are monotonic."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import pytest

from signaling.cli.token import TokenOrder, make_token
from signaling.settings.settings import Settings
from tests.support.client import ROOM, VoiceClient
from tests.support.server import ServerProcess
from tests.support.wall_clock import WallClock

HOUR = 3600
STEPS = (HOUR, 0, -HOUR, 0)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def server(tmp_path: Path, clock: WallClock) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, settings=clock.settings) as running:
        yield running


def token(server: ServerProcess, identity: str, **more: str) -> str:
    """A token by the clock of the test, which nobody steps."""
    settings = Settings(dev=True, data_dir=Path(server.settings["PARLEY_DATA_DIR"]))
    order = TokenOrder(ROOM, identity, identity, **more)
    return str(make_token(settings, order, datetime.now(UTC))["token"])


def client(server: ServerProcess, name: str, frequency: float, **more: str) -> VoiceClient:
    made = VoiceClient(server.url, name=name, frequency=frequency)
    made.token = token(server, name, **more)
    return made


async def step(clock: WallClock, seconds: int, server: ServerProcess) -> None:
    """Step the server's clock, and wait until the dates of its answers (RFC 9110 section 6.6.1) say so."""
    clock.step(seconds)
    async with aiohttp.ClientSession() as http:
        off = timedelta.max
        while abs(off) > timedelta(seconds=10):
            async with http.get(f"{server.url}/live") as answer:
                said = parsedate_to_datetime(answer.headers["Date"])
            off = said - datetime.now(UTC) - timedelta(seconds=seconds)


async def stepped(clock: WallClock, seconds: int, witness: VoiceClient, server: ServerProcess) -> None:
    """Step the server's clock, and see that what it says of the time in messages has changed too."""
    await step(clock, seconds, server)
    said = (await witness.request("message", topic="chat", body="what time is it?"))["sent_at"]
    off = datetime.fromisoformat(said) - datetime.now(UTC) - timedelta(seconds=seconds)
    assert abs(off) < timedelta(minutes=1), off


def gone(*people: VoiceClient) -> list[str]:
    return [
        type_ for one in people for type_, _ in one.received if type_ in ("participant-left", "endpoint-gone", "error")
    ]


async def test_a_call_goes_on_while_the_clock_is_stepped(server: ServerProcess, clock: WallClock) -> None:
    async with client(server, "Ana", 440) as ana, client(server, "Ben", 700) as ben:
        await asyncio.gather(ana.heard(700), ben.heard(440))
        for seconds in STEPS:
            await stepped(clock, seconds, ana, server)
            # Time limits are looked at twice a second; each of these takes at least a fifth of one.
            for _ in range(6):
                await asyncio.gather(ana.heard(700), ben.heard(440))
        assert gone(ana, ben) == []
        assert all({one["state"] for one in side.participants().values()} == {"active"} for side in (ana, ben))
        assert set(ana.participants()) == set(ben.participants()) == {"Ana", "Ben"}
        await asyncio.gather(ana.silent(440), ben.silent(700))


@asynccontextmanager
async def newcomer(server: ServerProcess, bearer: str) -> AsyncIterator[VoiceClient]:
    """Somebody who comes in with this token."""
    made = VoiceClient(server.url, name="newcomer")
    made.token = bearer
    async with made:
        yield made


async def refusal(server: ServerProcess, bearer: str) -> str:
    """The code with which the server refuses a token."""
    offered = ("parley.v1", f"parley.token.{bearer}")
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/ws", protocols=offered) as socket:
        told = await socket.receive_json()
        return str(told["payload"].get("code", told["type"]))


async def test_tokens_are_judged_by_the_wall_clock_with_little_leeway(server: ServerProcess, clock: WallClock) -> None:
    bearer = token(server, "Ana", ttl="10m")
    for seconds, expected in (
        (0, "welcome"),
        (-5, "welcome"),
        (-65, "token_invalid"),
        (-HOUR, "token_invalid"),
        (500, "welcome"),
        (665, "token_expired"),
        (HOUR, "token_expired"),
        (0, "welcome"),
    ):
        await step(clock, seconds, server)
        assert await refusal(server, bearer) == expected, seconds


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_a_token_is_refreshed_in_time_and_good_by_the_new_clock(
    server: ServerProcess, clock: WallClock, seconds: int
) -> None:
    async with client(server, "Ben", 700) as ben, client(server, "Ana", 440, ttl="12s") as ana:
        await stepped(clock, seconds, ana, server)
        assert "token" not in {type_ for type_, _ in ana.received}, "the fresh one is to be made by the new clock"
        await ana.until(lambda: [one for one in ana.received if one[0] == "token"], "a fresh token")
        fresh = [payload["token"] for type_, payload in ana.received if type_ == "token"]
        assert len(fresh) == 1
        assert ana.token is not None
        assert await refusal(server, ana.token) in ("token_expired", "token_invalid")
        await asyncio.gather(ana.heard(700), ben.heard(440))
        assert gone(ana, ben) == []
        # It brings the same person in anew; the older self makes way.
        async with newcomer(server, fresh[0]) as again:
            await again.heard(700)
            assert "Ana" in {one["identity"] for one in again.participants().values()}


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_a_mute_for_a_time_ends_when_that_has_passed_whatever_the_clock_says(
    server: ServerProcess, clock: WallClock, seconds: int
) -> None:
    async with client(server, "Ana", 440, role="moderator") as ana, client(server, "Ben", 700) as ben:
        await ana.heard(700)
        await ana.request("moderate", action="mute", target=ben.id, duration=4)
        await stepped(clock, seconds, ana, server)
        await ana.silent(700)
        assert ana.participants()["Ben"]["mute"]
        await ana.until(lambda: not ana.participants()["Ben"]["mute"], "Ben is unmuted")
        await ana.heard(700)
        assert [payload["action"] for type_, payload in ben.received if type_ == "moderated"] == ["mute", "unmute"]


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_a_session_resumes_after_a_step(server: ServerProcess, clock: WallClock, seconds: int) -> None:
    async with client(server, "Ana", 440) as ana, client(server, "Ben", 700) as ben:
        welcome = next(payload for type_, payload in ana.received if type_ == "welcome")
        await stepped(clock, seconds, ben, server)
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{server.url}/ws", protocols=("parley.v1",), origin=server.url) as socket,
        ):
            known = {"session": welcome["session"], "secret": welcome["secret"], "seq_ack": 0}
            await socket.send_json({"type": "resume", "id": 1, "payload": known})
            told = await socket.receive_json()
            while told["type"] != "welcome":
                told = await socket.receive_json()
            assert told["payload"]["resumed"]
            await ben.heard(440)
            assert gone(ben) == []
