import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from signaling.errors import ClientMistake
from signaling.storage import invites, rooms
from signaling.storage.access_tables import invite_uses
from signaling.storage.access_tables import invites as table
from signaling.storage.invites import InviteOrder
from signaling.storage.pages import PageRequest
from tests.signaling.storage.samples import a_room, at, seeded

ORDER = InviteOrder(room_id="lobby", created_by="ana")


@pytest.fixture
async def invited(database):
    """Makes an invite and gives it with its token."""
    await a_room(database)
    chance = seeded()

    async def make(**chosen):
        async with database.transaction() as connection:
            return await invites.create(connection, replace(ORDER, **chosen), at(0), chance)

    return make


async def accept(database, token, identity, seconds=1.0):
    async with database.transaction() as connection:
        return await invites.accept(connection, token, identity, at(seconds))


async def refused(doing):
    with pytest.raises(ClientMistake) as caught:
        await doing
    assert caught.value.code == "invite_invalid"


async def test_an_invite_is_kept_without_its_token(database, invited):
    invite, token = await invited(role="moderator", max_uses=3)
    assert len(token) >= 22
    assert invite.expires_at == at(24 * 3600)
    async with database.reading() as connection:
        assert await invites.find(connection, token, at(1)) == invite
        kept = (await connection.execute(select(table))).mappings().one()
    assert token not in str(kept)


async def test_it_is_used_up(database, invited):
    _, token = await invited(max_uses=2)
    assert (await accept(database, token, "ben")).uses == 1
    assert (await accept(database, token, "cem")).uses == 2
    await refused(accept(database, token, "dan"))
    # Who has come in by it may come again.
    assert (await accept(database, token, "ben")).uses == 2
    async with database.reading() as connection:
        await refused(invites.find(connection, token, at(1)))
        used = (await connection.execute(select(invite_uses.c.identity))).scalars().all()
    assert sorted(used) == ["ben", "cem"]


async def test_of_many_who_want_the_last_use_one_gets_it(database, invited):
    _, token = await invited(max_uses=2)
    done = await asyncio.gather(
        *(accept(database, token, f"p{number}") for number in range(10)), return_exceptions=True
    )
    assert sorted(one.uses for one in done if not isinstance(one, Exception)) == [1, 2]
    assert {one.code for one in done if isinstance(one, ClientMistake)} == {"invite_invalid"}
    async with database.reading() as connection:
        page = await invites.page(connection, "lobby", PageRequest())
        assert page.items[0].uses == 2
        assert len((await connection.execute(select(invite_uses))).all()) == 2


async def test_one_person_who_accepts_twice_at_once_is_counted_once(database, invited):
    _, token = await invited(max_uses=5)
    await asyncio.gather(*(accept(database, token, "ben") for _ in range(5)))
    async with database.reading() as connection:
        assert (await invites.page(connection, "lobby", PageRequest())).items[0].uses == 1


async def test_an_invite_ends(database, invited):
    _, expired = await invited(lifetime=timedelta(seconds=10))
    await refused(accept(database, expired, "ben", 10))
    invite, revoked = await invited()
    async with database.transaction() as connection:
        assert (await invites.revoke(connection, "lobby", invite.id, "ana", at(1))).revoked_by == "ana"
    await refused(accept(database, revoked, "ben"))
    async with database.transaction() as connection:
        for room_id, invite_id in (("lobby", invite.id), ("hall", invite.id), ("lobby", "x")):
            with pytest.raises(ClientMistake, match="no such invite"):
                await invites.revoke(connection, room_id, invite_id, "ana", at(2))


@pytest.mark.parametrize("token", ["", "guess", "' OR 1=1 --", "\0", "\ud800", "x" * 10_000])
async def test_a_token_that_is_none_is_refused(database, invited, token):
    await invited()
    await refused(accept(database, token, "ben"))
    async with database.reading() as connection:
        await refused(invites.reject(connection, token, "ben", at(1)))


async def test_an_invite_for_one_person_is_for_nobody_else(database, invited):
    _, token = await invited(invitee="ben")
    await refused(accept(database, token, "cem"))
    assert (await accept(database, token, "ben")).uses == 1


async def test_who_declines_an_invite_of_their_own_ends_it(database, invited):
    _, mine = await invited(invitee="ben")
    _, everybodys = await invited()
    async with database.transaction() as connection:
        await refused(invites.reject(connection, mine, "cem", at(1)))
        assert (await invites.reject(connection, mine, "ben", at(1))).rejected_at == at(1)
        assert (await invites.reject(connection, everybodys, "ben", at(1))).rejected_at is None
    await refused(accept(database, mine, "ben"))
    assert (await accept(database, everybodys, "ben")).uses == 1


@pytest.mark.parametrize(
    "wrong", [{"role": "operator"}, {"max_uses": 0}, {"lifetime": timedelta()}, {"lifetime": timedelta(days=400)}]
)
async def test_an_order_that_makes_no_sense_is_refused(invited, wrong):
    with pytest.raises(ClientMistake) as caught:
        await invited(**wrong)
    assert caught.value.code == "bad_message"


async def test_invites_go_with_their_room(database, invited):
    _, token = await invited()
    async with database.transaction() as connection:
        await rooms.remove(connection, "lobby")
    await refused(accept(database, token, "ben"))


async def test_who_has_used_an_invite_up_still_finds_it(database, invited):
    _, token = await invited()
    await accept(database, token, "ben")
    async with database.reading() as connection:
        assert (await invites.find(connection, token, at(1), "ben")).uses == 1
        await refused(invites.find(connection, token, at(1), "cem"))
        await refused(invites.find(connection, token, at(1)))


async def test_an_invite_for_one_person_is_found_by_nobody_else(database, invited):
    _, token = await invited(invitee="ben")
    async with database.reading() as connection:
        assert (await invites.find(connection, token, at(1), "ben")).invitee == "ben"
        await refused(invites.find(connection, token, at(1), "cem"))
        await refused(invites.find(connection, token, at(1)))
        await refused(invites.reject(connection, token, None, at(1)))
