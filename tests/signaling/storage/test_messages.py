import pytest

from signaling.errors import ClientMistake
from signaling.storage import messages
from signaling.storage.message_record import Message
from signaling.storage.pages import PageRequest
from tests.signaling.storage.samples import a_room, at, new_id


def said(seconds=0, **more):
    chosen = {
        "id": new_id(seconds),
        "room_id": "lobby",
        "sender": "ana",
        "topic": "chat",
        "body": "hi",
        "sent_at": at(seconds),
    }
    return Message(**{**chosen, **more})


async def test_who_may_read_what(database):
    await a_room(database)
    made = [
        said(0, body={"deep": [1, None]}),
        said(1, recipient="ben"),
        said(2, topic="game", body=None),
        said(3, body=[]),
    ]
    async with database.transaction() as connection:
        for one in made:
            assert await messages.keep(connection, one)
            assert not await messages.keep(connection, one)

        async def read(reader, **more):
            return list((await messages.page(connection, "lobby", reader, PageRequest(), **more)).items)

        assert await read("ana") == await read("ben") == made[::-1]
        assert await read("cem") == [made[3], made[2], made[0]]
        assert await read("cem", topic="game") == [made[2]]
        assert await read("ana", topic="none") == []


@pytest.mark.parametrize("wrong", [{"topic": ""}, {"topic": "x" * 65}, {"body": "x" * 20_000}, {"body": float("nan")}])
async def test_what_cannot_be_kept_is_refused(database, wrong):
    with pytest.raises(ClientMistake):
        async with database.transaction() as connection:
            await messages.keep(connection, said(**wrong))


DAY = 86_400
KEEP = {"message_history": {"keep": True, "days": 2}}


async def left(connection, room_id):
    found = await messages.page(connection, room_id, "ana", PageRequest())
    return [one.sent_at for one in found.items]


async def test_a_room_forgets_what_is_older_than_it_keeps(database, monkeypatch):
    monkeypatch.setattr(messages, "AT_ONCE", 2)
    await a_room(database)
    async with database.transaction() as connection:
        for day in range(6):
            await messages.keep(connection, said(day * DAY))
        utc = at(6 * DAY)
        for gone in (2, 2, 0):
            assert await messages.forget(connection, "lobby", KEEP, utc) == gone
        assert await left(connection, "lobby") == [at(5 * DAY), at(4 * DAY)]
        assert await messages.forget(connection, "lobby", {}, utc) == 2, "a room that keeps none forgets all"


async def test_rooms_that_have_messages_are_found_page_by_page(database):
    for name in ("c", "a", "b", "empty"):
        await a_room(database, name, settings=KEEP if name == "a" else {})
    async with database.transaction() as connection:
        for number, name in enumerate("cab"):
            await messages.keep(connection, said(number, room_id=name))
        first = await messages.rooms_that_keep(connection, limit=2)
        assert first == [("a", KEEP), ("b", {})]
        assert await messages.rooms_that_keep(connection, "b") == [("c", {})]


async def test_what_was_said_in_a_room_that_is_gone_is_not_kept(database):
    async with database.transaction() as connection:
        assert not await messages.keep(connection, said(room_id="gone"))
