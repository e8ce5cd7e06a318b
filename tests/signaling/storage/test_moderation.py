import pytest

from signaling.errors import ClientMistake
from signaling.storage import moderation
from signaling.storage.moderation import ModerationEvent, ModerationFilter
from signaling.storage.pages import PageRequest
from tests.signaling.storage.samples import at, new_id


def act(seconds=0, **more):
    return ModerationEvent(
        **{
            "id": new_id(seconds),
            "action": "participant.mute",
            "actor": "ana",
            "actor_role": "owner",
            "target": "ben",
            "created_at": at(seconds),
            **more,
        }
    )


async def test_the_trail_is_found_by_room_person_and_time(database):
    acts = [
        act(0, room_id="lobby", reason="shouting", address="192.0.2.1", expires_at=at(60), details={"by": "button"}),
        act(1, room_id="hall", action="participant.ban", target="cem"),
        act(2, actor="cem", target="ana", action="participant.kick"),
    ]
    async with database.transaction() as connection:
        for one in acts:
            assert await moderation.append(connection, one)

        async def found(**wanted):
            page = await moderation.page(connection, ModerationFilter(**wanted), PageRequest())
            return list(page.items)

        assert await found() == acts[::-1]
        assert await found(room_id="lobby") == [acts[0]]
        assert await found(target="cem") == [acts[1]]
        assert await found(actor="cem") == [acts[2]]
        assert await found(action="participant.ban", actor="ana") == [acts[1]]
        assert await found(since=at(1), until=at(2)) == [acts[1]]


async def test_an_act_is_written_once(database):
    one = act()
    async with database.transaction() as connection:
        assert [await moderation.append(connection, one) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "shout"},
        {"actor_role": "king"},
        {"address": "x" * 65},
        {"actor": ""},
        {"target": "x" * 129},
        {"reason": "\0"},
        {"details": []},
    ],
)
def test_an_act_that_cannot_be_kept_is_refused(wrong):
    with pytest.raises(ClientMistake):
        moderation.check_event(act(**wrong))
