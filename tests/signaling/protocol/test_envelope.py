import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake, ClosingMistake
from signaling.protocol.envelope import Envelope, read_envelope

GOOD = [
    ('{"type":"ping"}', Envelope("ping", None, {})),
    (b'{"type":"ping","id":"1","payload":{}}', Envelope("ping", "1", {})),
    ('{"type":"ping","id":0,"payload":{"seq_ack":9007199254740992}}', Envelope("ping", 0, {"seq_ack": 2**53})),
    ('{"type":"m","payload":{"body":"a:b \\" {[{"}}', Envelope("m", None, {"body": 'a:b " {[{'})),
    (
        '{"type":"m","payload":{"a":[1,1.5,-2,null,true,{"a":1}]}}',
        Envelope("m", None, {"a": [1, 1.5, -2, None, True, {"a": 1}]}),
    ),
    ('{"type":"m","payload":{"b":"' + "{" * 40 + '"}}', Envelope("m", None, {"b": "{" * 40})),
    (b'{"type":"m","payload":{"b":[' + b"[]," * 20 + b"1]}}", Envelope("m", None, {"b": [[]] * 20 + [1]})),
    (
        '{"type":"m","payload":{"b":"' + "\\\\" + '","c":[' + "[]," * 20 + "1]}}",
        Envelope("m", None, {"b": "\\", "c": [[]] * 20 + [1]}),
    ),
]

BAD = [
    "",
    "nonsense",
    "[]",
    "null",
    "{}",
    '{"type":1}',
    '{"type":""}',
    '{"type":"' + "x" * 65 + '"}',
    '{"type":"ping","extra":1}',
    '{"type":"ping","id":""}',
    '{"type":"ping","id":null}',
    '{"type":"ping","id":true}',
    '{"type":"ping","id":-1}',
    '{"type":"ping","id":1.0}',
    '{"type":"ping","id":"' + "x" * 65 + '"}',
    '{"type":"ping","id":{}}',
    '{"type":"ping","id":9007199254740993}',
    '{"type":"ping","id":123456789012345678901234567890}',
    '{"type":"ping","payload":[]}',
    '{"type":"ping","payload":null}',
    '{"type":"ping","payload":1.5}',
    '{"type":"ping","type":"auth"}',
    '{"type":"ping","payload":{"a":1,"a":2}}',
    '{"type":"ping","payload":{"a":":","a":2}}',
    '{"type":"ping","payload":{"a":{"b":1,"b":2}}}',
    '{"type":"ping","payload":{"a":NaN}}',
    '{"type":"ping","payload":{"a":Infinity}}',
    '{"type":"ping","payload":{"a":1e999}}',
    '{"type":"ping","payload":{"a":[123456789012345678901234567890]}}',
    '{"type":"ping","payload":{"a":-9007199254740993}}',
    '{"type":"ping","payload":{"a":' + "[" * 15 + "]" * 15 + "}}",
    '{"type":"ping","payload":' + '{"a":' * 16 + "1" + "}" * 17,
    '{"type":"ping","payload":' + "[" * 5000,
    '{"type":"\\ud800"}',
    b'{"type":"\xff"}',
    b"",
    '{"type":"ping"}{"type":"ping"}',
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_an_envelope_is_read(text: str | bytes, expected: Envelope) -> None:
    assert read_envelope(text) == expected


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_message_is_refused(text: str | bytes) -> None:
    """What RFC 8259 leaves open, and RFC 7493 (I-JSON) closes."""
    with pytest.raises(ClientMistake) as caught:
        read_envelope(text)
    assert caught.value.code == "bad_message"


@pytest.mark.parametrize("text", ["x" * 65_537, "é" * 32_769, b"x" * 65_537, "\ud800" * 22_000])
def test_more_than_64_kib_ends_the_connection(text: str | bytes) -> None:
    with pytest.raises(ClosingMistake) as caught:
        read_envelope(text)
    assert caught.value.code == "too_large"


def test_exactly_64_kib_is_taken() -> None:
    text = '{"type":"m","payload":{"b":"' + "x" * (65_536 - 31) + '"}}'
    assert len(text) == 65_536
    assert read_envelope(text).type == "m"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), JSON_VALUES, max_size=5))
def test_any_payload_that_json_can_say_is_read_as_the_standard_library_reads_it(payload: dict[str, object]) -> None:
    text = json.dumps({"type": "m", "payload": payload}, ensure_ascii=False)
    assert read_envelope(text).payload == payload


@given(st.text() | st.binary())
def test_no_text_raises_anything_else(text: str | bytes) -> None:
    with contextlib.suppress(ClientMistake):
        read_envelope(text)
