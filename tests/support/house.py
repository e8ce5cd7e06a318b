"""A real media server on loopback with recorded observations, and the peers that join it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from bench.peer import Habits, Peer
from bench.peer_sdp import Shape
from sfu.observer import SlotAssignment, Speaker
from sfu.offer import CandidateType
from sfu.selection import MuteFlags
from sfu.server import MediaServer
from sfu.settings import MediaSettings
from tests.support.patience import PATIENCE

LOOK_EVERY = 0.002


async def eventually(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until `happened` says so, where nothing announces it; TimeoutError when it does not."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def look() -> None:
        nonlocal timer
        if happened():
            future.set_result(None)
        else:
            timer = loop.call_later(LOOK_EVERY, look)

    timer: asyncio.Handle = loop.call_soon(look)
    try:
        async with asyncio.timeout(seconds):
            await future
    finally:
        timer.cancel()


class SkippingClock:
    """Real monotonic time, plus what was skipped."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped

    def skip(self, seconds: float) -> None:
        self.skipped += seconds


class Recorder:
    """Remembers what the media server tells, as tuples that begin with the method's name."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.connections: list[tuple[str, str, tuple[int, int]]] = []
        self.candidate_types: dict[str, CandidateType | None] = {}
        self.slots: dict[str, dict[str, str | None]] = {}
        self.speaking: list[str] = []

    def media_connected(self, participant_id: str, candidate_type: CandidateType | None) -> None:
        self.candidate_types[participant_id] = candidate_type
        self.told.append(("media_connected", participant_id))

    def media_gone(self, participant_id: str, reason: str) -> None:
        self.told.append(("media_gone", participant_id, reason))

    def connection_began(self, participant_id: str) -> None:
        self.connections.append((participant_id, "began", (0, 0)))

    def connection_ended(self, participant_id: str, reason: str, sent_received: tuple[int, int]) -> None:
        self.connections.append((participant_id, reason, sent_received))

    def media_arriving(self, participant_id: str, arriving: bool) -> None:
        self.told.append(("media_arriving", participant_id, arriving))

    def slots_changed(self, participant_id: str, slots: Sequence[SlotAssignment]) -> None:
        self.slots[participant_id] = {slot.mid: slot.participant for slot in slots}

    def speakers_changed(self, room_id: str, speakers: Sequence[Speaker]) -> None:
        self.speaking = [speaker.participant for speaker in speakers]

    def tone(self, participant_id: str, tone: str, duration: float) -> None:
        self.told.append(("tone", participant_id, tone, round(duration, 3)))

    def flooding(self, participant_id: str) -> None:
        self.told.append(("flooding", participant_id))


class MediaHouse:
    """The server, what it told, and everybody who has joined."""

    def __init__(self, bind: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.observer = Recorder()
        self.clock = SkippingClock()
        self.server = MediaServer(MediaSettings(port=0, bind=bind), self.observer, self.clock)
        self.peers: list[Peer] = []

    def signal(self, name: str) -> Callable[[str], str]:
        return partial(self.server.connections.answer, name)

    def peer(self, shape: Shape | None = None, habits: Habits | None = None) -> Peer:
        """A peer that has not joined."""
        peer = Peer(shape, habits)
        self.peers.append(peer)
        return peer

    async def join(
        self, name: str, shape: Shape | None = None, habits: Habits | None = None, *, room: str = "hall"
    ) -> Peer:
        """A peer that is connected."""
        peer = self.peer(shape, habits)
        self.server.participants.add(room, name, MuteFlags())
        await peer.connect(self.signal(name))
        await self.told("media_connected", name)
        return peer

    async def told(self, *event: object) -> None:
        """Wait until the observer was told this."""
        await eventually(lambda: event in self.observer.told)

    async def counted(self, name: str, least: int = 1) -> None:
        """Wait until the server has counted so many."""
        await eventually(lambda: self.count(name) >= least)

    def count(self, name: str) -> int:
        return self.server.observation.counters().get(name, 0)


@asynccontextmanager
async def media_house(bind: tuple[str, ...] = ("127.0.0.1",)) -> AsyncIterator[MediaHouse]:
    """A running house, closed at the end with everybody in it."""
    house = MediaHouse(bind)
    await house.server.start()
    try:
        yield house
    finally:
        for peer in house.peers:
            peer.close()
        await house.server.close()


def words(name: str, count: int = 30) -> list[bytes]:
    """Numbered payloads of the sizes that Opus has, no two alike."""
    chance = random.Random(name)
    return [f"{name}-{number}-".encode() + chance.randbytes(chance.randint(1, 160)) for number in range(count)]


async def joined(house: MediaHouse, *names: str, **options: Any) -> list[Peer]:
    """One connected peer for each name."""
    return [await house.join(name, **options) for name in names]


def hear_from(peer: Peer, mid: str) -> list[bytes]:
    """The payloads that a peer heard on one m-line, in order of arrival."""
    return [heard.payload for heard in peer.heard[mid]]


def slot_of(house: MediaHouse, listener: str, speaker: str) -> str:
    """The mid of the slot in which a listener has a speaker."""
    return next(mid for mid, who in house.observer.slots[listener].items() if who == speaker)


async def talk(speaker: Peer, listener: Peer, mid: str, words: Sequence[bytes]) -> None:
    """Say `words` one packet each; back when the listener has heard the last one on `mid`."""
    for word in words:
        speaker.send(word)
    await listener.until(lambda: hear_from(listener, mid)[-1:] == [words[-1]])
