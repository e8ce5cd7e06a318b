import asyncio

import pytest

from signaling.errors import ClientMistake
from signaling.storage import outbox
from signaling.storage.outbox import EVENTS, MOST_PATTERNS, TEST, NewEvent, check_filter, covers, family
from tests.signaling.storage.samples import at, new_id


@pytest.mark.parametrize(
    ("pattern", "event", "covered"),
    [
        ("*", "room.created", True),
        ("room.*", "room.created", True),
        ("room.created", "room.created", True),
        ("room.created", "room.deleted", False),
        ("room.*", "rooms.created", False),
        ("room", "room.created", False),
    ],
)
def test_a_pattern_covers_a_name_a_family_or_everything(pattern, event, covered):
    assert covers(pattern, event) is covered


def test_each_pattern_is_there_once_and_in_order():
    assert check_filter(["room.*", "call.ended", "room.*"]) == ("call.ended", "room.*")
    assert check_filter(EVENTS) == tuple(sorted(EVENTS))


@pytest.mark.parametrize(
    "wrong", [[], [""], ["room.exploded"], ["zoo.*"], [TEST], ["room.created"] * (MOST_PATTERNS + 1)]
)
def test_a_pattern_that_can_name_no_event_is_refused(wrong):
    with pytest.raises(ClientMistake, match="events: "):
        check_filter(wrong)


def test_a_family_is_the_beginning_of_names():
    assert family("room.*") == "room."
    assert family("room.created") is None
    assert family("*") is None


def event(room_id="lobby", seconds=0, **more):
    chosen = {"id": new_id(seconds), "event": "room.created", "payload": {"a": [1]}, "created_at": at(seconds)}
    return NewEvent(room_id=room_id, **{**chosen, **more})


async def add(database, *events):
    async with database.transaction() as connection:
        return [await outbox.append(connection, one) for one in events]


async def test_events_are_numbered_in_the_server_and_in_their_room(database):
    made = await add(database, event("lobby"), event("hall"), event("lobby"), event(""))
    assert [(one.position, one.room_id, one.seq) for one in made] == [
        (1, "lobby", 1),
        (2, "hall", 1),
        (3, "lobby", 2),
        (4, "", 1),
    ]
    async with database.reading() as connection:
        assert await outbox.head(connection) == 4
        assert await outbox.oldest(connection) == 1
        assert await outbox.after(connection, 0) == made
        assert await outbox.after(connection, 2, 1) == [made[2]]
        assert await outbox.after(connection, 1, room_id="lobby") == [made[2]]
        assert await outbox.in_room(connection, "lobby", (0, 2), ["*"], 10) == [made[0], made[2]]
        assert await outbox.in_room(connection, "lobby", (0, 1), ["*"], 10) == [made[0]]


async def test_an_empty_outbox(database):
    async with database.reading() as connection:
        assert (await outbox.head(connection), await outbox.oldest(connection)) == (0, None)


@pytest.mark.parametrize(
    ("patterns", "positions"),
    [
        (["*"], [1, 2, 3, 4]),
        (["room.created"], [1]),
        (["room.*"], [1, 2]),
        (["room.deleted", "call.*"], [2, 3]),
        (["roo%.*"], []),
        ([], []),
    ],
)
async def test_some_kinds_of_events(database, patterns, positions):
    kinds = ("room.created", "room.deleted", "call.started", "rooms.other")
    await add(database, *(event(event=kind) for kind in kinds))
    async with database.reading() as connection:
        assert [one.position for one in await outbox.after(connection, 0, patterns=patterns)] == positions
        assert [one.seq for one in await outbox.in_room(connection, "lobby", (0, 9), patterns, 9)] == positions


async def test_an_event_goes_with_its_transaction(database):
    with pytest.raises(RuntimeError):  # noqa: PT012 - the transaction must end by it
        async with database.transaction() as connection:
            await outbox.append(connection, event())
            raise RuntimeError
    assert [one.position for one in await add(database, event())] == [1]


async def test_an_event_that_comes_again_stays_where_it_is(database):
    one = event()
    first, second, again = await add(database, one, event(), one)
    assert (again, second.position) == (first, 2)
    assert [made.position for made in await add(database, event())] == [3]


async def test_events_of_many_at_once_have_no_gaps(database):
    await asyncio.gather(*(add(database, event(f"r{number % 3}"), event(f"r{number % 2}")) for number in range(12)))
    async with database.reading() as connection:
        found = await outbox.after(connection, 0)
    assert [one.position for one in found] == list(range(1, 25))
    for room_id in ("r0", "r1", "r2"):
        numbers = [one.seq for one in found if one.room_id == room_id]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_old_events_are_forgotten(database):
    await add(database, event(seconds=1), event(seconds=2), event(seconds=3))
    async with database.transaction() as connection:
        assert await outbox.forget(connection, at(3), limit=1) == 1
        assert await outbox.forget(connection, at(3)) == 1
        assert [one.position for one in await outbox.after(connection, 0)] == [3]
        assert await outbox.oldest(connection) == 3
    assert [one.position for one in await add(database, event())] == [4]


@pytest.mark.parametrize("wrong", [{"event": ""}, {"payload": []}, {"payload": {"a": "x" * 70_000}}])
async def test_an_event_that_cannot_be_kept_is_refused(database, wrong):
    with pytest.raises(ClientMistake):
        await add(database, event(**wrong))
