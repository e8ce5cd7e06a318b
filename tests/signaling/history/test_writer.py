import asyncio

import pytest

from signaling.clock import Clock
from signaling.errors import Refusal, StorageUnavailable
from signaling.history import events, writer
from signaling.history.writer import HistoryWriter
from signaling.storage import bans, calls, changes, outbox, server_starts
from signaling.storage.bans import WithdrawnToken
from signaling.storage.spool import Spool
from tests.signaling.conftest import opened
from tests.signaling.identity.test_deny_list import ban, claims
from tests.signaling.storage.samples import a_call, a_presence, at, change_of, seeded
from tests.support.house import eventually
from tests.support.patience import PATIENCE


async def torn(connection, room_id, *, told):
    """A call with one person in it, of a server that was killed; `told` says whether events have told of it."""
    call = await calls.start(connection, a_call(room_id))
    person = a_presence(call)
    await calls.join(connection, person)
    if told:
        who = events.person(person.id, person.identity, person.name, person.role, person.joined_at)
        joined = events.participant_joined(room_id, call.id, who, at(0))
        await changes.apply(connection, [events.call_started(room_id, call.id, at(0)), joined])
    return call, person


async def test_what_was_told_to_begin_is_told_to_end(database):
    async with database.transaction() as connection:
        call, person = await torn(connection, "lobby", told=True)
        hidden, _ = await torn(connection, "den", told=False)
        orphans = await writer.end_lost_calls(connection, "one", at(50), seeded(2))
        assert set(orphans.calls) == {call.id, hidden.id}
        found = [(one.event, one.payload) for one in await outbox.after(connection, 2)]
        again = await writer.end_lost_calls(connection, "one", at(60), seeded(3))
        assert (again.calls, len(await outbox.after(connection, 2))) == ((), 2)
    (left, who), (ended, payload) = found
    assert (left, who["participant"]["id"], who["reason"]) == ("participant.left", person.id, "server_shutdown")
    assert (ended, payload["call"], payload["reason"]) == ("call.ended", call.id, "server_lost")


async def test_where_nothing_was_open_nothing_is_told(database):
    async with database.transaction() as connection:
        orphans = await writer.end_lost_calls(connection, "one", at(50), seeded())
        assert (orphans.calls, orphans.participants) == ((), ())
        assert await outbox.after(connection, 0) == []


class Start:
    """One start of a server on this database."""

    def __init__(self, database, folder, seconds=0.0, seed=1, node="one"):
        self.seconds = seconds
        self.database = database
        self.writer = HistoryWriter(database, folder, node, Clock(utc=lambda: at(self.seconds)), seeded(seed))
        self.deny_list = self.writer.deny_list

    async def __aenter__(self):
        await self.writer.open()
        return self

    async def __aexit__(self, *_):
        await self.writer.close(20.0)

    async def last(self):
        async with self.database.reading() as connection:
            return await server_starts.last(connection, "one")


async def test_a_start_shows_life_and_says_when_it_ends(database, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SEEN_SECONDS", 0.001)
    async with Start(database, tmp_path) as start:
        assert (await start.last()).started_at == at(0)
        start.seconds = 40.0
        async with asyncio.timeout(PATIENCE):
            while (await start.last()).seen_at != at(40):
                pass
        assert start.writer.counters()["written"] > 0
        assert start.writer.gauges()["disk_bytes"] == 0
    assert (await start.last()).stopped_at == at(40)


async def test_what_is_put_is_written_by_itself(database, tmp_path):
    async with Start(database, tmp_path) as start:
        call = a_call()
        start.writer.spool.put([change_of("call.start", call)])
        await eventually(lambda: start.writer.counters().get("written"), PATIENCE)
        assert start.writer.gauges()["memory_transactions"] == 0
        async with database.reading() as connection:
            assert await calls.current(connection, "lobby") == call


async def test_a_start_writes_what_the_last_one_left_before_it_ends_its_calls(database, tmp_path):
    async with Start(database, tmp_path):
        pass

    async def away(_):
        raise StorageUnavailable("away")

    left = Spool(tmp_path / "changes.log", away)
    call = a_call(seconds=5)
    person = a_presence(call, seconds=5)
    left.put([change_of("call.start", call), change_of("participant.join", person)])
    await left.close()
    async with Start(database, tmp_path, 50.0, seed=2), database.reading() as connection:
        ended = await calls.find(connection, call.id)
        assert (ended.state, ended.end_reason) == ("ended", "server_lost")
        assert (await calls.find_person(connection, person.id)).leave_reason == "server_shutdown"


async def test_who_is_kept_out_is_so_after_a_restart(database, tmp_path):
    async with Start(database, tmp_path) as first:
        denied = first.deny_list
        denied.withdraw(claims(jti="kicked"), at(0))
        denied.ban(ban(identity="ana", since=at(1), by_role="owner", by="boss", reason="noise"))
        denied.ban(ban(identity="ben", room=None, since=at(2), until=at(9)))
        denied.ban(ban(identity="cem", since=at(3), until=at(500)))
        # A shorter ban in the place of a longer one, and one that is lifted.
        denied.ban(ban(identity="cem", since=at(4), until=at(90)))
        denied.ban(ban(identity="dan", since=at(4)))
        assert denied.unban("dan", "lobby", "boss")
    async with Start(database, tmp_path, 10.0, seed=2) as second:
        denied = second.deny_list
        found = denied.find_ban("ana", "lobby", at(10))
        assert (found.by_role, found.by, found.reason, found.since) == ("owner", "boss", "noise", at(1))
        assert denied.find_ban("ben", None, at(10)) is None
        assert denied.find_ban("cem", "lobby", at(10)).until == at(90)
        assert denied.find_ban("dan", "lobby", at(10)) is None
        assert denied.denial(claims(jti="kicked", sub="eve"), at(10)) == (None,)
        assert denied.denial(claims(jti="other", sub="eve"), at(10)) is None
        assert denied.unban("ana", "lobby", "boss")
    async with Start(database, tmp_path, 20.0, seed=3) as third:
        assert third.deny_list.find_ban("ana", "lobby", at(20)) is None


async def test_who_is_kept_out_by_one_server_is_so_on_every_other_that_shares_the_database(
    database, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "FOLLOW_SECONDS", 0.001)
    (tmp_path / "two").mkdir()
    async with Start(database, tmp_path) as one, Start(database, tmp_path / "two", seed=2, node="two") as two:
        two.deny_list.take_news()
        one.deny_list.ban(ban(identity="ana", since=at(0), reason="noise"))
        await eventually(lambda: two.deny_list.find_ban("ana", "lobby", at(1)), PATIENCE)
        assert two.deny_list.take_news()
        one.deny_list.withdraw(claims(jti="kicked"), at(0))
        await eventually(lambda: two.deny_list.denial(claims(jti="kicked", sub="eve"), at(1)), PATIENCE)
        assert two.deny_list.unban("ana", "lobby", "boss")
        await eventually(lambda: one.deny_list.find_ban("ana", "lobby", at(1)) is None, PATIENCE)


async def test_an_outage_lets_nobody_in_and_what_was_missed_is_read_after_it(database, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "FOLLOW_SECONDS", 0.001)
    looks = 0
    really = writer.bans.tally

    async def away(connection):
        nonlocal looks
        looks += 1
        if looks < 4:
            raise StorageUnavailable("away")
        return await really(connection)

    async with Start(database, tmp_path) as start:
        start.deny_list.ban(ban(identity="ana", since=at(0)))
        monkeypatch.setattr(writer.bans, "tally", away)
        async with database.transaction() as connection:
            kept = writer.bans.Ban(id="x", created_by="y", created_at=at(0), identity="ben")
            await writer.bans.add(connection, kept)
        await eventually(lambda: start.deny_list.find_ban("ben", None, at(1)), PATIENCE)
        assert looks >= 4
        assert start.deny_list.find_ban("ana", "lobby", at(1))


async def test_what_has_expired_is_deleted(database, tmp_path):
    token = WithdrawnToken(token_hash="f" * 64, until=at(60))
    async with Start(database, tmp_path) as start:
        async with database.transaction() as connection:
            await bans.withdraw(connection, token)
        start.seconds = 61.0
        await start.writer.clean()
        async with database.reading() as connection:
            assert [one async for one in bans.withdrawn(connection, at(0))] == []


async def test_a_start_without_its_database_is_refused(ready_settings, tmp_path, monkeypatch):
    async def away(*_):
        raise StorageUnavailable("away")

    async with opened(ready_settings) as database:
        monkeypatch.setattr(writer, "write", away)
        start = Start(database, tmp_path)
        start.writer.spool.put([change_of("call.start", a_call())])
        with pytest.raises(Refusal, match="does not answer"):
            await start.writer.open()
        await start.writer.close(1.0)
        assert start.writer.spool.on_disk


async def test_an_outage_ends_no_sign_of_life(database, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "SEEN_SECONDS", 0.001)
    monkeypatch.setattr(writer, "CLEAN_EVERY", 1)
    tried = 0

    async def away(_self):
        nonlocal tried
        tried += 1
        raise StorageUnavailable("away")

    async with Start(database, tmp_path):
        monkeypatch.setattr(HistoryWriter, "clean", away)
        await eventually(lambda: tried > 2)
