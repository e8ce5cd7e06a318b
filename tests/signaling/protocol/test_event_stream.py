import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.protocol.event_stream import EventStream, event_block, parse_last_event_id
from signaling.protocol.server_messages import SERVER_MESSAGES, Outgoing, frame

HELLO = frame(Outgoing("message", {"body": "hello"}), 7, None)
RETRY = b"retry: 1000\n\n"


@pytest.mark.parametrize("kind", SERVER_MESSAGES)
def test_a_message_is_one_event_with_its_number_and_type(kind: str) -> None:
    whole = frame(Outgoing(kind, {}), 41, None)
    assert event_block(whole) == b"id: 41\nevent: " + kind.encode() + b"\ndata: " + whole + b"\n\n"


@given(st.one_of(st.none(), st.integers(0, 2**53), st.text(min_size=1)), st.text())
def test_neither_ids_nor_payloads_break_an_event(request_id: str | int | None, body: str) -> None:
    try:
        whole = frame(Outgoing("message", {"body": body}), 3, request_id)
    except orjson.JSONEncodeError:
        return
    lines = event_block(whole).decode().split("\n")
    assert lines[:2] == ["id: 3", "event: message"]
    assert orjson.loads(lines[2].removeprefix("data: "))["payload"] == {"body": body}
    assert lines[3:] == ["", ""]


@given(st.text())
def test_any_text_is_a_number_or_is_refused(text: str) -> None:
    with contextlib.suppress(ClientMistake):
        assert 0 <= parse_last_event_id(text) <= 2**53


def test_without_a_number_nothing_has_been_read() -> None:
    assert (parse_last_event_id(None), parse_last_event_id(""), parse_last_event_id("17")) == (0, 0, 17)
    for text in ("-1", "1.0", "x", "9" * 17, str(2**53 + 1), "١"):  # noqa: RUF001 - a digit, but none of ASCII's
        with pytest.raises(ClientMistake):
            parse_last_event_id(text)


def test_what_waits_is_taken_at_once_and_in_order() -> None:
    stream = EventStream(10, 1000)
    woken: list[int] = []
    assert stream.take() == RETRY
    stream.put(HELLO)
    stream.watch(lambda: woken.append(1))
    stream.put(HELLO)
    assert stream.take() == event_block(HELLO) * 2
    assert (stream.take(), len(woken)) == (b"", 1)


@pytest.mark.parametrize(("messages", "octets"), [(3, 10_000), (100, 3 * len(event_block(HELLO)))])
def test_a_reader_that_is_too_slow_loses_the_stream_and_what_waited(messages: int, octets: int) -> None:
    stream = EventStream(messages, octets)
    for _ in range(3):
        stream.put(HELLO)
    assert stream.ended is None
    stream.put(HELLO)
    assert (stream.ended, stream.take()) == ("slow_consumer", b"")
    stream.put(HELLO)
    assert stream.take() == b""


def test_what_was_missed_comes_first_and_leaves_the_whole_queue_to_what_is_new() -> None:
    stream = EventStream(1, 2 * len(HELLO), [HELLO] * 200)
    stream.put(HELLO)
    assert stream.ended is None
    assert stream.take() == RETRY + event_block(HELLO) * 201


def test_the_first_reason_to_end_stays_and_what_waits_is_still_written() -> None:
    stream = EventStream(10, 1000)
    woken: list[int] = []
    stream.watch(lambda: woken.append(1))
    stream.put(HELLO)
    stream.end("server_shutdown")
    stream.end("session_taken")
    assert (stream.ended, len(woken)) == ("server_shutdown", 3)
    assert stream.take() == RETRY + event_block(HELLO)
