"""How far a request travels through the code: a mute over REST and a join over the WebSocket, each one warm.

`sys.setprofile` notes each call of a function of ours in the task that handles the request: middlewares, handler,
media server. Returns are not counted, nor is a coroutine that goes on after an `await`. The tasks that write the
history and send frames are not followed. A request that finds the writer of the history idle wakes it, so the least
of some requests counts. Two figures are bounded:

- the distinct modules of signaling, sfu and quality that are entered;
- the changes of package from one call to the next, where sfu and each folder of signaling is a package. The modules in
  no folder (`clock`, `ids`, `limits`, `errors`) are the vocabulary of all packages: a call of one changes none.
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from aiohttp import web

from signaling import app as application
from signaling.app import build_app
from signaling.http.app_keys import GATEWAY, TOKENS
from signaling.identity.grants import Grants
from signaling.limits import JoinGate
from signaling.settings.settings import Settings
from tests.signaling import serving
from tests.signaling.http.callers import enter, person
from tests.signaling.serving import Served, served

ROOT = Path(application.__file__).parent.parent
OURS = ("signaling/", "sfu/", "quality/")
MUTE = (45, 30)
JOIN = (47, 31)
"""The most modules and changes of package. To wake an idle writer of the history is one of each."""


class Way:
    """The calls of one request, in order: (task, module, function)."""

    def __init__(self) -> None:
        self.calls: list[tuple[asyncio.Task[object] | None, str, str]] = []
        self._seen: dict[int, FrameType] = {}

    def note(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or id(frame) in self._seen:
            return
        path = Path(frame.f_code.co_filename)
        if not path.is_relative_to(ROOT):
            return
        module = path.relative_to(ROOT).as_posix()
        if module.startswith(OURS):
            self._seen[id(frame)] = frame
            try:
                task = asyncio.current_task()
            except RuntimeError:
                task = None
            self.calls.append((task, module, frame.f_code.co_qualname))

    def figures(self, handler: str) -> tuple[int, int]:
        """Modules and changes of package in the task that calls `handler`."""
        (task,) = {task for task, module, function in self.calls if f"{module}:{function}" == handler}
        modules = [module for one, module, _ in self.calls if one is task]
        packages = [module.rpartition("/")[0] for module in modules]
        packages = [package for package in packages if package != "signaling"]
        changes = sum(one != other for one, other in itertools.pairwise(packages))
        return len(set(modules)), changes


@contextmanager
def followed() -> Iterator[Way]:
    way, before = Way(), sys.getprofile()
    sys.setprofile(way.note)
    try:
        yield way
    finally:
        sys.setprofile(before)
        way._seen.clear()


@asynccontextmanager
async def with_media(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A server with the real media server, which sheds no joins on a slow machine."""

    def build(settings: Settings, **options: Any) -> web.Application:
        del options["make_media"]
        return build_app(settings, **options)

    monkeypatch.setattr(serving, "build_app", build)
    async with served(folder, media_port=0, media_bind="127.0.0.1") as server:
        server.app[GATEWAY].conversation.join_gate = JoinGate(float("inf"))
        yield server


async def join(server: Served, identity: str) -> Way:
    """Open a WebSocket and join; the calls of the join alone."""
    token = server.app[TOKENS].issue(identity, grants=Grants(room="den", room_join=True), utc=datetime.now(UTC))
    protocols = ("parley.v1", f"parley.token.{token}")
    async with server.session.ws_connect(f"http://{server.host}/ws", protocols=protocols) as socket:
        assert (await socket.receive_json())["type"] == "welcome"
        with followed() as way:
            await socket.send_json({"type": "join", "payload": {"room": "den"}})
            assert (await socket.receive_json())["type"] == "joined"
    return way


def bound(what: str, figures: tuple[int, int], most: tuple[int, int]) -> None:
    print(f"{what}: {figures[0]} modules, {figures[1]} changes of package")
    assert figures[0] <= most[0]
    assert figures[1] <= most[1]


async def test_a_mute_over_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with with_media(tmp_path, monkeypatch) as server:
        enter(server, "ben")
        ana = person(server, "ana", role="moderator", room="den")
        figures = []
        for _ in range(5):
            for action in ("unmute", "mute"):
                order = {"action": action, "identity": "ben"}
                with followed() as way:
                    status = await ana.status("POST", "/api/v1/rooms/den/moderation", order)
                assert status == 200
            figures.append(way.figures("signaling/api/moderation.py:moderate"))
        bound("a mute over REST", min(figures[1:]), MUTE)


async def test_a_join_over_the_websocket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with with_media(tmp_path, monkeypatch) as server:
        enter(server, "ben")
        figures = [
            (await join(server, identity)).figures("signaling/call/joining.py:join")
            for identity in ("ana", "cat", "dan", "eve")
        ]
        bound("a join over the WebSocket", min(figures[1:]), JOIN)
