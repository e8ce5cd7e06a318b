import pytest

from signaling.storage import (
    bans,
    calls,
    changes,
    media_sessions,
    messages,
    moderation,
    outbox,
    server_starts,
)
from signaling.storage.bans import Ban
from signaling.storage.changes import CHANGES
from signaling.storage.media_sessions import MediaSession
from signaling.storage.messages import Message
from signaling.storage.moderation import ModerationEvent
from signaling.storage.outbox import NewEvent
from signaling.storage.pages import PageRequest
from signaling.storage.server_starts import ServerStart
from signaling.storage.spool import Change, decode_lines, encode_line
from tests.signaling.storage.samples import a_call, a_presence, a_room, at, change_of, new_id


def everything():
    """Each kind once, in an order in which they happen."""
    call = a_call()
    person = a_presence(call)
    session = MediaSession(id=new_id(), participant_id=person.id, created_at=at(1))
    act = ModerationEvent(
        id=new_id(),
        action="participant.kick",
        actor="ana",
        actor_role="owner",
        target="ben",
        created_at=at(2),
        details={"a": 1},
    )
    said = Message(id=new_id(), room_id="lobby", sender="ana", topic="chat", body=["hi"], sent_at=at(2))
    return [
        change_of("call.start", call),
        change_of("participant.join", person),
        change_of("media.begin", session),
        Change("media.connected", {"session_id": session.id, "utc": at(1), "transport": "udp"}),
        change_of("moderation.event", act),
        change_of("message.keep", said),
        Change("media.move", {"session_id": session.id, "participant_id": person.id}),
        Change(
            "media.end", {"session_id": session.id, "utc": at(3), "reason": "closed_by_peer", "sent_received": [1, 2]}
        ),
        Change("participant.leave", {"participant_id": person.id, "reason": "removed", "utc": at(3)}),
        Change("call.end", {"call_id": call.id, "reason": "empty", "utc": at(3)}),
        change_of("ban.add", Ban(id="ban", created_by="ana", created_at=at(3), room_id="lobby", identity="ben")),
        Change("ban.end", {"ban_id": "ban", "by": "ana", "utc": at(4)}),
        Change("token.withdraw", {"token_hash": "f" * 64, "until": at(90)}),
        Change("server.seen", {"start_id": "start", "utc": at(10)}),
        Change("server.stop", {"start_id": "start", "utc": at(11)}),
        change_of(
            "event.append", NewEvent(id=new_id(), event="call.ended", payload={}, created_at=at(3), room_id="lobby")
        ),
    ]


async def state(database):
    async with database.reading() as connection:
        people = await calls.past_people(connection, calls.PeopleFilter(), PageRequest())
        return (
            await calls.past_calls(connection, None, PageRequest()),
            people,
            [await media_sessions.of_participant(connection, one.id) for one in people.items],
            await moderation.page(connection, moderation.ModerationFilter(), PageRequest()),
            await messages.page(connection, "lobby", "ana", PageRequest()),
            await outbox.after(connection, 0),
            await calls.counts(connection, ["lobby"]),
            await bans.page(connection, "lobby", PageRequest()),
            [one async for one in bans.withdrawn(connection, at(5))],
            await server_starts.last(connection, "one"),
        )


async def test_every_change_may_wait_in_a_file_and_may_come_twice(database):
    await a_room(database)
    start = ServerStart(id="start", node="one", version="1", started_at=at(0), seen_at=at(0))
    async with database.transaction() as connection:
        await server_starts.started(connection, start)
    written = everything()
    assert {change.kind for change in written} == set(CHANGES)
    (read,) = decode_lines(encode_line(written)).lines
    await changes.write(database, read)
    once = await state(database)
    assert once[0].items[0].state == "ended"
    assert once[2][0][0].bytes_received == 2
    assert (once[7].items[0].lifted_by, len(once[8]), once[9].stopped_at) == ("ana", 1, at(11))
    await changes.write(database, written)
    for change in read:
        await changes.write(database, [change])
    assert await state(database) == once


async def test_changes_of_one_line_are_one_transaction(database):
    with pytest.raises(KeyError):
        await changes.write(database, [change_of("call.start", a_call()), Change("nothing", {})])
    async with database.reading() as connection:
        assert await calls.current(connection, "lobby") is None
