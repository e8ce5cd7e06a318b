import pytest

from signaling.call.chronicle import SilentChronicle
from signaling.call.state import Audience, Records, count_connection, release_connection, within_rate
from signaling.errors import ClosingMistake
from signaling.identity.deny_list import MemoryDenyList
from signaling.protocol.server_messages import OK
from tests.signaling.fakes import FakeServer, pid


def test_nobody_is_told_for_nobody() -> None:
    audience = Audience()
    audience.detach("nobody")
    audience.send("nobody", OK)
    assert audience.session("nobody") is None


def test_a_room_is_told_but_one() -> None:
    server = FakeServer()
    ana, ben, cat = server.people("ana", "ben", "cat")
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    server.conversation.audience.send_room(room, OK, but=room.get(pid(ben)))
    assert (ana.types, ben.types, cat.types) == (["ok"], [], ["ok"])
    server.conversation.audience.send_room(room, OK)
    assert ben.types == ["ok"]


def test_the_hidden_are_not_announced() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    spy = server.enter("spy", hidden=True)
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    server.conversation.audience.announce(room, room.get(pid(spy)), OK)
    assert ana.frames == []


def test_an_identity_holds_so_many_lines_and_one_released_is_free_again() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    session = ana.session
    assert session is not None
    for _ in range(server.conversation.settings.sockets_per_identity - 1):
        count_connection(server.conversation, "ana")
    with pytest.raises(ClosingMistake) as caught:
        count_connection(server.conversation, "ana")
    assert caught.value.code == "rate_limited"
    release_connection(server.conversation, session)
    count_connection(server.conversation, "ana")


def test_a_line_that_nobody_has_authenticated_on_holds_nothing() -> None:
    server = FakeServer()
    line = server.line()
    assert line.session is not None
    release_connection(server.conversation, line.session)


def test_a_frame_counts_as_a_message_does_and_a_flood_is_told_once_and_ends_the_line() -> None:
    server = FakeServer(messages_per_second=1.0, message_burst=4)
    (ana,) = server.people("ana")
    server.now += 60
    ana.take()
    assert [within_rate(server.conversation, ana, server.now) for _ in range(4)] == [True] * 4
    assert not within_rate(server.conversation, ana, server.now)
    assert ana.take("error") == {
        "code": "rate_limited",
        "message": "Too many requests. Slow down.",
        "details": {"messages_per_second": 1.0, "burst": 4},
    }
    server.say(ana, "ping")
    assert ana.closed is None
    assert not within_rate(server.conversation, ana, server.now)
    assert ana.closed == "rate_limited"


def test_a_line_that_speaks_for_nobody_has_no_pace_to_keep() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.conversation.lost(ana, server.now)
    assert not within_rate(server.conversation, ana, server.now)


def test_without_others_they_are_in_memory_and_in_the_log() -> None:
    records = Records()
    assert isinstance(records.deny_list, MemoryDenyList)
    assert isinstance(records.chronicle, SilentChronicle)
    assert records.deny_list is not Records().deny_list


def test_the_people_of_a_room_are_listed_without_hidden_ones_who_still_occupy_it() -> None:
    server = FakeServer()
    state = server.conversation
    assert state.is_empty("lobby")
    server.enter("spy", hidden=True)
    assert (state.people("lobby"), state.is_empty("lobby")) == ([], False)
    server.people("ana", "ben")
    assert [person.identity for person in state.people("lobby")] == ["ana", "ben"]
    assert state.gauges() == {"sessions": 3.0, "participants": 3.0, "rooms": 1.0}
    assert state.has_session(next(iter(state.sessions)))
    assert not state.has_session("")
