import asyncio
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from signaling.carriers import gateway as module
from signaling.carriers.gateway import CallSettings, Gateway, peer_address
from signaling.clock import Clock
from signaling.errors import ClientMistake
from signaling.identity.tokens import Tokens
from tests.signaling.fakes import SECRET, FakeCarrier, FakeMedia, FakeServer, pid
from tests.support.patience import PATIENCE


async def test_before_the_start_closing_is_quick() -> None:
    gateway = Gateway(CallSettings(), Tokens(SECRET))
    await gateway.close()
    with pytest.raises(ClientMistake) as caught:
        await gateway.handle(make_mocked_request("GET", "/ws"))
    assert caught.value.code == "server_shutdown"


async def test_the_observer_speaks_to_the_conversation_once_there_is_one() -> None:
    gateway = Gateway(CallSettings(), Tokens(SECRET))
    gateway.observer.media_connected("before the start", None)
    server = FakeServer()
    (ana,) = server.people("ana")
    gateway.conversation = server.conversation
    gateway.observer.media_arriving(pid(ana), True)
    assert ana.types == ["media"]


async def test_one_session_that_fails_at_its_time_does_not_keep_the_others_from_theirs() -> None:
    server = FakeServer()
    first, second = server.line(), server.line()
    away = server.enter("cat")
    server.conversation.lost(away, server.now)
    gateway = Gateway(CallSettings(), Tokens(SECRET))
    gateway.conversation = server.conversation
    right = server.conversation.expire
    failing = [first.session, next(s for s in server.conversation.sessions.values() if s.state == "away")]
    server.conversation.expire = Mock(side_effect=lambda s, now: right(s, now) if s not in failing else 1 / 0)  # type: ignore[method-assign]
    gateway.advance(server.now + 100)
    assert (first.closed, second.closed) == ("internal", "unauthenticated")


async def test_time_is_kept_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.0)
    looked = asyncio.Event()

    def now() -> float:
        looked.set()
        return 0.0

    gateway = Gateway(CallSettings(), Tokens(SECRET), clock=Clock(now=now))
    gateway.start(FakeMedia())
    line = FakeCarrier()
    closed = asyncio.Event()
    line.close = lambda code: closed.set() if code == "unauthenticated" else None  # type: ignore[method-assign]
    gateway.conversation.open(line, -10.0)
    async with asyncio.timeout(PATIENCE):
        await looked.wait()
        await closed.wait()
    await gateway.close()


async def test_what_fails_once_does_not_stop_the_clock_for_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.0)
    gateway = Gateway(CallSettings(), Tokens(SECRET), clock=Clock(now=lambda: 0.0))
    ticks: list[float] = []
    twice = asyncio.Event()

    def advance(now: float) -> None:
        ticks.append(now)
        if len(ticks) == 1:
            raise ZeroDivisionError
        twice.set()

    monkeypatch.setattr(gateway, "advance", advance)
    with capture_logs() as logs:
        gateway.start(FakeMedia())
        await asyncio.wait_for(twice.wait(), PATIENCE)
        await gateway.close()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["time_limits_failed"]


def test_the_peer_address_is_the_sockets() -> None:
    assert peer_address(make_mocked_request("GET", "/", headers={"X-Forwarded-For": "203.0.113.9"})) != "203.0.113.9"
