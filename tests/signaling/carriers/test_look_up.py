import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from argon2 import PasswordHasher

from signaling.call.joining import Entry
from signaling.call.rooms import RoomPolicy
from signaling.carriers.look_up import DatabaseLookUp, policy_of
from signaling.clock import SYSTEM_CHANCE
from signaling.errors import StorageUnavailable
from signaling.identity.passwords import Passwords
from signaling.protocol.client_messages import Request
from signaling.storage import invites, migrate, rooms
from signaling.storage.database import Database, choose_database
from signaling.storage.invites import InviteOrder
from signaling.storage.pages import PageRequest
from signaling.storage.room_record import RoomFields
from tests.signaling.fakes import START, FakeCarrier, FakeServer

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As little work as argon2 does: these tests are not about guessing."""


class Door(NamedTuple):
    keeper: DatabaseLookUp
    database: Database
    passwords: Passwords
    server: FakeServer

    async def keep(self, room_id: str, **fields: Any) -> None:
        """A room in the database."""
        creation = rooms.Creation("ana", START, bytes, room_id)
        async with self.database.transaction() as connection:
            await rooms.create(connection, RoomFields(name="Den", **fields), creation)

    async def prepare(self, line: FakeCarrier, kind: str, **payload: Any) -> Request:
        text = orjson.dumps({"type": kind, "id": 1, "payload": payload}).decode()
        request = self.server.conversation.read(line, text, self.server.now)
        assert request is not None
        assert line.session is not None
        return await self.keeper.prepare(self.server.conversation, line.session, request)

    async def entry(self, line: FakeCarrier, room: str = "lobby", **payload: Any) -> Entry:
        found = (await self.prepare(line, "join", room=room, **payload)).found
        assert isinstance(found, Entry)
        return found


class HouseClock:
    def __init__(self, server: FakeServer) -> None:
        self.utc = server.utc
        self._house = server

    def now(self) -> float:
        return self._house.now


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    server = FakeServer()
    database = Database(choose_database("", tmp_path))
    await database.open()
    await migrate.upgrade(database)
    passwords = Passwords(FAST)
    yield Door(DatabaseLookUp(database, passwords, clock=HouseClock(server)), database, passwords, server)
    passwords.close()
    await database.close()


async def test_a_room_that_nobody_keeps_has_no_rules(door: Door) -> None:
    line = door.server.line(door.server.token("ana"))
    assert await door.entry(line) == Entry(asked_at=door.server.now)


async def test_the_rules_of_a_kept_room_are_found(door: Door) -> None:
    same: dict[str, Any] = {
        "room_type": "raid",
        "owner": "ana",
        "guild_id": "wolves",
        "max_participants": 7,
        "duplicate_identity": "reject_new",
        "is_private": True,
        "is_moderated": True,
        "quality_preset": "music",
        "scheduled_end": START + timedelta(days=1),
    }
    history = {"message_history": {"keep": True, "days": 5}}
    await door.keep("lobby", **same, password_hash="$argon2id$", settings=history)
    entry = await door.entry(door.server.line(door.server.token("ben")))
    assert entry.policy == RoomPolicy(version=1, **same, has_password=True, message_days=5)
    assert entry.refusal is None


async def test_what_a_room_leaves_to_the_server_is_the_servers(door: Door) -> None:
    await door.keep("lobby")
    async with door.database.reading() as connection:
        room = await rooms.get(connection, "lobby")
    assert policy_of(room, RoomPolicy(duplicate_identity="reject_new")).duplicate_identity == "reject_new"


async def test_the_password_opens_and_a_wrong_one_does_not(door: Door) -> None:
    await door.keep("lobby", password_hash=await door.passwords.hash("sesame"))
    right, wrong, none = (door.server.line(door.server.token(name)) for name in ("ana", "ben", "cleo"))
    entry = await door.entry(right, password="sesame")
    assert (entry.password, entry.refusal) == (True, None)
    refused = await door.entry(wrong, password="simsim")
    assert refused.refusal is not None
    assert refused.refusal.code == "password_wrong"
    entry = await door.entry(none)
    assert (entry.password, entry.refusal) == (False, None)


async def test_who_guesses_passwords_has_to_wait_and_costs_nothing_then(door: Door) -> None:
    """Failed passwords count with failed authentications, for each address."""
    await door.keep("lobby", password_hash=await door.passwords.hash("sesame"))
    codes = []
    for line in [door.server.line(door.server.token(f"guest-{number}")) for number in range(12)]:
        refusal = (await door.entry(line, password="simsim")).refusal
        codes.append(refusal and refusal.code)
    assert codes == ["password_wrong"] * 10 + ["rate_limited"] * 2
    assert door.server.line(door.server.token("ana")).closed == "rate_limited"
    elsewhere = FakeCarrier("192.0.2.77")
    door.server.conversation.open(elsewhere, door.server.now, door.server.token("zoe"))
    assert (await door.entry(elsewhere, password="sesame")).password


async def test_passwords_that_are_tried_at_once_are_no_more_guesses_than_one_by_one(door: Door) -> None:
    """Not even the right one is answered, once too many were wrong while it was looked at."""
    await door.keep("lobby", password_hash="whatever")
    lines = [door.server.line(door.server.token(f"guest-{number}")) for number in range(30)]
    all_looked_at, all_told = asyncio.Barrier(len(lines)), asyncio.Event()

    async def verify(password: str, _kept: str) -> bool:
        await all_looked_at.wait()
        if password == "sesame":
            await all_told.wait()
        return password == "sesame"

    door.passwords.verify = verify  # type: ignore[method-assign]
    right = asyncio.create_task(door.entry(lines[0], password="sesame"))
    wrong = await asyncio.gather(*(door.entry(line, password="simsim") for line in lines[1:]))
    all_told.set()
    codes = Counter(entry.refusal and entry.refusal.code for entry in (*wrong, await right))
    assert codes == {"password_wrong": 10, "rate_limited": 20}
    assert (await right).password is False


async def test_who_may_not_come_at_all_costs_no_look_up(door: Door) -> None:
    line = door.server.line(door.server.token("ana", "hall"))
    door.server.now += 1
    await door.database.close()
    entry = await door.entry(line)
    assert entry.refusal is not None
    assert entry.refusal.code == "forbidden"


async def test_a_database_that_is_away_is_said_so(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StorageUnavailable("gone")

    monkeypatch.setattr(door.database, "reading", away)
    line = door.server.line(door.server.token("ana"))
    line.take()
    request = await door.prepare(line, "join", room="lobby")
    door.server.conversation.act(line, request, door.server.now)
    assert line.take("error")["code"] == "storage_unavailable"
    assert line.closed is None


async def test_a_join_counts_once_for_its_limit(door: Door) -> None:
    codes = []
    for _ in range(12):
        line = door.server.line(door.server.token("ana"))
        line.take()
        request = await door.prepare(line, "join", room="lobby")
        door.server.conversation.act(line, request, door.server.now)
        codes += [
            frame["payload"].get("code", "joined") for frame in line.take() if frame["type"] in ("error", "joined")
        ]
        door.server.conversation.lost(line, door.server.now)
    assert codes == ["joined"] * 10 + ["rate_limited"] * 2


@pytest.mark.parametrize(("kind", "payload"), [("ping", {}), ("join", {"room": "lobby"}), ("auth", {"token": "x.y.z"})])
async def test_nothing_is_looked_up_for_what_will_be_refused_anyway(
    door: Door, kind: str, payload: dict[str, Any]
) -> None:
    """Out of its state, or no message that needs it."""
    (ana,) = door.server.people("ana")
    assert (await door.prepare(ana, kind, **payload)).found is None


async def test_the_key_of_a_token_is_had_at_hand(door: Door) -> None:
    asked: list[str] = []

    class Keys:
        async def prepare(self, token: str) -> None:
            asked.append(token)

    keeper = DatabaseLookUp(door.database, door.passwords, Keys())  # type: ignore[arg-type]
    line = door.server.line()
    assert line.session is not None
    request = door.server.conversation.read(line, '{"type": "auth", "payload": {"token": "a.b.c"}}', door.server.now)
    assert request is not None
    assert await keeper.prepare(door.server.conversation, line.session, request) is request
    await keeper.token("d.e.f")
    assert asked == ["a.b.c", "d.e.f"]
    await door.keeper.token("d.e.f")


async def test_a_scheduled_end_is_found(door: Door) -> None:
    await door.keep("lobby", scheduled_end=START + timedelta(hours=1))
    entry = await door.entry(door.server.line(door.server.token("ana")))
    assert entry.policy is not None
    assert not entry.policy.has_ended(START)


async def invited(door: Door, room_id: str = "lobby", **order: Any) -> str:
    """The token of an invite into a room that is kept."""
    chosen = InviteOrder(room_id=room_id, created_by="ana", **order)
    async with door.database.transaction() as connection:
        return (await invites.create(connection, chosen, START, SYSTEM_CHANCE))[1]


async def uses(door: Door, room_id: str = "lobby") -> int:
    async with door.database.reading() as connection:
        return (await invites.page(connection, room_id, PageRequest())).items[0].uses


async def test_an_invite_gives_its_role_and_is_counted_once_for_each_identity(door: Door) -> None:
    await door.keep("lobby", is_private=True)
    token = await invited(door, role="moderator", max_uses=2)
    for _ in range(2):
        entry = await door.entry(door.server.line(door.server.token("ben")), invite=token)
        assert (entry.invited_as, entry.refusal) == ("moderator", None)
    assert await uses(door) == 1
    assert (await door.entry(door.server.line(door.server.token("cem")))).invited_as is None


@pytest.mark.parametrize("room", ["hall", "nobody-keeps-it"])
async def test_an_invite_of_another_room_opens_nothing_and_stays_unused(door: Door, room: str) -> None:
    await door.keep("lobby")
    await door.keep("hall")
    token = await invited(door)
    entry = await door.entry(door.server.line(door.server.token("ben", room)), room, invite=token)
    assert entry.refusal is not None
    assert entry.refusal.code == "invite_invalid"
    assert await uses(door) == 0


async def test_who_guesses_invites_has_to_wait_as_for_passwords(door: Door) -> None:
    await door.keep("lobby", password_hash=await door.passwords.hash("sesame"))
    token = await invited(door)
    lines = [door.server.line(door.server.token(f"guest-{number}")) for number in range(13)]
    tries = (
        [{"invite": "guess"}] * 5 + [{"password": "simsim"}] * 5 + [{"invite": token}] * 2 + [{"password": "sesame"}]
    )
    refusals = [(await door.entry(line, **shown)).refusal for line, shown in zip(lines, tries, strict=True)]
    assert [one and one.code for one in refusals] == (
        ["invite_invalid"] * 5 + ["password_wrong"] * 5 + ["rate_limited"] * 3
    )
    assert await uses(door) == 0
