import pytest

from signaling.errors import ClientMistake
from signaling.storage import messages
from signaling.storage.messages import Message, check_message
from signaling.storage.pages import PageRequest
from tests.signaling.storage.samples import a_room, at, new_id


def said(**more):
    return Message(
        **{"id": "m", "room_id": "lobby", "sender": "ana", "topic": "chat", "body": "hi", "sent_at": at(0)} | more
    )


@pytest.mark.parametrize("more", [{}, {"body": {"deep": [1, None]}}, {"topic": "x" * 64}, {"body": "é" * 8000}])
def test_what_can_be_kept(more):
    message = said(**more)
    assert check_message(message) is message


@pytest.mark.parametrize(
    "more",
    [{"topic": ""}, {"topic": "x" * 65}, {"topic": "\0"}, {"body": "\0"}, {"body": "\ud800"}, {"body": "é" * 9000}],
)
def test_what_neither_database_takes_is_refused(more):
    with pytest.raises(ClientMistake) as refused:
        check_message(said(**more))
    assert refused.value.code == "bad_message"


def said_of_messages(seconds=0, **more):
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
        said_of_messages(0, body={"deep": [1, None]}),
        said_of_messages(1, recipient="ben"),
        said_of_messages(2, topic="game", body=None),
        said_of_messages(3, body=[]),
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
            await messages.keep(connection, said_of_messages(**wrong))


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
            await messages.keep(connection, said_of_messages(day * DAY))
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
            await messages.keep(connection, said_of_messages(number, room_id=name))
        first = await messages.rooms_that_keep(connection, limit=2)
        assert first == [("a", KEEP), ("b", {})]
        assert await messages.rooms_that_keep(connection, "b") == [("c", {})]


async def test_what_was_said_in_a_room_that_is_gone_is_not_kept(database):
    async with database.transaction() as connection:
        assert not await messages.keep(connection, said_of_messages(room_id="gone"))
