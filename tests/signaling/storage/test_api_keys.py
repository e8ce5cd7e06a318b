from dataclasses import replace

import pytest
from sqlalchemy import select

from signaling.errors import ClientMistake
from signaling.storage import api_keys
from signaling.storage.access_tables import api_keys as table
from signaling.storage.api_keys import KeyOrder
from tests.signaling.storage.samples import at, seeded

ORDER = KeyOrder(name="bot", created_by="ana", scopes=["room.read", "token.issue"])


async def made(database, seed=0, **chosen):
    async with database.transaction() as connection:
        return await api_keys.create(connection, replace(ORDER, **chosen), at(0), seeded(seed))


async def verify(database, text, seconds=1):
    async with database.reading() as connection:
        return await api_keys.verify(connection, text, at(seconds))


async def test_a_key_is_known_by_its_text_which_is_not_kept(database):
    key, text = await made(database, rooms=["lobby"])
    assert await verify(database, text) == key
    assert (key.scopes, key.rooms) == (("room.read", "token.issue"), ("lobby",))
    assert text.startswith(f"parley_{key.prefix}_")
    async with database.reading() as connection:
        kept = (await connection.execute(select(table))).mappings().one()
    assert text.rpartition("_")[2] not in str(kept)


async def test_a_wrong_key_is_refused_whatever_is_wrong(database):
    _, text = await made(database)
    other = f"{text[:-1]}{'A' if text[-1] != 'A' else 'B'}"
    for wrong in (
        "",
        "parley_",
        text[:-1],
        other,
        text.upper(),
        "parley_aaaaaaaaaaaa_" + "a" * 43,
        "' OR 1=1 --",
        "\0",
    ):
        with pytest.raises(ClientMistake) as caught:
            await verify(database, wrong)
        assert (caught.value.code, caught.value.message) == ("token_invalid", "the API key is not valid")


async def test_a_key_ends(database):
    _, short = await made(database, 1, expires_at=at(10))
    key, text = await made(database, 2)
    await verify(database, short, 9)
    with pytest.raises(ClientMistake):
        await verify(database, short, 10)
    async with database.transaction() as connection:
        assert (await api_keys.revoke(connection, key.id, at(5))).revoked_at == at(5)
        with pytest.raises(ClientMistake, match="no such API key"):
            await api_keys.revoke(connection, key.id, at(6))
    with pytest.raises(ClientMistake):
        await verify(database, text)


async def test_the_list_of_keys_says_when_each_was_used(database):
    first, _ = await made(database, 1)
    second, _ = await made(database, 2)
    async with database.transaction() as connection:
        await api_keys.note_use(connection, first.id, at(7))
        found = await api_keys.every(connection)
    assert {key.id for key in found} == {first.id, second.id}
    assert {key.used_at for key in found} == {None, at(7)}


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scopes": ["x" * 65]}, {"rooms": [""]}, {"scopes": ["a"] * 1001}])
async def test_an_order_that_makes_no_sense_is_refused(database, wrong):
    with pytest.raises(ClientMistake):
        await made(database, **wrong)
