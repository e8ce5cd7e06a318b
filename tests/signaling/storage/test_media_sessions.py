import pytest

from signaling.storage import calls, media_sessions
from signaling.storage.media_sessions import MOST_TOLD, UNTOLD, MediaSession
from tests.signaling.storage.samples import a_call, a_presence, at, new_id


@pytest.fixture
async def person(database):
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        person = a_presence(call)
        await calls.join(connection, person)
    return person


async def connect(connection, person):
    """A peer connection that stands."""
    session = MediaSession(id=new_id(), participant_id=person.id, created_at=at(0))
    await media_sessions.begin(connection, session)
    await media_sessions.connected(connection, session.id, at(1), "udp")
    return session


async def test_a_peer_connection_from_beginning_to_end(database, person):
    session = MediaSession(id=new_id(), participant_id=person.id, created_at=at(0), user_agent="Firefox")
    async with database.transaction() as connection:
        assert [await media_sessions.begin(connection, session) for _ in range(2)] == [True, False]
        connected = [await media_sessions.connected(connection, session.id, at(1), "udp", "prflx") for _ in range(2)]
        assert connected == [True, False]
        ended = [
            await media_sessions.end(connection, session.id, at(9), "consent_expired", (2**40, 7)) for _ in range(2)
        ]
        assert ended == [True, False]
        (found,) = await media_sessions.of_participant(connection, person.id)
        assert not await media_sessions.end(connection, "none", at(9), "x", (0, 0))
    assert (found.state, found.transport, found.candidate_type) == ("closed", "udp", "prflx")
    assert (found.connected_at, found.ended_at, found.end_reason) == (at(1), at(9), "consent_expired")
    assert (found.bytes_sent, found.bytes_received) == (2**40, 7)


async def test_one_that_never_was_connected_has_failed(database, person):
    session = MediaSession(id=new_id(), participant_id=person.id, created_at=at(0))
    async with database.transaction() as connection:
        await media_sessions.begin(connection, session)
        await media_sessions.end(connection, session.id, at(15), "dtls_timeout", (0, 0))
        (found,) = await media_sessions.of_participant(connection, person.id)
        assert found.state == "failed"


async def test_whoever_is_moved_keeps_the_peer_connection(database, person):
    async with database.transaction() as connection:
        session = await connect(connection, person)
        await calls.leave(connection, person.id, "migration", at(5))
        (open_still,) = await media_sessions.of_participant(connection, person.id)
        assert (open_still.state, open_still.ended_at) == ("connected", None)
        there = a_presence(await calls.start(connection, a_call("hall", 5)), seconds=5)
        await calls.join(connection, there)
        assert [await media_sessions.move(connection, session.id, there.id) for _ in range(2)] == [True, True]
        assert await media_sessions.of_participant(connection, person.id) == []
        await calls.leave(connection, there.id, "client_initiated", at(9))
        assert not await media_sessions.move(connection, session.id, person.id)
        (ended,) = await media_sessions.of_participant(connection, there.id)
        assert (ended.state, ended.connected_at, ended.ended_at) == ("closed", at(1), at(9))


async def test_its_bytes_are_taken_also_after_its_person_has_left(database, person):
    async with database.transaction() as connection:
        session = await connect(connection, person)
        await calls.leave(connection, person.id, "client_initiated", at(5))
        (left,) = await media_sessions.of_participant(connection, person.id)
        assert (left.state, left.ended_at, left.end_reason) == ("closed", at(5), UNTOLD)
        assert await media_sessions.end(connection, session.id, at(6), "closed_by_peer", (10, 20))
        (found,) = await media_sessions.of_participant(connection, person.id)
        assert (found.ended_at, found.end_reason, found.bytes_sent) == (at(5), "closed_by_peer", 10)


async def test_of_very_many_the_newest_are_told_in_order(database, person):
    async with database.transaction() as connection:
        for number in range(MOST_TOLD + 3):
            session = MediaSession(id=f"m{number:04}", participant_id=person.id, created_at=at(number))
            await media_sessions.begin(connection, session)
        found = await media_sessions.of_participant(connection, person.id)
    assert [one.id for one in found] == [f"m{number:04}" for number in range(3, MOST_TOLD + 3)]
