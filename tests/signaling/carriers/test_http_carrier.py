import pytest

from signaling.call.sessions import check_failed_secrets, check_room, find_session
from signaling.carriers.http_carrier import (
    ALIVE_SECONDS,
    HttpCarrier,
    HttpCarriers,
    carrier_of,
    open_stream,
)
from signaling.errors import ClientMistake
from signaling.limits import FloodGuard
from signaling.protocol.plain_http import Credentials, EventStream
from signaling.protocol.server_messages import OK, Outgoing, frame
from signaling.protocol.session import Session
from tests.signaling.fakes import FakeServer, receive


def line() -> HttpCarrier:
    """A line whose session is nobody's yet."""
    one = HttpCarrier("192.0.2.1", "curl", 100.0)
    one.session = Session(one, 100.0, FloodGuard(50, 100, 100.0), bytes)
    return one


def test_the_answer_is_what_repeats_the_id() -> None:
    one = line()
    one.collect()
    one.deliver(Outgoing("slots", {"slots": []}), 1, None)
    one.deliver(OK, 2, "a")
    one.deliver(OK, 3, "b")
    answer = one.answer("a")
    assert answer is not None
    assert (answer.message, answer.seq) == (OK, 2)
    assert answer.frame() == frame(OK, 2, "a")


@pytest.mark.parametrize("request_id", [None, 5])
def test_an_error_is_the_answer_with_its_id_or_without(request_id: int | None) -> None:
    one = line()
    one.collect()
    problem = {"code": "rate_limited", "message": "slower", "details": {"burst": 100}}
    one.deliver(Outgoing("error", problem), 1, request_id)
    with pytest.raises(ClientMistake) as caught:
        one.answer(5)
    assert (caught.value.code, caught.value.message, caught.value.details) == (
        "rate_limited",
        "slower",
        {"burst": 100, "retry_after": 1},
    )


def test_nothing_is_collected_but_between_the_two() -> None:
    one = line()
    one.deliver(OK, 1, 5)
    assert one.answer(5) is None
    one.collect()
    assert one.answer(5) is None


def test_the_stream_gets_everything_with_the_answers_and_the_older_one_ends() -> None:
    one = line()
    first, second = EventStream(10, 1000), EventStream(10, 1000)
    one.attach(first)
    one.collect()
    one.deliver(OK, 1, 5)
    one.attach(second)
    one.deliver(OK, 2, 6)
    assert first.ended == "session_taken"
    assert b"id: 1\n" in first.take()
    assert b"id: 2\n" in second.take()
    one.detach(first, 500.0)
    one.deliver(OK, 3, 7)
    assert b"id: 3\n" in second.take()


def test_it_lives_for_30_seconds_from_the_last_request_and_as_long_as_its_stream() -> None:
    one, stream = line(), EventStream(10, 1000)
    assert not one.is_over(100.0 + ALIVE_SECONDS)
    assert one.is_over(100.1 + ALIVE_SECONDS)
    one.heard(120.0)
    assert not one.is_over(120.0 + ALIVE_SECONDS)
    one.attach(stream)
    assert not one.is_over(9999.0)
    one.detach(stream, 9999.0)
    assert not one.is_over(9999.0 + ALIVE_SECONDS)
    assert one.is_over(9999.1 + ALIVE_SECONDS)
    one.waiting = 1
    assert not one.is_over(99999.0), "a request is under way"


def test_closing_ends_the_stream_and_the_line_speaks_for_nobody() -> None:
    one, stream = line(), EventStream(10, 1000)
    one.attach(stream)
    one.close("banned")
    one.close("slow_consumer")
    one.deliver(OK, 1, 5)
    assert (one.ended, stream.ended, one.is_spent, one.is_over(100.0)) == ("banned", "banned", True, True)
    assert b"id:" not in stream.take()
    with pytest.raises(ClientMistake) as caught:
        one.speaker()
    assert caught.value.code == "banned"


def test_whoever_has_not_authenticated_leaves_no_line_behind() -> None:
    one = line()
    assert one.is_spent
    assert one.session is not None
    one.session.step("auth")
    assert not one.is_spent
    assert one.speaker() is one.session
    one.session = None
    assert one.is_over(100.0)
    with pytest.raises(ClientMistake) as caught:
        one.speaker()
    assert caught.value.code == "unauthenticated"


def test_the_lines_that_are_over_are_taken_once() -> None:
    lines, one, two = HttpCarriers(), line(), line()
    lines.add(one)
    lines.add(two)
    lines.add(two)
    two.close("banned")
    assert lines.take_over(101.0) == [two]
    assert lines.take_over(101.0) == []
    assert len(lines) == 1


ADDRESS = "192.0.2.7"


def enter(server: FakeServer, identity: str = "ana") -> tuple[HttpCarrier, Session]:
    """Somebody who has joined the lobby over plain HTTP."""
    line = HttpCarrier(ADDRESS, "curl", server.now)
    server.conversation.open(line, server.now, server.token(identity))
    receive(server.conversation, line, b'{"type":"join","payload":{"room":"lobby"}}', server.now)
    assert line.session is not None
    assert line.session.participant_id is not None
    return line, line.session


def refusal(call: object, *arguments: object) -> str:
    with pytest.raises(ClientMistake) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def test_a_session_is_found_by_its_secret_alone() -> None:
    server = FakeServer()
    _, session = enter(server)
    right = Credentials(session.id, session.secret)
    assert find_session(server.conversation, right, ADDRESS, server.now) is session
    for wrong in (Credentials(session.id, "x"), Credentials("x", session.secret)):
        assert refusal(find_session, server.conversation, wrong, ADDRESS, server.now) == "unauthenticated"


def test_wrong_secrets_slow_the_address_down_and_harm_nobody_who_is_in() -> None:
    server = FakeServer(failed_auths_per_minute=3)
    _, session = enter(server)
    wrong = Credentials(session.id, "guess")
    codes = [refusal(find_session, server.conversation, wrong, ADDRESS, server.now) for _ in range(4)]
    assert codes == ["unauthenticated"] * 3 + ["rate_limited"]
    assert refusal(check_failed_secrets, server.conversation, ADDRESS, server.now) == "rate_limited"
    assert refusal(find_session, server.conversation, Credentials("over", "x"), ADDRESS, server.now) == "rate_limited"
    assert find_session(server.conversation, Credentials(session.id, session.secret), ADDRESS, server.now) is session
    assert refusal(find_session, server.conversation, wrong, "192.0.2.8", server.now) == "unauthenticated"


def test_a_session_that_is_over_is_no_guess() -> None:
    server = FakeServer(failed_auths_per_minute=1)
    for _ in range(5):
        assert (
            refusal(find_session, server.conversation, Credentials("over", "x"), ADDRESS, server.now)
            == "unauthenticated"
        )


def test_a_request_is_a_sign_of_life() -> None:
    server = FakeServer()
    line, session = enter(server)
    server.now += 29
    assert carrier_of(server.conversation, session, HttpCarrier(ADDRESS, "", server.now), server.now) is line
    assert not line.is_over(server.now + 29)


def test_a_line_that_was_given_up_comes_back_under_the_same_secret() -> None:
    server = FakeServer()
    (ben,) = server.people("ben")
    line, session = enter(server)
    server.conversation.lost(line, server.now)
    assert session.state == "away"
    assert ben.frames[-1]["payload"]["participant"]["state"] == "reconnecting"
    fresh = HttpCarrier(ADDRESS, "", server.now)
    secret = session.secret
    assert carrier_of(server.conversation, session, fresh, server.now) is fresh
    assert (session.state, session.secret, session.carrier, fresh.session) == ("joined", secret, fresh, session)
    assert ben.frames[-1]["payload"]["participant"]["state"] == "joined"
    server.conversation.lost(fresh, server.now)
    server.conversation.lost(line, server.now)
    assert len(server.conversation.connections) == 1, "lines are counted once: ben's is left"


def test_an_ended_line_that_is_still_there_gives_way() -> None:
    server = FakeServer()
    line, session = enter(server)
    line.close("rate_limited")
    fresh = HttpCarrier(ADDRESS, "", server.now)
    assert carrier_of(server.conversation, session, fresh, server.now) is fresh


def test_a_session_that_another_connection_speaks_for_is_taken() -> None:
    server = FakeServer()
    ben = server.enter("ben")
    assert ben.session is not None
    assert (
        refusal(carrier_of, server.conversation, ben.session, HttpCarrier(ADDRESS, "", 0), server.now)
        == "session_taken"
    )
    assert ben.session.carrier is ben


def test_who_was_banned_meanwhile_does_not_come_back() -> None:
    server = FakeServer()
    owner = server.enter("zoe", role="owner")
    line, session = enter(server)
    server.conversation.lost(line, server.now)
    server.say(owner, "moderate", {"action": "ban", "target": session.participant_id})
    assert session.state == "closed"
    assert refusal(find_session, server.conversation, Credentials(session.id, session.secret), ADDRESS, server.now) == (
        "unauthenticated"
    )


def test_the_path_names_the_room_that_one_is_in() -> None:
    server = FakeServer()
    _, session = enter(server)
    check_room(server.conversation, session, "lobby")
    assert refusal(check_room, server.conversation, session, "den") == "not_in_room"
    person = server.conversation.person(session)
    person.room_id, session.home = "den", session.claims
    for room_id in ("den", "lobby"):
        check_room(server.conversation, session, room_id)
    assert refusal(check_room, server.conversation, session, "attic") == "not_in_room"


def test_outside_of_a_room_any_path_will_do() -> None:
    server = FakeServer()
    line, session = enter(server)
    receive(server.conversation, line, b'{"type":"leave"}', server.now)
    check_room(server.conversation, session, "den")


def test_a_stream_begins_with_what_was_missed_under_its_old_numbers() -> None:
    server = FakeServer()
    line, session = enter(server)
    for _ in range(3):
        receive(server.conversation, line, b'{"type":"message","payload":{"topic":"chat","body":"hello"}}', server.now)
    last = session.seq
    events = open_stream(server.conversation, line, last - 2, server.now).take()
    assert events.count(b"event: message") == 2
    assert f"id: {last - 1}\n".encode() in events
    assert session.seq == last
    again = open_stream(server.conversation, line, last - 1, server.now).take()
    assert again.count(b"event: message") == 1


def test_without_a_number_everything_that_is_kept_comes() -> None:
    server = FakeServer()
    line, _ = enter(server)
    assert b"id: 2\nevent: joined" in open_stream(server.conversation, line, 0, server.now).take()


def test_past_what_is_kept_the_whole_state_comes() -> None:
    server = FakeServer(messages_per_second=1e6, message_burst=10_000)
    line, session = enter(server)
    for _ in range(300):
        receive(server.conversation, line, b'{"type":"participants","id":1}', server.now)
    session.slots = None
    stream = open_stream(server.conversation, line, 2, server.now)
    events = stream.take()
    assert events.index(b"event: resume-lost") < events.index(b"event: joined")
    assert events.count(b"event: ") == 2
    assert server.conversation.counters["resumes_lost"] == 1
    assert open_stream(server.conversation, line, session.seq, server.now).take().count(b"event: ") == 0


def test_a_number_that_was_never_sent_is_refused() -> None:
    server = FakeServer()
    line, session = enter(server)
    assert refusal(open_stream, server.conversation, line, session.seq + 1, server.now) == "bad_message"


def test_a_session_that_left_its_room_has_no_room_to_tell_of() -> None:
    server = FakeServer(messages_per_second=1e6, message_burst=10_000)
    line, _ = enter(server)
    for _ in range(300):
        receive(server.conversation, line, b'{"type":"participants","id":1}', server.now)
    receive(server.conversation, line, b'{"type":"leave"}', server.now)
    assert open_stream(server.conversation, line, 2, server.now).take().count(b"event: ") == 1


def test_streams_and_returns_count_as_messages() -> None:
    server = FakeServer(messages_per_second=1.0, message_burst=3)
    (ben,) = server.people("ben")
    line, session = enter(server)
    open_stream(server.conversation, line, 0, server.now)
    open_stream(server.conversation, line, 0, server.now)
    assert refusal(open_stream, server.conversation, line, 0, server.now) == "rate_limited"
    server.conversation.lost(line, server.now)
    told = len(ben.frames)
    assert (
        refusal(carrier_of, server.conversation, session, HttpCarrier(ADDRESS, "", server.now), server.now)
        == "rate_limited"
    )
    assert (session.state, len(ben.frames)) == ("away", told), "a flood is not passed on to the room"
    server.now += 5
    carrier_of(server.conversation, session, HttpCarrier(ADDRESS, "", server.now), server.now)
    assert session.state == "joined"
