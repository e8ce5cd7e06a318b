import pytest

from signaling.carriers.http_line import ALIVE_SECONDS, HttpLine, HttpLines
from signaling.errors import ClientMistake
from signaling.limits import FloodGuard
from signaling.protocol.event_stream import EventStream
from signaling.protocol.server_messages import OK, Outgoing, frame
from signaling.protocol.session import Session


def line() -> HttpLine:
    """A line whose session is nobody's yet."""
    one = HttpLine("192.0.2.1", "curl", 100.0)
    one.session = Session(one, 100.0, FloodGuard(50, 100, 100.0), bytes)
    return one


def test_the_answer_is_what_repeats_the_id() -> None:
    one = line()
    one.collect()
    one.deliver(frame(Outgoing("slots", {"slots": []}), 1, None))
    one.deliver(frame(OK, 2, "a"))
    one.deliver(frame(OK, 3, "b"))
    answer = one.answer("a")
    assert answer is not None
    assert (answer.type, answer.seq, answer.payload) == ("ok", 2, {})
    assert answer.frame == frame(OK, 2, "a")


@pytest.mark.parametrize("request_id", [None, 5])
def test_an_error_is_the_answer_with_its_id_or_without(request_id: int | None) -> None:
    one = line()
    one.collect()
    problem = {"code": "rate_limited", "message": "slower", "details": {"burst": 100}}
    one.deliver(frame(Outgoing("error", problem), 1, request_id))
    with pytest.raises(ClientMistake) as caught:
        one.answer(5)
    assert (caught.value.code, caught.value.message, caught.value.details) == (
        "rate_limited",
        "slower",
        {"burst": 100, "retry_after": 1},
    )


def test_nothing_is_collected_but_between_the_two() -> None:
    one = line()
    one.deliver(frame(OK, 1, 5))
    assert one.answer(5) is None
    one.collect()
    assert one.answer(5) is None


def test_the_stream_gets_everything_with_the_answers_and_the_older_one_ends() -> None:
    one = line()
    first, second = EventStream(10, 1000), EventStream(10, 1000)
    one.attach(first)
    one.collect()
    one.deliver(frame(OK, 1, 5))
    one.attach(second)
    one.deliver(frame(OK, 2, 6))
    assert first.ended == "session_taken"
    assert b"id: 1\n" in first.take()
    assert b"id: 2\n" in second.take()
    one.detach(first, 500.0)
    one.deliver(frame(OK, 3, 7))
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
    one.deliver(frame(OK, 1, 5))
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
    lines, one, two = HttpLines(), line(), line()
    lines.add(one)
    lines.add(two)
    lines.add(two)
    two.close("banned")
    assert lines.take_over(101.0) == [two]
    assert lines.take_over(101.0) == []
    assert len(lines) == 1
