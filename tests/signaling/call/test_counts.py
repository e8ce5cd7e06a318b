"""Who is in, as each part of the server has it: the rooms, the sessions, the history in the database.

They never differ, whatever people do and whatever fails meanwhile; and after a crash nobody is in.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from signaling.call import media
from signaling.call.bans import ban, ban_act, lift, lift_act
from signaling.call.joining import Entry
from signaling.call.leaving import empty_room
from signaling.call.moderation import Order, act_in_room
from signaling.call.rooms import RoomPolicy
from signaling.call.state import Records
from signaling.errors import ClientMistake
from signaling.history import writer
from signaling.history.chronicle import KeptChronicle
from signaling.identity.permissions import Asker, Service
from signaling.protocol.session import Session
from signaling.storage import calls, changes
from signaling.storage.database import Database, choose_database
from signaling.storage.room_tables import calls as calls_table
from signaling.storage.room_tables import media_sessions
from signaling.storage.spool import Change
from tests.signaling.conftest import opened
from tests.signaling.fakes import FakeCarrier, FakeMedia, FakeServer
from tests.signaling.serving import made_database

ROOMS = ("lobby", "hall", "attic")
IDENTITIES = tuple(f"p{number}" for number in range(8))
STEPS = 200
FAULTS = 0.3
"""The share of steps in which the media server fails where it is asked for anything."""


class BadDay(FakeMedia):
    """A media server that fails while `failing`: before it has done anything, or after."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.failing = False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("add", "remove", "set_flags", "move") or not self.failing:
            return found

        def fails(*arguments: Any) -> None:
            if self.random.random() < 0.5:
                found(*arguments)
            raise ZeroDivisionError

        return fails


class Day:
    """A server whose history goes into a real database, and people who do anything in it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        limits = {"joins_per_minute": 10_000, "messages_per_second": 10_000, "message_burst": 10_000}
        self.server = FakeServer(**limits, sockets_per_identity=1000, failed_auths_per_minute=10_000)
        self.server.media = self.server.conversation.media = self.media = BadDay(self.random)
        self.batches: list[Sequence[Change]] = []
        self.chronicle = KeptChronicle(self.batches.append, "one", Random(seed).randbytes)
        self.server.conversation.records = Records(chronicle=self.chronicle)
        self.lines: list[FakeCarrier] = []
        self.done: Counter[str] = Counter()
        self.operator = Asker(holder=Service(frozenset({"*"}), None, "abc"), address="192.0.2.9")

    def step(self) -> None:
        often = [self.come] * 6 + [self.go] * 2
        rest = [self.drop, self.resume, self.wait, self.connect, self.moderate, self.move, self.keep_out, self.close]
        act: Callable[[], None] = self.random.choice(often + rest)
        self.media.failing = self.random.random() < FAULTS
        try:
            act()
        except ClientMistake:
            self.done[f"refused {act.__name__}"] += 1
        except ZeroDivisionError:
            self.done["failed"] += 1
        else:
            self.done[act.__name__] += 1
        self.media.failing = False
        for line in [line for line in self.lines if line.closed is not None]:
            self.lines.remove(line)
            self.lose(line)

    def say(self, line: FakeCarrier, kind: str, payload: dict[str, Any]) -> None:
        """As the carrier's root does: what fails ends this line and no other."""
        try:
            self.server.say(line, kind, payload)
        except ZeroDivisionError:
            self.server.conversation.fail(line)
            raise

    def lose(self, line: FakeCarrier) -> None:
        self.server.conversation.lost(line, self.server.now)

    def come(self) -> None:
        room = self.random.choice(ROOMS)
        hidden = self.random.random() < 0.1
        line = self.server.line(self.server.token(self.random.choice(IDENTITIES), room, hidden=hidden))
        self.lines.append(line)
        if line.closed is None:
            self.say(line, "join", {"room": room})

    def go(self) -> None:
        if self.lines:
            self.say(self.random.choice(self.lines), "leave", {})

    def drop(self) -> None:
        if self.lines:
            line = self.random.choice(self.lines)
            self.lines.remove(line)
            self.lose(line)

    def resume(self) -> None:
        away = [session for session in self.server.conversation.sessions.values() if session.state == "away"]
        if away:
            seat = self.random.choice(away)
            line = self.server.line()
            self.lines.append(line)
            self.say(line, "resume", {"session": seat.id, "secret": seat.secret, "seq_ack": 0})

    def wait(self) -> None:
        """As the gateway does."""
        self.server.now += self.random.choice((0.1, 5.0, 61.0))
        for session in self.server.conversation.due(self.server.now):
            try:
                self.server.conversation.expire(session, self.server.now)
            except ZeroDivisionError:
                self._fail(session)
        self.server.conversation.clear_up(self.server.now)

    def _fail(self, session: Session) -> None:
        self.done["failed"] += 1
        if session.carrier is not None:
            self.server.conversation.fail(session.carrier)

    def connect(self) -> None:
        server, now = self.server.conversation, self.server.now
        for who in self.someone():
            media.connection_began(server, who)
            media.connected(server, who, None, now)
            if self.random.random() < 0.5:
                media.gone(server, who, "consent_expired", now)
                media.connection_ended(server, who, "consent_expired", (1, 2))

    def moderate(self) -> None:
        action = self.random.choice(("kick", "mute", "unmute", "deafen", "take_floor", "give_floor"))
        for who in self.someone():
            self.act(who, action)

    def move(self) -> None:
        for who in self.someone():
            self.act(who, "move", room=self.random.choice(ROOMS))

    def act(self, who: str, action: str, **more: Any) -> None:
        server, person = self.server.conversation, self.server.conversation.rooms.participant(who)
        assert person is not None
        found = Entry(asked_at=self.server.now, policy=RoomPolicy(max_participants=3)) if more else None
        order = Order(action=action, target=who, **more)
        act_in_room(server, self.operator, person.room_id, order, self.server.now, found)

    def keep_out(self) -> None:
        identity, room = self.random.choice(IDENTITIES), self.random.choice((*ROOMS, None))
        ban(self.server.conversation, ban_act(self.operator, room, 30), identity, self.server.now)
        if self.random.random() < 0.5:
            lift(self.server.conversation, lift_act(self.operator, room), identity)

    def close(self) -> None:
        empty_room(self.server.conversation, self.random.choice(ROOMS), self.server.now)

    def someone(self) -> list[str]:
        there = [person.id for room in self.server.conversation.rooms for person in room]
        return [self.random.choice(there)] if there else []

    def directory(self) -> dict[str, str]:
        return {person.id: person.room_id for room in self.server.conversation.rooms for person in room}


async def check(day: Day, database: Database) -> None:
    """Write what there is to write; then everybody is where the rooms say, and nowhere else."""
    for batch in day.batches:
        await changes.write(database, batch)
    day.batches.clear()
    talk, there = day.server.conversation, day.directory()
    assert talk.rooms.population == len(there)
    assert {who for who in there if talk.audience.session(who) is not None} == set(there)
    speaking = {one.participant_id for one in talk.sessions.values() if one.participant_id is not None}
    assert speaking == set(there), "a session speaks for each, and for nobody else"
    sizes = Counter(there.values())
    async with database.reading() as connection:
        assert await calls.counts(connection, ROOMS) == {room: sizes[room] for room in ROOMS}
        for room_id in ROOMS:
            kept = await calls.present(connection, room_id)
            live = talk.rooms.find(room_id)
            assert sorted(one.identity for one in kept) == sorted(one.identity for one in live or ())
            call = await calls.current(connection, room_id)
            assert (call and (call.id, call.started_at)) == (live and (live.call.id, live.call.started_at))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_who_is_in_is_the_same_everywhere_whatever_happens(tmp_path: Path, seed: int) -> None:
    day = Day(seed)
    shutil.copyfile(await asyncio.to_thread(made_database), tmp_path / "parley.db")
    async with opened(choose_database("", tmp_path)) as database:
        for _ in range(STEPS):
            day.step()
            await check(day, database)
        assert {"come", "go", "drop", "resume", "wait", "connect", "moderate", "move"} <= day.done.keys()
        assert {"keep_out", "close", "failed"} <= day.done.keys()
        day.media.failing = False
        while not day.directory():
            day.step()
        await check(day, database)
        # The server is killed, and started again.
        async with database.transaction() as connection:
            await writer.end_lost_calls(connection, "one", day.server.utc(), day.random.randbytes)
        async with database.reading() as connection:
            assert await calls.counts(connection, ROOMS) == dict.fromkeys(ROOMS, 0)
            for table, still in ((calls_table, calls_table.c.ended_at), (media_sessions, media_sessions.c.ended_at)):
                query = select(func.count()).select_from(table).where(still.is_(None))
                assert (await connection.execute(query)).scalar_one() == 0
