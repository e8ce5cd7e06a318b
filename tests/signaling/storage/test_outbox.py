import asyncio
from datetime import timedelta

import pytest

from signaling.errors import ClientMistake
from signaling.storage import outbox
from signaling.storage.outbox import GIVE_UP, NewEvent
from tests.signaling.storage.samples import at, new_id

LEASE = timedelta(seconds=30)


def event(room_id="lobby", seconds=0, **more):
    chosen = {"id": new_id(seconds), "event": "room.created", "payload": {"a": [1]}, "created_at": at(seconds)}
    return NewEvent(room_id=room_id, **{**chosen, **more})


async def add(database, *events):
    async with database.transaction() as connection:
        return [await outbox.append(connection, one) for one in events]


async def due(database, seconds, limit=50):
    async with database.transaction() as connection:
        return [one.position for one in await outbox.claim_due(connection, at(seconds), LEASE, limit)]


async def test_events_are_numbered_in_the_server_and_in_their_room(database):
    made = await add(database, event("lobby"), event("hall"), event("lobby"), event(""))
    assert [(one.position, one.room_id, one.seq) for one in made] == [
        (1, "lobby", 1),
        (2, "hall", 1),
        (3, "lobby", 2),
        (4, "", 1),
    ]
    async with database.reading() as connection:
        assert await outbox.after(connection, 0) == made
        assert await outbox.after(connection, 2, 1) == [made[2]]
        assert await outbox.after(connection, 1, room_id="lobby") == [made[2]]


async def test_an_event_goes_with_its_transaction(database):
    with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction must end by it
        async with database.transaction() as connection:
            await outbox.append(connection, event())
            raise RuntimeError
    assert [one.position for one in await add(database, event())] == [1]


async def test_an_event_that_comes_again_stays_where_it_is(database):
    one = event()
    assert await add(database, one, event(), one) == [
        *(found := await add(database, one)),
        *await _second(database),
        *found,
    ]
    assert [made.position for made in await add(database, event())] == [3]


async def _second(database):
    async with database.reading() as connection:
        return await outbox.after(connection, 1)


async def test_events_of_many_at_once_have_no_gaps(database):
    await asyncio.gather(*(add(database, event(f"r{number % 3}"), event(f"r{number % 2}")) for number in range(12)))
    async with database.reading() as connection:
        found = await outbox.after(connection, 0)
    assert [one.position for one in found] == list(range(1, 25))
    for room_id in ("r0", "r1", "r2"):
        numbers = [one.seq for one in found if one.room_id == room_id]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_a_room_waits_for_its_first_event_and_others_do_not(database):
    await add(database, event("lobby"), event("lobby"), event("hall"))
    assert await due(database, 1) == [1, 3]
    # They are somebody's now.
    assert await due(database, 2) == []
    async with database.transaction() as connection:
        await outbox.delivered(connection, 3, at(2))
        again = await outbox.failed(connection, 1, at(2), "503", 0.0)
    assert (again.attempts, again.state, again.next_attempt_at) == (1, "pending", at(3))
    assert await due(database, 2.5) == []
    assert await due(database, 3) == [1]
    async with database.transaction() as connection:
        await outbox.delivered(connection, 1, at(4))
    assert await due(database, 4) == [2]
    # Whoever had it died with it.
    assert await due(database, 35) == [2]
    async with database.transaction() as connection:
        await outbox.delivered(connection, 2, at(36))
        assert await outbox.failed(connection, 2, at(37), "late", 0.0) is None
    assert await due(database, 1000) == []


async def test_two_who_ask_get_different_events(database):
    await add(database, *(event(f"r{number}") for number in range(10)))
    first, second = await asyncio.gather(due(database, 1, 5), due(database, 1, 5))
    if len(first) + len(second) < 10:
        # The second one looked while the first one held the same rows, and passed over them.
        second += await due(database, 1, 5)
    assert sorted(first + second) == list(range(1, 11))


async def test_what_fails_for_days_is_given_up_and_can_be_told_again(database):
    (one,) = await add(database, event())
    async with database.transaction() as connection:
        over = at(GIVE_UP.total_seconds())
        gone = await outbox.failed(connection, one.position, over, "x" * 1000 + "\0", 0.5)
        assert (gone.state, gone.ended_at, len(gone.last_error)) == ("abandoned", over, 500)
        assert await outbox.claim_due(connection, over, LEASE) == []
        again = await outbox.requeue(connection, one.id, over)
        assert (again.state, again.attempts, again.ended_at) == ("pending", 0, None)
        assert [found.id for found in await outbox.claim_due(connection, over, LEASE)] == [one.id]
        with pytest.raises(ClientMistake, match="no such event"):
            await outbox.requeue(connection, "none", over)


async def test_old_events_are_forgotten_when_they_have_ended(database):
    await add(database, event(), event(), event())
    async with database.transaction() as connection:
        for position in (1, 2):
            await outbox.delivered(connection, position, at(position))
        assert await outbox.forget(connection, at(2)) == 1
        assert await outbox.forget(connection, at(1000)) == 1
        assert [one.position for one in await outbox.after(connection, 0)] == [3]
    assert [one.position for one in await add(database, event())] == [4]


@pytest.mark.parametrize("wrong", [{"event": ""}, {"payload": []}, {"payload": {"a": "x" * 70_000}}])
async def test_an_event_that_cannot_be_kept_is_refused(database, wrong):
    with pytest.raises(ClientMistake):
        await add(database, event(**wrong))
