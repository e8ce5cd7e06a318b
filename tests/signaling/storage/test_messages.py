import pytest

from signaling.errors import ClientMistake
from signaling.storage import messages
from signaling.storage.messages import Message
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
        assert await messages.forget(connection, at(2), 1) == 1
        assert await messages.forget(connection, at(2)) == 1
        assert await read("ana") == [made[3], made[2]]


@pytest.mark.parametrize("wrong", [{"topic": ""}, {"topic": "x" * 65}, {"body": "x" * 20_000}, {"body": float("nan")}])
async def test_what_cannot_be_kept_is_refused(database, wrong):
    with pytest.raises(ClientMistake):
        async with database.transaction() as connection:
            await messages.keep(connection, said(**wrong))
