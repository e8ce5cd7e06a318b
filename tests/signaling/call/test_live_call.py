from datetime import timedelta
from typing import Any

import pytest

from signaling.call.admission import empty_room
from signaling.call.live_call import LiveCall, end_call
from signaling.call.room_policy import RoomPolicy
from signaling.protocol.server_messages import EarlyEnd
from tests.signaling.fakes import START, FakeLine, House

ON: dict[str, Any] = {"id": "one", "state": "active", "started_at": "2026-01-01T00:00:00.000Z"}


def test_a_call_is_told_as_it_stands() -> None:
    """Times are RFC 3339, UTC."""
    call = LiveCall("one", START)
    assert call.view() == ON
    assert call.end("scheduled_end", START + timedelta(seconds=90))
    over = {**ON, "state": "ended", "ended_at": "2026-01-01T00:01:30.000Z", "reason": "scheduled_end"}
    assert call.view() == over
    assert not call.end("server_shutdown", START + timedelta(seconds=91)), "the first end counts"
    assert call.view() == over


def call_of(line: FakeLine, kind: str = "joined") -> Any:
    return line.take(kind)["call"]


def test_whoever_joins_is_told_of_the_call_that_is_on() -> None:
    house = House()
    first = call_of(house.enter("ana"))
    house.tick(1)
    ben = house.enter("ben")
    assert call_of(ben) == first
    assert first == {**ON, "id": first["id"]}
    room = house.talk.rooms.find("lobby")
    assert room is not None
    assert room.call.id == first["id"]
    assert call_of(house.enter("cem", "hall"))["id"] != first["id"]


def test_a_room_that_was_empty_has_another_call() -> None:
    house = House()
    ana = house.enter("ana")
    first = call_of(ana)
    house.say(ana, "leave")
    assert ana.types == ["participant-left"], "whoever has left hears nothing of an end that was theirs"
    house.tick(1)
    assert call_of(house.enter("ana")) != first


def test_the_hidden_are_in_a_call_that_is_on_and_others_come_into_it() -> None:
    house = House()
    spy = house.enter("spy", hidden=True)
    first = call_of(spy)
    house.tick(5)
    assert call_of(house.enter("ana")) == first
    assert spy.types == ["participant-joined"], "nothing has changed about the call"


def test_whoever_has_missed_too_much_is_told_anew() -> None:
    house = House()
    ana = house.enter("ana")
    first, seat = call_of(ana), ana.session
    assert seat is not None
    house.talk.lost(ana, house.now)
    again = house.line()
    house.say(again, "resume", {"session": seat.id, "secret": seat.secret, "seq_ack": seat.seq + 1})
    assert call_of(again) == first


@pytest.mark.parametrize("reason", ["room_deleted", "scheduled_end", "server_shutdown"])
def test_the_end_of_a_call_is_told_once_before_anybody_is_sent_away(reason: EarlyEnd) -> None:
    house = House()
    ana, spy = house.enter("ana"), house.enter("spy", hidden=True)
    elsewhere = house.enter("cem", "hall")
    first = call_of(ana)
    for line in (spy, elsewhere):
        line.take()
    house.now += 90
    if reason == "room_deleted":
        empty_room(house.talk, "lobby", house.now)
    elif reason == "scheduled_end":
        room = house.talk.rooms.find("lobby")
        assert room is not None
        room.policy = RoomPolicy(version=1, scheduled_end=START)
        house.tick(0)
    else:
        house.talk.shut_down()
    over = {**first, "state": "ended", "ended_at": "2026-01-01T00:01:30.000Z", "reason": reason}
    for line in (ana, spy):
        types = [kind for kind in line.types if kind != "participant-left"]
        assert types[:2] == ["call-state-changed", "reconnect"]
        assert line.types[0] == "call-state-changed"
        assert call_of(line, "call-state-changed") == over
    assert ("call-state-changed" in elsewhere.types) == (reason == "server_shutdown")


def test_an_end_that_was_told_is_not_told_again() -> None:
    house = House()
    (ana,) = house.people("ana")
    room = house.talk.rooms.find("lobby")
    assert room is not None
    end_call(house.talk, room, "room_deleted")
    end_call(house.talk, room, "server_shutdown")
    assert call_of(ana, "call-state-changed")["reason"] == "room_deleted"
