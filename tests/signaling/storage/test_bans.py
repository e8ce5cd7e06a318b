import pytest

from signaling.errors import ClientMistake
from signaling.storage import bans, rooms
from signaling.storage.bans import Ban
from signaling.storage.pages import PageRequest
from tests.signaling.storage.samples import a_room, at, new_id


def ban(seconds=0, **more):
    chosen = {
        "id": new_id(seconds),
        "created_by": "ana",
        "created_at": at(seconds),
        "room_id": "lobby",
        "identity": "ben",
    }
    return Ban(**{**chosen, **more})


@pytest.fixture(autouse=True)
async def _rooms(database):
    await a_room(database, "lobby")
    await a_room(database, "hall")


async def test_a_ban_ends_by_itself(database):
    short = ban(0, expires_at=at(60))
    async with database.transaction() as connection:
        await bans.add(connection, short)
        assert [one async for one in bans.holding(connection, at(59))] == [short]
        assert [one async for one in bans.holding(connection, at(60))] == []
    assert short.holds(at(59))
    assert not short.holds(at(60))


async def test_a_ban_can_be_lifted_once(database):
    one = ban()
    async with database.transaction() as connection:
        await bans.add(connection, one)
        lifted = await bans.lift(connection, one.id, "dan", at(9))
        assert (lifted.lifted_by, lifted.lifted_at) == ("dan", at(9))
        assert not lifted.holds(at(1))
        assert [one async for one in bans.holding(connection, at(1))] == []
        for ban_id in (one.id, "nothing"):
            with pytest.raises(ClientMistake, match="no active ban"):
                await bans.lift(connection, ban_id, "dan", at(10))


async def test_the_list_of_bans(database):
    made = [ban(0, expires_at=at(3)), ban(1), ban(2, room_id=None)]
    async with database.transaction() as connection:
        for one in made:
            await bans.add(connection, one)
        assert list((await bans.page(connection, "lobby", PageRequest())).items) == [made[1], made[0]]
        assert list((await bans.page(connection, "lobby", PageRequest(), holding_at=at(4))).items) == [made[1]]
        assert list((await bans.page(connection, None, PageRequest())).items) == [made[2]]


@pytest.mark.parametrize(
    "wrong", [{"identity": None}, {"expires_at": at(0)}, {"reason": "x" * 501}, {"identity": "\0"}]
)
async def test_a_ban_that_makes_no_sense_is_refused(database, wrong):
    with pytest.raises(ClientMistake):
        async with database.transaction() as connection:
            await bans.add(connection, ban(**wrong))


async def test_bans_go_with_their_room(database):
    async with database.transaction() as connection:
        await bans.add(connection, ban())
        await rooms.remove(connection, "lobby")
        assert (await bans.page(connection, "lobby", PageRequest())).items == ()


async def test_a_room_that_is_not_kept_has_bans_too(database):
    async with database.transaction() as connection:
        one = ban(room_id="nowhere", by_role="owner")
        assert await bans.add(connection, one)
        assert [one async for one in bans.holding(connection, at(1))] == [one]


async def test_a_start_reads_all_that_hold_and_name_somebody(database):
    made = [
        ban(0, by_role="operator"),
        ban(1, room_id=None, identity="cem"),
        ban(2, expires_at=at(5)),
        ban(3, identity=None, address_hash="f" * 64),
    ]
    async with database.transaction() as connection:
        for one in reversed(made):
            await bans.add(connection, one)
        assert [one async for one in bans.holding(connection, at(4))] == made[:3]
        assert [one async for one in bans.holding(connection, at(5))] == made[:2]


async def test_the_end_of_a_ban_may_be_written_twice(database):
    async with database.transaction() as connection:
        first, second = ban(0), ban(1)
        await bans.add(connection, first)
        assert [await bans.end(connection, first.id, "dan", at(number)) for number in (2, 3)] == [True, False]
        await bans.add(connection, second)
        assert not await bans.end(connection, first.id, "dan", at(4))
        assert [one async for one in bans.holding(connection, at(5))] == [second]


async def test_what_is_long_over_is_deleted(database):
    made = [ban(0, expires_at=at(10)), ban(1), ban(2), ban(3, expires_at=at(90))]
    async with database.transaction() as connection:
        for one in made:
            await bans.add(connection, one)
        await bans.end(connection, made[1].id, "dan", at(20))
        assert await bans.forget(connection, at(10)) == 0
        assert await bans.forget(connection, at(50)) == 2
        left = await bans.page(connection, "lobby", PageRequest())
        assert [one.id for one in left.items] == [made[3].id, made[2].id]


async def test_a_ban_is_found_by_its_id_while_it_holds_and_after(database):
    one = ban()
    async with database.transaction() as connection:
        await bans.add(connection, one)
        assert await bans.find(connection, one.id) == one
        lifted = await bans.lift(connection, one.id, "ana", at(5))
        assert await bans.find(connection, one.id) == lifted
        assert await bans.find(connection, "none") is None


async def test_whatever_happens_to_bans_changes_their_tally(database):
    one = ban()
    async with database.transaction() as connection:
        seen = [await bans.tally(connection)]
        await bans.add(connection, one)
        seen.append(await bans.tally(connection))
        await bans.lift(connection, one.id, "ana", at(1))
        seen.append(await bans.tally(connection))
        await bans.forget(connection, at(9))
        assert seen == [(0, 0), (1, 0), (1, 1)]
        assert await bans.tally(connection) == (0, 0)


async def test_a_token_is_known_until_it_would_have_expired(database):
    short, long = (
        bans.WithdrawnToken(token_hash=letter * 64, until=at(until)) for letter, until in (("a", 60), ("b", 90))
    )
    async with database.transaction() as connection:
        assert [await bans.withdraw(connection, one) for one in (long, short, short)] == [True, True, False]

        async def known(seconds):
            return [one async for one in bans.withdrawn(connection, at(seconds))]

        assert await known(59) == [short, long]
        assert await bans.withdrawn_tally(connection) == 2
        assert await known(60) == [long]
        assert await bans.forget_withdrawn(connection, at(60)) == 1
        assert await bans.forget_withdrawn(connection, at(60)) == 0
        assert await known(0) == [long]
