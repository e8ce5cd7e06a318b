from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from signaling.carriers.gateway import CallSettings, Gateway
from signaling.errors import StorageUnavailable
from signaling.history import room_sweeper
from signaling.history.room_sweeper import RoomSweeper
from signaling.storage import messages, migrate, outbox, rooms
from signaling.storage.database import Database, choose_database
from signaling.storage.messages import Message
from signaling.storage.pages import PageRequest
from signaling.storage.room_record import Room, RoomFields
from tests.signaling.fakes import START, FakeCarrier, FakeServer


@dataclass
class Place:
    """A sweeper over a real database and a server of its own."""

    database: Database
    server: FakeServer = field(default_factory=FakeServer)
    woken: int = 0

    def __post_init__(self) -> None:
        gateway = Gateway(CallSettings(), self.server.tokens)
        gateway.conversation = self.server.conversation
        self.sweeper = RoomSweeper(self.database, gateway, self, self._random, self._wake)
        self._drawn = 0

    def now(self) -> float:
        return self.server.now

    def utc(self) -> Any:
        return self.server.utc()

    def _random(self, size: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(size, "big")

    def _wake(self) -> None:
        self.woken += 1

    async def keep(self, room_id: str, **fields: Any) -> None:
        creation = rooms.Creation("ana", START, bytes, room_id)
        async with self.database.transaction() as connection:
            await rooms.create(connection, RoomFields(name=room_id, **fields), creation)

    async def kept(self, room_id: str) -> Room | None:
        async with self.database.reading() as connection:
            return await rooms.find(connection, room_id)

    async def events(self) -> list[tuple[str, str]]:
        async with self.database.reading() as connection:
            return [(event.event, event.room_id) for event in await outbox.after(connection, 0)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    database = Database(choose_database("", tmp_path))
    await database.open()
    await migrate.upgrade(database)
    yield Place(database)
    await database.close()


async def test_a_temporary_room_goes_when_it_has_been_empty_for_its_time(place: Place) -> None:
    await place.keep("party", is_temporary=True, empty_timeout=60)
    await place.keep("lobby", empty_timeout=0)
    place.server.now += 59
    assert await place.sweeper.sweep() == 0
    place.server.now += 2
    assert await place.sweeper.sweep() == 1
    assert await place.kept("party") is None
    assert await place.kept("lobby") is not None
    assert await place.events() == [("room.deleted", "party")]
    assert place.woken == 1
    assert await place.sweeper.sweep() == 0


async def test_a_room_with_somebody_in_it_stays_also_where_the_database_does_not_know_of_them(place: Place) -> None:
    await place.keep("lobby", is_temporary=True, empty_timeout=0)
    place.server.people("ana")
    place.server.now += 60
    assert await place.sweeper.sweep() == 0
    assert await place.kept("lobby") is not None


async def test_who_comes_in_while_the_room_goes_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.keep("lobby", is_temporary=True, empty_timeout=0)
    place.server.now += 60
    lines: list[FakeCarrier] = []
    remove = rooms.remove

    async def slow(*arguments: Any) -> Room:
        lines.extend(place.server.people("ana"))
        return await remove(*arguments)

    monkeypatch.setattr(rooms, "remove", slow)
    assert await place.sweeper.sweep() == 1
    assert lines[0].closed == "forbidden"
    assert lines[0].take("participant-left")["reason"] == "room_deleted"


async def test_a_room_that_was_changed_meanwhile_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.keep("party", is_temporary=True, empty_timeout=0)
    place.server.now += 60
    abandoned = rooms.abandoned

    async def then_changed(connection: Any, utc: Any) -> list[Room]:
        found = await abandoned(connection, utc)
        async with place.database.transaction() as other:
            await rooms.change(other, "party", {"is_temporary": False}, 1, START + timedelta(seconds=60))
        return found

    monkeypatch.setattr(rooms, "abandoned", then_changed)
    assert await place.sweeper.sweep() == 0
    assert await place.kept("party") is not None


async def test_it_sweeps_again_and_again_and_waits_for_a_database_that_is_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps: list[int] = []

    async def sweep() -> int:
        sweeps.append(len(sweeps))
        if len(sweeps) == 1:
            raise StorageUnavailable("gone")
        if len(sweeps) == 3:
            raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(room_sweeper, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(place.sweeper, "sweep", sweep)
    with pytest.raises(KeyboardInterrupt):
        await place.sweeper.run()
    assert sweeps == [0, 1, 2]


async def test_messages_that_a_room_keeps_no_longer_are_forgotten(place: Place) -> None:
    for room_id, days in (("long", 30), ("short", 1)):
        await place.keep(room_id, settings={"message_history": {"keep": True, "days": days}})
        async with place.database.transaction() as connection:
            for number in range(2):
                said = Message(
                    id=f"{room_id}{number}",
                    room_id=room_id,
                    sender="ana",
                    topic="chat",
                    body="hi",
                    sent_at=START + timedelta(days=number),
                )
                await messages.keep(connection, said)
    place.server.now += 1.5 * 86_400
    assert await place.sweeper.forget_messages() == 1
    assert await place.sweeper.forget_messages() == 0
    async with place.database.reading() as connection:
        left = [await messages.page(connection, room_id, "ana", PageRequest()) for room_id in ("long", "short")]
    assert [[one.id for one in page.items] for page in left] == [["long1", "long0"], ["short1"]]
