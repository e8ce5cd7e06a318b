"""A real HTTP server on a free loopback port, with the real application and a media server that only remembers."""

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sfu.probe import Reading
from signaling.app import build_app, make_runner
from signaling.cli import database
from signaling.clock import SYSTEM_CLOCK, Clock
from signaling.settings.settings import Settings

STANDING_CLOCK = Clock(now=lambda: 0.0)
"""No time limit passes and no bucket fills, however long the requests of a test take."""

SECRET = "Zk3-9vQ_8sLw2Xy7Rt5Bn1Mc4Hd6Gf0Pa"


class RememberingMedia:
    """Stands in for the media server; `lag` and `addresses` can be set."""

    port = 7882

    def __init__(self) -> None:
        self.lag = 0.0
        self.addresses: tuple[str, ...] = ()
        self.advertised: tuple[str, ...] = ()
        self.started = 0
        self.closed = 0
        self.fails: Exception | None = None
        self.told = asyncio.Event()
        self.readings: list[Reading] = []
        self.participants = self.connections = self.observation = self

    async def start(self) -> None:
        if self.fails:
            raise self.fails
        self.started += 1
        self.addresses = self.advertised = ("127.0.0.1", "::1")

    async def close(self) -> None:
        self.closed += 1

    def set_advertised(self, addresses: Sequence[str]) -> None:
        self.advertised = tuple(addresses)
        self.told.set()

    def counters(self) -> dict[str, int]:
        return {"packets_in": 3, "packets_out": 4, "octets_in": 300, "dropped_replay": 2, "packets_out_failed": 1}

    def live(self, room_id: str) -> list[Reading]:
        return self.readings

    def gauges(self) -> dict[str, float]:
        return {"loop_lag_seconds": self.lag, "rooms": 1.0}

    def add(self, room_id: str, participant_id: str, flags: object) -> None: ...

    def remove(self, participant_id: str) -> None: ...

    def move(self, participant_id: str, room_id: str, flags: object) -> None: ...

    def set_flags(self, participant_id: str, flags: object) -> None: ...

    def press_keys(self, participant_id: str, keys: object) -> bool:
        return True

    def answer(self, participant_id: str, offer_sdp: str, opus: object = None) -> str:
        return offer_sdp

    def add_candidate(self, participant_id: str, candidate: str) -> None: ...


class Served:
    """What a test asks of the running server."""

    def __init__(
        self, app: web.Application, media: RememberingMedia, port: int, session: aiohttp.ClientSession
    ) -> None:
        self.app = app
        self.media = media
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.session = session

    async def ask(self, path: str, method: str = "GET", **options: Any) -> tuple[aiohttp.ClientResponse, bytes]:
        async with self.session.request(method, f"http://{self.host}{path}", **options) as response:
            return response, await response.read()


def settings_for(folder: Path, **changes: Any) -> Settings:
    return Settings(**{"host": "127.0.0.1", "port": 0, "jwt_secret": SECRET, "data_dir": folder, **changes})


@cache
def made_database() -> Path:
    """A database with all tables, to be copied: making one takes longer than most tests."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    database.upgrade(settings_for(folder))
    return folder / "parley.db"


@asynccontextmanager
async def served(folder: Path, *, clock: Clock = SYSTEM_CLOCK, **changes: Any) -> AsyncIterator[Served]:
    """The real application at a free port, over a database with all tables and nothing in them."""
    if not (folder / "parley.db").exists():
        shutil.copyfile(await asyncio.to_thread(made_database), folder / "parley.db")
    media = RememberingMedia()
    app = build_app(settings_for(folder, **changes), make_media=lambda _settings, _observer: media, clock=clock)
    runner = make_runner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Served(app, media, runner.addresses[0][1], session)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(app: web.Application) -> AsyncIterator[int]:
    """Another server on loopback; the port that it has."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
