import asyncio

from sqlalchemy import update

from signaling.storage import calls, media_sessions, server_starts
from signaling.storage.calls import Orphans, PeopleFilter
from signaling.storage.media_sessions import MediaSession
from signaling.storage.pages import PageRequest
from signaling.storage.room_tables import rooms
from signaling.storage.server_starts import ServerStart
from tests.signaling.storage.samples import a_call, a_presence, a_room, at, new_id


async def test_a_call_from_its_first_person_to_its_last(database):
    async with database.transaction() as connection:
        assert await calls.current(connection, "lobby") is None
        call = await calls.start(connection, a_call())
        ana, ben = a_presence(call, "ana", 1), a_presence(call, "ben", 2, role="owner")
        for person in (ben, ana):
            assert await calls.join(connection, person)
        assert await calls.current(connection, "lobby") == call
        assert await calls.present(connection, "lobby") == [ana, ben]
        assert await calls.counts(connection, ["lobby", "hall"]) == {"lobby": 2, "hall": 0}
        assert await calls.leave(connection, ana.id, "client_initiated", at(3))
        assert await calls.present(connection, "lobby") == [ben]
        assert await calls.leave(connection, ben.id, "banned", at(4))
        assert await calls.end(connection, call.id, "empty", at(4))
        assert await calls.current(connection, "lobby") is None
        ended = await calls.find(connection, call.id)
        assert ended is not None
        assert (ended.state, ended.ended_at, ended.end_reason) == ("ended", at(4), "empty")
        assert await calls.start(connection, second := a_call(seconds=5)) == second


async def test_what_is_written_twice_is_there_once(database):
    call = a_call()
    person = a_presence(call)
    async with database.transaction() as connection:
        for _ in range(2):
            assert await calls.start(connection, call) == call
        assert [await calls.join(connection, person) for _ in range(2)] == [True, False]
        assert [await calls.leave(connection, person.id, "idle", at(number)) for number in (1, 2)] == [True, False]
        assert [await calls.end(connection, call.id, "empty", at(number)) for number in (1, 2)] == [True, False]
        # An old join that comes once more takes nobody back in.
        assert not await calls.join(connection, person)
        assert await calls.counts(connection, ["lobby"]) == {"lobby": 0}
        assert (await calls.find(connection, call.id)).ended_at == at(1)
        assert (await calls.start(connection, call)).state == "ended"


async def test_two_who_start_a_call_are_in_the_same_one(database):
    async def begin():
        async with database.transaction() as connection:
            return await calls.start(connection, a_call())

    first, second = await asyncio.gather(begin(), begin())
    assert first == second


async def test_a_new_call_ends_one_that_was_left_open_under_another_name(database):
    async with database.transaction() as connection:
        older = await calls.start(connection, a_call(node="renamed"))
        await calls.join(connection, person := a_presence(older))
        newer = a_call(seconds=50)
        for _ in range(2):
            await calls.begin(connection, newer)
        ended = await calls.find(connection, older.id)
        assert (ended.ended_at, ended.end_reason) == (at(50), "server_lost")
        gone = await calls.find_person(connection, person.id)
        assert (gone.left_at, gone.leave_reason) == (at(50), "server_shutdown")
        assert await calls.find_person(connection, "nobody") is None
        assert await calls.current(connection, "lobby") == newer


async def test_a_lost_call_ends_no_earlier_than_the_last_that_is_known_of_it(database):
    async with database.transaction() as connection:
        start = ServerStart(id=new_id(), node="one", version="1", started_at=at(0), seen_at=at(10))
        await server_starts.started(connection, start)
        call = await calls.start(connection, a_call())
        early, late = a_presence(call, "ana"), a_presence(call, "ben", 16)
        for person in (early, late):
            await calls.join(connection, person)
        await calls.leave(connection, early.id, "idle", at(15))
        session = MediaSession(id=new_id(), participant_id=late.id, created_at=at(17))
        await media_sessions.begin(connection, session)
        await calls.close_orphans(connection, "one", at(5000))
        assert (await calls.find(connection, call.id)).ended_at == at(16)
        assert (await calls.find_person(connection, late.id)).left_at == at(16)
        (closed,) = await media_sessions.of_participant(connection, late.id)
        assert (closed.ended_at, closed.end_reason) == (at(17), media_sessions.UNTOLD)


async def test_a_call_that_ends_takes_out_whoever_is_in(database):
    for reason, left in (("room_deleted", "room_deleted"), ("server_shutdown", "server_shutdown")):
        async with database.transaction() as connection:
            call = await calls.start(connection, a_call())
            person = a_presence(call)
            await calls.join(connection, person)
            await calls.end(connection, call.id, reason, at(9))
            assert await calls.present(connection, "lobby") == []
        from signaling.storage.pages import PageRequest

        async with database.reading() as connection:
            page = await calls.past_people(connection, calls.PeopleFilter(call_id=call.id), PageRequest())
        assert [(one.left_at, one.leave_reason) for one in page.items] == [(at(9), left)]


async def test_nobody_leaves_before_coming(database):
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        person = a_presence(call, seconds=100)
        await calls.join(connection, person)
        await calls.leave(connection, person.id, "idle", at(50))
        from signaling.storage.pages import PageRequest

        page = await calls.past_people(connection, calls.PeopleFilter(), PageRequest())
        assert page.items[0].left_at == at(100)


async def test_a_crash_leaves_nobody_in_a_call(database):
    await a_room(database)
    async with database.transaction() as connection:
        start = ServerStart(id=new_id(), node="one", version="1", started_at=at(0), seen_at=at(0))
        await server_starts.started(connection, start)
        mine, late = await calls.start(connection, a_call()), await calls.start(connection, a_call("hall", 80))
        other = await calls.start(connection, a_call("den", node="two"))
        people = [a_presence(mine, "ana"), a_presence(late, "ben", 80), a_presence(other, "cem")]
        for person in people:
            await calls.join(connection, person)
        session = MediaSession(id=new_id(), participant_id=people[0].id, created_at=at(0))
        await media_sessions.begin(connection, session)
        await server_starts.seen(connection, start.id, at(70))
    # The server is killed, and started again much later.
    async with database.transaction() as connection:
        orphans = await calls.close_orphans(connection, "one", at(5000))
        assert set(orphans.participants) == {people[0].id, people[1].id}
        assert set(orphans.calls) == {mine.id, late.id}
        assert await calls.close_orphans(connection, "one", at(5001)) == Orphans((), ())
        assert await calls.counts(connection, ["lobby", "hall", "den"]) == {"lobby": 0, "hall": 0, "den": 1}
        ended = await calls.find(connection, mine.id)
        assert (ended.ended_at, ended.end_reason) == (at(70), "server_lost")
        assert (await calls.find(connection, late.id)).ended_at == at(80)
        assert (await media_sessions.of_participant(connection, people[0].id))[0].state == "closed"


async def test_a_crash_in_the_middle_of_a_move_leaves_no_peer_connection_open(database):
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        person = a_presence(call)
        await calls.join(connection, person)
        await media_sessions.begin(connection, MediaSession(id=new_id(), participant_id=person.id, created_at=at(0)))
        await calls.leave(connection, person.id, "migration", at(5))
        orphans = await calls.close_orphans(connection, "one", at(7))
        assert orphans.participants == ()
        (closed,) = await media_sessions.of_participant(connection, person.id)
        assert (closed.state, closed.ended_at) == ("closed", at(7))


async def test_many_orphans_are_closed_at_once(database):
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        for number in range(1200):
            await calls.join(connection, a_presence(call, f"p{number}"))
    async with database.transaction() as connection:
        await connection.execute(update(rooms).values(version=1))
        assert len((await calls.close_orphans(connection, "one", at(1))).participants) == 1200
        assert await calls.counts(connection, ["lobby"]) == {"lobby": 0}


async def test_calls_and_people_are_found_by_room_person_and_time(database):
    async with database.transaction() as connection:
        made = []
        for number, room_id in enumerate(["lobby", "hall", "lobby"]):
            call = await calls.start(connection, a_call(room_id, number * 10))
            for offset, identity in enumerate(["ana", "ben"]):
                person = a_presence(call, identity, number * 10 + offset)
                await calls.join(connection, person)
                made.append(person)
            await calls.end(connection, call.id, "empty", at(number * 10 + 5))

    async def people(**wanted):
        async with database.reading() as connection:
            page = await calls.past_people(connection, PeopleFilter(**wanted), PageRequest())
        return [person.id for person in page.items]

    ids = [person.id for person in made]
    assert await people() == ids[::-1]
    assert await people(room_id="hall") == [ids[3], ids[2]]
    assert await people(identity="ana") == [ids[4], ids[2], ids[0]]
    assert await people(call_id=made[0].call_id) == [ids[1], ids[0]]
    assert await people(since=at(10), until=at(20)) == [ids[3], ids[2]]
    async with database.reading() as connection:
        found = await calls.past_calls(connection, "lobby", PageRequest())
        assert [call.started_at for call in found.items] == [at(20), at(0)]
        assert len((await calls.past_calls(connection, None, PageRequest())).items) == 3
