import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.api.http_models import JoinBody
from signaling.errors import ClientMistake
from signaling.protocol.client_messages import Auth, Join, parse_client_message
from signaling.protocol.http_messages import (
    Credentials,
    auth_message,
    check_opening,
    join_answer,
    join_message,
    leave_message,
    parse_credentials,
)


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
    answer = orjson.loads(join_answer({"session": "s", "secret": "x", "name": "Ana"}, {"room": "lobby"}, 2))
    assert answer == {
        "session": "s",
        "secret": "x",
        "seq": 2,
        "welcome": {"session": "s", "secret": "x", "name": "Ana"},
        "joined": {"room": "lobby"},
    }
