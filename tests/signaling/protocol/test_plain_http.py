import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.api.plain_http import JoinBody
from signaling.errors import ClientMistake
from signaling.protocol.client_messages import Auth, Join, parse_client_message
from signaling.protocol.plain_http import (
    Credentials,
    EventStream,
    auth_message,
    check_opening,
    event_block,
    join_answer,
    join_message,
    leave_message,
    parse_credentials,
    parse_last_event_id,
)
from signaling.protocol.server_messages import SERVER_MESSAGES, Outgoing, frame


def refusal(body: bytes) -> str:
    with pytest.raises(ClientMistake) as caught:
        join_message("lobby", body)
    return caught.value.code


def test_the_header_is_a_session_and_its_secret() -> None:
    credentials = parse_credentials("AAEC-_.EBES")
    assert credentials == Credentials("AAEC-_", "EBES")
    assert str(credentials) == "AAEC-_.EBES"


@given(st.text())
def test_any_header_is_read_or_refused(header: str) -> None:
    with contextlib.suppress(ClientMistake):
        assert str(parse_credentials(header)) == header


def test_a_body_becomes_the_join_of_the_room_in_the_path() -> None:
    request = parse_client_message(join_message("lobby", b'{"display_name": "Ana", "password": "sesame"}'))
    assert isinstance(request.payload, Join)
    assert (request.payload.room, request.payload.display_name, request.payload.password) == ("lobby", "Ana", "sesame")
    assert parse_client_message(join_message("lobby", b" ")).type == "join"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b"null",
        b"{} {}",
        b'{},"type":"leave"',
        b'{},"payload":{"room":"den"}',
        b'{"room": "den"}',
        b'{"display_name": "a", "display_name": "b"}',
        b'{"capabilities": {"a": {"a": 1, "a": 2}}}',
        b'{"capabilities": ' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"capabilities": {"a": NaN}}',
        b"\xff{}",
    ],
)
def test_a_body_that_is_no_object_or_more_than_one_is_refused(body: bytes) -> None:
    assert refusal(body) == "bad_message"


def test_a_body_may_be_as_large_as_a_message() -> None:
    assert refusal(b'{"display_name": "%b"}' % (b"a" * 65_536)) == "too_large"


@given(st.binary())
def test_any_body_leads_to_a_join_of_that_room_or_to_a_refusal(body: bytes) -> None:
    try:
        text = join_message("lobby", body)
    except ClientMistake:
        return
    assert orjson.loads(text)["payload"]["room"] == "lobby"


def test_the_documented_body_has_the_fields_of_the_message_but_the_room() -> None:
    assert JoinBody.model_fields.keys() == Join.model_fields.keys() - {"room"}


def test_a_token_goes_the_way_of_all_tokens() -> None:
    payload = parse_client_message(auth_message("e.y.J")).payload
    assert isinstance(payload, Auth)
    assert payload.token == "e.y.J"
    with pytest.raises(ClientMistake) as caught:
        auth_message("\udcff")
    assert caught.value.code == "token_invalid"


def test_only_auth_and_resume_need_no_session() -> None:
    check_opening(auth_message("token"))
    check_opening(b'{"type":"resume","payload":{"session":"a","secret":"b","seq_ack":0}}')
    for text, code in (
        (leave_message(), "unauthenticated"),
        (b'{"type":"ping"}', "unauthenticated"),
        (b"", "bad_message"),
        (b'{"type":"dance"}', "unknown_type"),
    ):
        with pytest.raises(ClientMistake) as caught:
            check_opening(text)
        assert caught.value.code == code


def test_the_answer_to_a_join_has_what_both_answers_say() -> None:
    welcome = Outgoing("welcome", {"session": "s", "secret": "x", "name": "Ana"})
    answer = orjson.loads(join_answer(welcome, Outgoing("joined", {"room": "lobby"}), 2))
    assert answer == {
        "session": "s",
        "secret": "x",
        "seq": 2,
        "welcome": {"session": "s", "secret": "x", "name": "Ana"},
        "joined": {"room": "lobby"},
    }


HELLO = (Outgoing("message", {"body": "hello"}), 7, None)
RETRY = b"retry: 1000\n\n"


@pytest.mark.parametrize("kind", SERVER_MESSAGES)
def test_a_message_is_one_event_with_its_number_and_type(kind: str) -> None:
    whole = frame(Outgoing(kind, {}), 41, None)
    assert (
        event_block(Outgoing(kind, {}), 41, None) == b"id: 41\nevent: " + kind.encode() + b"\ndata: " + whole + b"\n\n"
    )


@given(st.one_of(st.none(), st.integers(0, 2**53), st.text(min_size=1)), st.text())
def test_neither_ids_nor_payloads_break_an_event(request_id: str | int | None, body: str) -> None:
    try:
        block = event_block(Outgoing("message", {"body": body}), 3, request_id)
    except orjson.JSONEncodeError:
        return
    lines = block.decode().split("\n")
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
    stream.put(*HELLO)
    stream.watch(lambda: woken.append(1))
    stream.put(*HELLO)
    assert stream.take() == event_block(*HELLO) * 2
    assert (stream.take(), len(woken)) == (b"", 1)


@pytest.mark.parametrize(("messages", "octets"), [(3, 10_000), (100, 3 * len(event_block(*HELLO)))])
def test_a_reader_that_is_too_slow_loses_the_stream_and_what_waited(messages: int, octets: int) -> None:
    stream = EventStream(messages, octets)
    for _ in range(3):
        stream.put(*HELLO)
    assert stream.ended is None
    stream.put(*HELLO)
    assert (stream.ended, stream.take()) == ("slow_consumer", b"")
    stream.put(*HELLO)
    assert stream.take() == b""


def test_what_was_missed_comes_first_and_leaves_the_whole_queue_to_what_is_new() -> None:
    stream = EventStream(1, 2 * len(event_block(*HELLO)), [(7, HELLO[0], None)] * 200)
    stream.put(*HELLO)
    assert stream.ended is None
    assert stream.take() == RETRY + event_block(*HELLO) * 201


def test_the_first_reason_to_end_stays_and_what_waits_is_still_written() -> None:
    stream = EventStream(10, 1000)
    woken: list[int] = []
    stream.watch(lambda: woken.append(1))
    stream.put(*HELLO)
    stream.end("server_shutdown")
    stream.end("session_taken")
    assert (stream.ended, len(woken)) == ("server_shutdown", 3)
    assert stream.take() == RETRY + event_block(*HELLO)
