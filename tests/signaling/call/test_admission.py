from collections.abc import Callable
from datetime import timedelta

import pytest

from signaling.call.admission import check_admission, close_ended, empty_room, expel, expel_denied, is_admitted
from signaling.call.room_policy import RoomPolicy
from signaling.errors import ClientMistake
from signaling.identity.deny_list import Ban
from tests.signaling.call.test_membership import seat_of
from tests.signaling.fakes import START, FakeLine, House, pid


def ban_from_elsewhere(house: House, identity: str) -> None:
    """As if another node, or the operator, had put it on the list."""
    house.talk.records.deny_list.ban(Ban(identity, "lobby", START, "operator"))


def test_who_is_not_on_the_list_is_admitted() -> None:
    house = House()
    (ana,) = house.people("ana")
    assert ana.session is not None
    assert ana.session.claims is not None
    check_admission(house.talk, ana.session.claims)
    assert is_admitted(house.talk, ana.session.claims)


@pytest.mark.parametrize("withdrawn", [True, False])
def test_a_ban_and_a_withdrawn_token_are_told_apart(withdrawn: bool) -> None:
    house = House()
    (ana,) = house.people("ana")
    assert ana.session is not None
    claims = ana.session.claims
    assert claims is not None
    if withdrawn:
        house.talk.records.deny_list.withdraw(claims, house.utc())
    else:
        ban_from_elsewhere(house, "ana")
    with pytest.raises(ClientMistake) as caught:
        check_admission(house.talk, claims)
    assert caught.value.code == ("token_invalid" if withdrawn else "banned")
    assert caught.value.details is None
    assert not is_admitted(house.talk, claims)


def lines_in_all_states(house: House) -> dict[str, FakeLine]:
    lines = {
        "opened": house.line(),
        "authenticated": house.line(house.token("ana")),
        "joined": house.enter("ana"),
        "bystander": house.enter("ben"),
    }
    for line in lines.values():
        line.take()
    return lines


def test_everybody_who_is_on_the_list_goes_in_whatever_state() -> None:
    house = House()
    lines = lines_in_all_states(house)
    who = pid(lines["joined"])
    ban_from_elsewhere(house, "ana")
    expel_denied(house.talk, house.now)
    assert {name: line.closed for name, line in lines.items()} == {
        "opened": None,
        "authenticated": "banned",
        "joined": "banned",
        "bystander": None,
    }
    assert lines["joined"].types == ["participant-left", "reconnect"]
    assert lines["authenticated"].types == ["reconnect"]
    assert lines["bystander"].take("participant-left") == {"participant": who, "reason": "banned"}
    assert who not in house.media.people


def test_a_seat_without_a_line_goes_too() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.talk.lost(ana, house.now)
    ban_from_elsewhere(house, "ana")
    expel_denied(house.talk, house.now)
    assert (len(house.talk.sessions), house.media.people) == (0, {})


def test_an_expelled_session_frees_its_line() -> None:
    house = House(sockets_per_identity=1)
    (ana,) = house.people("ana")
    assert ana.session is not None
    expel(house.talk, ana.session, "removed", house.now)
    assert ana.closed == "forbidden"
    assert house.line(house.token("ana")).types == ["welcome"]


@pytest.mark.parametrize("path", ["auth", "join", "resume", "refresh"])
def test_the_list_is_asked_on_every_path(path: str) -> None:
    """Also where nobody here has put the person on it."""
    house = House()
    ana = house.enter("ana")
    waiting = house.line(house.token("ana"))
    seat = seat_of(ana)
    for line in (ana, waiting):
        line.take()
    ban_from_elsewhere(house, "ana")
    if path == "auth":
        assert house.line(house.token("ana")).closed == "banned"
    elif path == "join":
        house.say(waiting, "join", {"room": "lobby"})
        assert waiting.take("error")["code"] == "banned"
    elif path == "resume":
        line = house.line()
        house.say(line, "resume", seat)
        assert line.types == ["resume-lost"]
        assert ana.closed is None
    else:
        house.tick(480)
        assert "token" not in [*ana.types, *waiting.types]
        assert (ana.closed, waiting.closed) == ("banned", "banned")


def test_whom_another_server_keeps_out_goes_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    ban_from_elsewhere(house, "ana")
    house.tick(1)
    assert ana.closed is None, "nobody is asked again without news"
    monkeypatch.setattr(type(house.talk.records.deny_list), "take_news", lambda _: True)
    house.tick(1)
    assert (ana.closed, ben.closed) == ("banned", None)
    assert ben.take("participant-left")["reason"] == "banned"


def test_a_room_that_is_no_more_is_emptied_and_no_other() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    cat = house.enter("cat", room="other")
    empty_room(house.talk, "lobby", house.now)
    empty_room(house.talk, "nowhere", house.now)
    assert (ana.closed, ben.closed, cat.closed) == ("forbidden", "forbidden", None)
    assert ana.frames[-1]["payload"]["reason"] == "room_deleted"
    assert [room.id for room in house.talk.rooms] == ["other"]


def test_when_the_time_of_a_room_is_over_its_call_ends() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    room = house.talk.rooms.find("lobby")
    assert room is not None
    room.policy = RoomPolicy(version=1, scheduled_end=START + timedelta(seconds=60))
    elsewhere = house.enter("dan", "hall")
    house.tick(59)
    assert ana.closed is None
    house.tick(2)
    assert [line.closed for line in (ana, ben, elsewhere)] == ["room_closed", "room_closed", None]
    assert room.call.reason == "scheduled_end"
    assert "call-state-changed" not in elsewhere.types
    told = [frame["payload"] for frame in ana.take() if frame["type"] == "reconnect"]
    assert told == [{"action": "disconnect", "reason": "room_closed"}]
    assert house.talk.rooms.find("lobby") is None


@pytest.mark.parametrize(
    "end",
    [lambda house: empty_room(house.talk, "lobby", house.now), lambda house: close_ended(house.talk, house.now)],
)
def test_a_call_that_is_over_keeps_nobody_whatever_goes_wrong_with_one(
    end: Callable[[House], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House()
    people = [pid(line) for line in house.people("ana", "ben", "cem")]
    room = house.talk.rooms.find("lobby")
    assert room is not None
    remove = house.media.remove_participant

    def fails_once(participant_id: str) -> None:
        remove(participant_id)
        if participant_id == people[0]:
            raise ZeroDivisionError

    monkeypatch.setattr(house.media, "remove_participant", fails_once)
    room.policy = RoomPolicy(version=1, scheduled_end=START)
    with pytest.raises(ZeroDivisionError):
        end(house)
    assert house.media.removed == people, "one after the other, in the order in which they came"
    assert house.talk.rooms.find("lobby") is None
