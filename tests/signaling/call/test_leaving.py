from collections.abc import Callable
from datetime import timedelta
from unittest.mock import Mock, call

import pytest

from signaling.call.chronicle import SilentChronicle
from signaling.call.leaving import check_admission, close_ended, depart, empty_room, expel, expel_denied, is_admitted
from signaling.call.rooms import RoomPolicy
from signaling.call.state import Records
from signaling.errors import ClientMistake
from signaling.identity.deny_list import Ban
from tests.signaling.call.test_sessions import seat_of
from tests.signaling.fakes import START, FakeCarrier, FakeServer, pid


def test_whoever_departs_is_out_of_the_room_and_off_the_media_server_and_the_others_know() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    who = pid(ana)
    assert ana.session is not None
    message = depart(server.conversation, server.conversation.person(ana.session), "idle", server.now)
    assert (message.type, ana.frames, ana.session.participant_id) == ("participant-left", [], None)
    assert ben.take("participant-left") == {"participant": who, "reason": "idle"}
    assert server.media.removed == [who]
    assert server.conversation.rooms.participant(who) is None


def test_a_mute_for_a_time_is_forgotten_with_whoever_it_was_for() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    (ana,) = server.people("ana")
    server.say(boss, "moderate", {"action": "mute", "target": pid(ana), "duration": 60})
    assert len(server.conversation.timed_flags) == 1
    server.say(ana, "leave")
    assert len(server.conversation.timed_flags) == 0


def test_coming_and_going_is_written_down() -> None:
    server = FakeServer()
    book = Mock(spec=SilentChronicle)
    server.conversation.records = Records(chronicle=book)
    ana = server.enter("ana")
    who = pid(ana)
    person, room = server.conversation.rooms.participant(who), server.conversation.rooms.find("lobby")
    assert room is not None
    server.say(ana, "leave")
    assert book.mock_calls == [
        call.joined(person, room.call, "192.0.2.1", "Tests/1.0"),
        call.left(who, "client_initiated", server.utc()),
    ]


def test_a_server_that_goes_down_writes_that_everybody_has_left() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    book = Mock(spec=SilentChronicle)
    server.conversation.records = Records(chronicle=book)
    server.conversation.shut_down()
    utc = server.utc()
    assert book.mock_calls == [call.left(pid(one), "server_shutdown", utc) for one in (ana, ben)]


def test_the_hidden_depart_unseen() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    spy = server.enter("spy", hidden=True)
    assert spy.session is not None
    depart(server.conversation, server.conversation.person(spy.session), "idle", server.now)
    assert ana.frames == []


def ban_from_elsewhere(server: FakeServer, identity: str) -> None:
    """As if another node, or the operator, had put it on the list."""
    server.conversation.records.deny_list.ban(Ban(identity, "lobby", START, "operator"))


def test_who_is_not_on_the_list_is_admitted() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    assert ana.session is not None
    assert ana.session.claims is not None
    check_admission(server.conversation, ana.session.claims)
    assert is_admitted(server.conversation, ana.session.claims)


@pytest.mark.parametrize("withdrawn", [True, False])
def test_a_ban_and_a_withdrawn_token_are_told_apart(withdrawn: bool) -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    assert ana.session is not None
    claims = ana.session.claims
    assert claims is not None
    if withdrawn:
        server.conversation.records.deny_list.withdraw(claims, server.utc())
    else:
        ban_from_elsewhere(server, "ana")
    with pytest.raises(ClientMistake) as caught:
        check_admission(server.conversation, claims)
    assert caught.value.code == ("token_invalid" if withdrawn else "banned")
    assert caught.value.details is None
    assert not is_admitted(server.conversation, claims)


def lines_in_all_states(server: FakeServer) -> dict[str, FakeCarrier]:
    lines = {
        "opened": server.line(),
        "authenticated": server.line(server.token("ana")),
        "joined": server.enter("ana"),
        "bystander": server.enter("ben"),
    }
    for line in lines.values():
        line.take()
    return lines


def test_everybody_who_is_on_the_list_goes_in_whatever_state() -> None:
    server = FakeServer()
    lines = lines_in_all_states(server)
    who = pid(lines["joined"])
    ban_from_elsewhere(server, "ana")
    expel_denied(server.conversation, server.now)
    assert {name: line.closed for name, line in lines.items()} == {
        "opened": None,
        "authenticated": "banned",
        "joined": "banned",
        "bystander": None,
    }
    assert lines["joined"].types == ["participant-left", "reconnect"]
    assert lines["authenticated"].types == ["reconnect"]
    assert lines["bystander"].take("participant-left") == {"participant": who, "reason": "banned"}
    assert who not in server.media.people


def test_a_seat_without_a_line_goes_too() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.conversation.lost(ana, server.now)
    ban_from_elsewhere(server, "ana")
    expel_denied(server.conversation, server.now)
    assert (len(server.conversation.sessions), server.media.people) == (0, {})


def test_an_expelled_session_frees_its_line() -> None:
    server = FakeServer(sockets_per_identity=1)
    (ana,) = server.people("ana")
    assert ana.session is not None
    expel(server.conversation, ana.session, "removed", server.now)
    assert ana.closed == "forbidden"
    assert server.line(server.token("ana")).types == ["welcome"]


@pytest.mark.parametrize("path", ["auth", "join", "resume", "refresh"])
def test_the_list_is_asked_on_every_path(path: str) -> None:
    """Also where nobody here has put the person on it."""
    server = FakeServer()
    ana = server.enter("ana")
    waiting = server.line(server.token("ana"))
    seat = seat_of(ana)
    for line in (ana, waiting):
        line.take()
    ban_from_elsewhere(server, "ana")
    if path == "auth":
        assert server.line(server.token("ana")).closed == "banned"
    elif path == "join":
        server.say(waiting, "join", {"room": "lobby"})
        assert waiting.take("error")["code"] == "banned"
    elif path == "resume":
        line = server.line()
        server.say(line, "resume", seat)
        assert line.types == ["resume-lost"]
        assert ana.closed is None
    else:
        server.tick(480)
        assert "token" not in [*ana.types, *waiting.types]
        assert (ana.closed, waiting.closed) == ("banned", "banned")


def test_whom_another_server_keeps_out_goes_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    ban_from_elsewhere(server, "ana")
    server.tick(1)
    assert ana.closed is None, "nobody is asked again without news"
    monkeypatch.setattr(type(server.conversation.records.deny_list), "take_news", lambda _: True)
    server.tick(1)
    assert (ana.closed, ben.closed) == ("banned", None)
    assert ben.take("participant-left")["reason"] == "banned"


def test_a_room_that_is_no_more_is_emptied_and_no_other() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    cat = server.enter("cat", room="other")
    empty_room(server.conversation, "lobby", server.now)
    empty_room(server.conversation, "nowhere", server.now)
    assert (ana.closed, ben.closed, cat.closed) == ("forbidden", "forbidden", None)
    assert ana.frames[-1]["payload"]["reason"] == "room_deleted"
    assert [room.id for room in server.conversation.rooms] == ["other"]


def test_when_the_time_of_a_room_is_over_its_call_ends() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    room.policy = RoomPolicy(version=1, scheduled_end=START + timedelta(seconds=60))
    elsewhere = server.enter("dan", "hall")
    server.tick(59)
    assert ana.closed is None
    server.tick(2)
    assert [line.closed for line in (ana, ben, elsewhere)] == ["room_closed", "room_closed", None]
    assert room.call.reason == "scheduled_end"
    assert "call-state-changed" not in elsewhere.types
    told = [frame["payload"] for frame in ana.take() if frame["type"] == "reconnect"]
    assert told == [{"action": "disconnect", "reason": "room_closed"}]
    assert server.conversation.rooms.find("lobby") is None


@pytest.mark.parametrize(
    "end",
    [
        lambda server: empty_room(server.conversation, "lobby", server.now),
        lambda server: close_ended(server.conversation, server.now),
    ],
)
def test_a_call_that_is_over_keeps_nobody_whatever_goes_wrong_with_one(
    end: Callable[[FakeServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeServer()
    people = [pid(line) for line in server.people("ana", "ben", "cem")]
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    remove = server.media.remove

    def fails_once(participant_id: str) -> None:
        remove(participant_id)
        if participant_id == people[0]:
            raise ZeroDivisionError

    monkeypatch.setattr(server.media, "remove", fails_once)
    room.policy = RoomPolicy(version=1, scheduled_end=START)
    with pytest.raises(ZeroDivisionError):
        end(server)
    assert server.media.removed == people, "one after the other, in the order in which they came"
    assert server.conversation.rooms.find("lobby") is None
