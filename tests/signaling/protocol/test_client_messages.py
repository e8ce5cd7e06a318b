import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.protocol.client_messages import CLIENT_MESSAGES, BadRequest, Ping, Signal, parse_client_message
from tests.support.wrong_types import wrong_values

GOOD = {
    "auth": {"token": "a.b.c"},
    "join": {"room": "lobby", "display_name": "Ana", "capabilities": {"red": True}, "password": "x", "invite": "y"},
    "offer": {"sdp": "v=0\r\n"},
    "ice-candidate": {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0},
    "leave": {},
    "mute": {},
    "unmute": {},
    "deafen": {},
    "undeafen": {},
    "hold": {},
    "unhold": {},
    "dtmf": {"tones": "0123456789*#ABCDabcd,", "duration_ms": 40, "gap_ms": 30},
    "participants": {},
    "message": {"to": "p", "topic": "chat", "body": "hello"},
    "signal": {"to": "p", "anything": {"at": ["all"]}},
    "moderate": {"action": "ban", "target": "p", "reason": "noise", "duration": 60},
    "ping": {"seq_ack": 3},
    "resume": {"session": "s", "secret": "x", "seq_ack": 0},
}

BAD = [
    ("auth", {}),
    ("auth", {"token": ""}),
    ("auth", {"token": "x" * 8193}),
    ("auth", {"token": 5}),
    ("join", {"room": "../up"}),
    ("join", {"room": "a\n"}),
    ("join", {"room": "ä"}),
    ("join", {"room": "a", "identity": "somebody else"}),
    ("join", {"room": "a", "display_name": None}),
    ("join", {"room": "a", "capabilities": []}),
    ("join", {"room": "a", "capabilities": {str(key): 1 for key in range(33)}}),
    ("offer", {"sdp": ""}),
    ("offer", {"sdp": b"v".decode(), "type": "offer"}),
    ("ice-candidate", {"candidate": "x", "sdpMLineIndex": "0"}),
    ("ice-candidate", {"candidate": "x", "sdpMLineIndex": True}),
    ("mute", {"now": True}),
    ("hold", {"for": 5}),
    ("dtmf", {}),
    ("dtmf", {"tones": ""}),
    ("dtmf", {"tones": "1" * 33}),
    ("dtmf", {"tones": "E"}),
    ("dtmf", {"tones": "1\n"}),
    ("dtmf", {"tones": "\N{ARABIC-INDIC DIGIT ONE}"}),
    ("dtmf", {"tones": 5}),
    ("dtmf", {"tones": "1", "duration_ms": 39}),
    ("dtmf", {"tones": "1", "duration_ms": 6001}),
    ("dtmf", {"tones": "1", "duration_ms": 100.0}),
    ("dtmf", {"tones": "1", "gap_ms": 29}),
    ("dtmf", {"tones": "1", "gap_ms": 6001}),
    ("message", {"topic": "", "body": ""}),
    ("message", {"topic": "t", "body": "x" * 16_385}),
    ("message", {"topic": "t", "body": {"not": "text"}}),
    ("signal", {}),
    ("signal", {"to": None}),
    ("moderate", {"action": "promote", "target": "p"}),
    ("moderate", {"action": "kick", "target": "p", "duration": 60}),
    ("moderate", {"action": "unban", "target": "p", "duration": 60}),
    ("moderate", {"action": "ban", "target": "p", "duration": 0}),
    ("moderate", {"action": "ban", "target": "p", "duration": 1.5}),
    ("moderate", {"action": "ban", "target": "p", "duration": 10**9}),
    ("moderate", {"action": "ban", "target": "p", "reason": "x" * 257}),
    ("moderate", {"action": "ban", "target": "p", "reason": "a\0b"}),
    ("moderate", {"action": "unban", "target": "a\0b"}),
    ("message", {"topic": "a\0b", "body": ""}),
    ("message", {"topic": "t", "body": "a\0b"}),
    ("ping", {"seq_ack": -1}),
    ("ping", {"seq_ack": False}),
    ("ping", {"seq_ack": 1.0}),
    ("resume", {"session": "s", "secret": "x"}),
]


def as_text(kind: str, payload: object) -> str:
    return json.dumps({"type": kind, "id": 7, "payload": payload})


def test_there_is_an_example_of_every_type() -> None:
    assert GOOD.keys() == CLIENT_MESSAGES.keys()


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_message_is_read(kind: str) -> None:
    request = parse_client_message(as_text(kind, GOOD[kind]))
    assert (request.type, request.id) == (kind, 7)
    assert request.payload.model_dump(exclude_unset=True) == GOOD[kind]
    assert type(request.payload) is CLIENT_MESSAGES[kind]


@pytest.mark.parametrize("kind", GOOD)
def test_no_field_of_a_message_takes_a_value_of_another_type(kind: str) -> None:
    """Nor `false` for a number, nor a number for a text; and no message takes a field that it has not."""
    wrong = [*wrong_values(CLIENT_MESSAGES[kind]), *([] if kind == "signal" else [("unknown", 1)])]
    for name, value in wrong:
        with pytest.raises(BadRequest):
            parse_client_message(as_text(kind, {**GOOD[kind], name: value}))  # type: ignore[dict-item]


@pytest.mark.parametrize(("kind", "payload"), BAD)
def test_a_bad_payload_is_refused_with_its_field_and_never_its_value(kind: str, payload: dict[str, object]) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_client_message(as_text(kind, payload))
    assert caught.value.code == "bad_message"
    assert caught.value.request_id == 7
    assert caught.value.details is not None
    assert "somebody else" not in caught.value.message


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(BadRequest) as caught:
        parse_client_message('{"type":"fly","id":"x"}')
    assert caught.value.code == "unknown_type"
    assert caught.value.request_id == "x"


def test_signal_keeps_what_the_clients_agree_on() -> None:
    payload = parse_client_message(as_text("signal", GOOD["signal"])).payload
    assert isinstance(payload, Signal)
    assert payload.model_extra == {"anything": {"at": ["all"]}}


def test_a_payload_may_be_left_out() -> None:
    assert parse_client_message('{"type":"ping"}').payload == Ping()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
FIELDS = st.sampled_from(
    ["token", "room", "sdp", "to", "topic", "body", "seq_ack", "action", "target", "secret", "session"]
)


@given(st.sampled_from(sorted(CLIENT_MESSAGES)), st.dictionaries(FIELDS | st.text(), ANYTHING), ANYTHING)
def test_no_json_raises_past_the_parser(kind: str, payload: dict[str, object], request_id: object) -> None:
    with contextlib.suppress(ClientMistake):
        parse_client_message(json.dumps({"type": kind, "id": request_id, "payload": payload}))


@given(st.data())
def test_no_mutation_of_a_good_message_raises_past_the_parser(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(GOOD)))
    text = as_text(kind, GOOD[kind])
    at = data.draw(st.integers(0, len(text)))
    mutated = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 4)) :]
    with contextlib.suppress(ClientMistake):
        parse_client_message(mutated)


def test_no_message_says_who_sends_it() -> None:
    """Who somebody is, and what they may, comes from the token alone."""
    telling = {"identity", "user", "user_id", "sub", "from", "sender", "role", "participant", "grants"}
    for kind, model in CLIENT_MESSAGES.items():
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert not names & telling, kind
        assert (kind == "signal") is (model.model_config.get("extra") != "forbid"), kind
