import pytest

from signaling.call.guessing import check_patience
from signaling.carriers.http_line import HttpLine
from signaling.carriers.http_sessions import check_room, find_session, line_of, open_stream
from signaling.errors import ClientMistake
from signaling.protocol.http_messages import Credentials
from signaling.protocol.session import Session
from tests.signaling.fakes import House, receive

ADDRESS = "192.0.2.7"


def enter(house: House, identity: str = "ana") -> tuple[HttpLine, Session]:
    """Somebody who has joined the lobby over plain HTTP."""
    line = HttpLine(ADDRESS, "curl", house.now)
    house.talk.open(line, house.now, house.token(identity))
    receive(house.talk, line, b'{"type":"join","payload":{"room":"lobby"}}', house.now)
    assert line.session is not None
    assert line.session.participant_id is not None
    return line, line.session


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises(ClientMistake) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_a_session_is_found_by_its_secret_alone() -> None:
    house = House()
    _, session = enter(house)
    right = Credentials(session.id, session.secret)
    assert find_session(house.talk, right, ADDRESS, house.now) is session
    for wrong in (Credentials(session.id, "x"), Credentials("x", session.secret)):
        assert refusal(find_session, house.talk, wrong, ADDRESS, house.now) == "unauthenticated"


def test_wrong_secrets_slow_the_address_down_and_harm_nobody_who_is_in() -> None:
    house = House(failed_auths_per_minute=3)
    _, session = enter(house)
    wrong = Credentials(session.id, "guess")
    codes = [refusal(find_session, house.talk, wrong, ADDRESS, house.now) for _ in range(4)]
    assert codes == ["unauthenticated"] * 3 + ["rate_limited"]
    assert refusal(check_patience, house.talk, ADDRESS, house.now) == "rate_limited"
    assert refusal(find_session, house.talk, Credentials("over", "x"), ADDRESS, house.now) == "rate_limited"
    assert find_session(house.talk, Credentials(session.id, session.secret), ADDRESS, house.now) is session
    assert refusal(find_session, house.talk, wrong, "192.0.2.8", house.now) == "unauthenticated"


def test_a_session_that_is_over_is_no_guess() -> None:
    house = House(failed_auths_per_minute=1)
    for _ in range(5):
        assert refusal(find_session, house.talk, Credentials("over", "x"), ADDRESS, house.now) == "unauthenticated"


def test_a_request_is_a_sign_of_life() -> None:
    house = House()
    line, session = enter(house)
    house.now += 29
    assert line_of(house.talk, session, HttpLine(ADDRESS, "", house.now), house.now) is line
    assert not line.is_over(house.now + 29)


def test_a_line_that_was_given_up_comes_back_under_the_same_secret() -> None:
    house = House()
    (ben,) = house.people("ben")
    line, session = enter(house)
    house.talk.lost(line, house.now)
    assert session.state == "away"
    assert ben.frames[-1]["payload"]["participant"]["state"] == "reconnecting"
    fresh = HttpLine(ADDRESS, "", house.now)
    secret = session.secret
    assert line_of(house.talk, session, fresh, house.now) is fresh
    assert (session.state, session.secret, session.carrier, fresh.session) == ("joined", secret, fresh, session)
    assert ben.frames[-1]["payload"]["participant"]["state"] == "joined"
    house.talk.lost(fresh, house.now)
    house.talk.lost(line, house.now)
    assert len(house.talk.lines) == 1, "lines are counted once: ben's is left"


def test_an_ended_line_that_is_still_there_gives_way() -> None:
    house = House()
    line, session = enter(house)
    line.close("rate_limited")
    fresh = HttpLine(ADDRESS, "", house.now)
    assert line_of(house.talk, session, fresh, house.now) is fresh


def test_a_session_that_another_connection_speaks_for_is_taken() -> None:
    house = House()
    ben = house.enter("ben")
    assert ben.session is not None
    assert refusal(line_of, house.talk, ben.session, HttpLine(ADDRESS, "", 0), house.now) == "session_taken"
    assert ben.session.carrier is ben


def test_who_was_banned_meanwhile_does_not_come_back() -> None:
    house = House()
    owner = house.enter("zoe", role="owner")
    line, session = enter(house)
    house.talk.lost(line, house.now)
    house.say(owner, "moderate", {"action": "ban", "target": session.participant_id})
    assert session.state == "closed"
    assert refusal(find_session, house.talk, Credentials(session.id, session.secret), ADDRESS, house.now) == (
        "unauthenticated"
    )


def test_the_path_names_the_room_that_one_is_in() -> None:
    house = House()
    _, session = enter(house)
    check_room(house.talk, session, "lobby")
    assert refusal(check_room, house.talk, session, "den") == "not_in_room"
    person = house.talk.person(session)
    person.room_id, session.home = "den", session.claims
    for room_id in ("den", "lobby"):
        check_room(house.talk, session, room_id)
    assert refusal(check_room, house.talk, session, "attic") == "not_in_room"


def test_outside_of_a_room_any_path_will_do() -> None:
    house = House()
    line, session = enter(house)
    receive(house.talk, line, b'{"type":"leave"}', house.now)
    check_room(house.talk, session, "den")


def test_a_stream_begins_with_what_was_missed_under_its_old_numbers() -> None:
    house = House()
    line, session = enter(house)
    for _ in range(3):
        receive(house.talk, line, b'{"type":"message","payload":{"topic":"chat","body":"hello"}}', house.now)
    last = session.seq
    events = open_stream(house.talk, line, last - 2, house.now).take()
    assert events.count(b"event: message") == 2
    assert f"id: {last - 1}\n".encode() in events
    assert session.seq == last
    again = open_stream(house.talk, line, last - 1, house.now).take()
    assert again.count(b"event: message") == 1


def test_without_a_number_everything_that_is_kept_comes() -> None:
    house = House()
    line, _ = enter(house)
    assert b"id: 2\nevent: joined" in open_stream(house.talk, line, 0, house.now).take()


def test_past_what_is_kept_the_whole_state_comes() -> None:
    house = House(messages_per_second=1e6, message_burst=10_000)
    line, session = enter(house)
    for _ in range(300):
        receive(house.talk, line, b'{"type":"participants","id":1}', house.now)
    session.slots = None
    stream = open_stream(house.talk, line, 2, house.now)
    events = stream.take()
    assert events.index(b"event: resume-lost") < events.index(b"event: joined")
    assert events.count(b"event: ") == 2
    assert house.talk.counters["resumes_lost"] == 1
    assert open_stream(house.talk, line, session.seq, house.now).take().count(b"event: ") == 0


def test_a_number_that_was_never_sent_is_refused() -> None:
    house = House()
    line, session = enter(house)
    assert refusal(open_stream, house.talk, line, session.seq + 1, house.now) == "bad_message"


def test_a_session_that_left_its_room_has_no_room_to_tell_of() -> None:
    house = House(messages_per_second=1e6, message_burst=10_000)
    line, _ = enter(house)
    for _ in range(300):
        receive(house.talk, line, b'{"type":"participants","id":1}', house.now)
    receive(house.talk, line, b'{"type":"leave"}', house.now)
    assert open_stream(house.talk, line, 2, house.now).take().count(b"event: ") == 1


def test_streams_and_returns_count_as_messages() -> None:
    house = House(messages_per_second=1.0, message_burst=3)
    (ben,) = house.people("ben")
    line, session = enter(house)
    open_stream(house.talk, line, 0, house.now)
    open_stream(house.talk, line, 0, house.now)
    assert refusal(open_stream, house.talk, line, 0, house.now) == "rate_limited"
    house.talk.lost(line, house.now)
    told = len(ben.frames)
    assert refusal(line_of, house.talk, session, HttpLine(ADDRESS, "", house.now), house.now) == "rate_limited"
    assert (session.state, len(ben.frames)) == ("away", told), "a flood is not passed on to the room"
    house.now += 5
    line_of(house.talk, session, HttpLine(ADDRESS, "", house.now), house.now)
    assert session.state == "joined"
