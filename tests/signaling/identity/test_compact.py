import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.identity.compact import LONGEST_TOKEN, Header, fingerprint, read_header, read_payload
from tests.signaling.identity.forging import b64


def token(header: object) -> str:
    return f"{b64(header)}.e30.c2ln"


def test_a_header_says_algorithm_and_kid() -> None:
    """RFC 7515 section 3.1."""
    assert read_header(token({"alg": "RS256", "kid": "r1", "typ": "jwt"})) == Header("RS256", "r1")
    assert read_header(token({"alg": "HS256"})) == Header("HS256", None)


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        [],
        {},
        {"alg": 1},
        {"alg": "RS256", "kid": ""},
        {"alg": "RS256", "kid": None},
        {"alg": "RS256", "typ": None},
        {"alg": "RS256", "jku": "x"},
        '{"alg": "RS256", "alg": "RS256"}',
        '{"alg": "RS256", "kid": "a", "kid": "b"}',
    ],
)
def test_any_other_header_is_refused(header: object) -> None:
    with pytest.raises(ClientMistake) as caught:
        read_header(token(header))
    assert caught.value.code == "token_invalid"


def test_a_token_is_bounded() -> None:
    with pytest.raises(ClientMistake):
        read_header(token({"alg": "RS256"}) + "x" * LONGEST_TOKEN)


def test_rfc_7519_section_4_the_names_of_a_payload_are_unique_at_every_depth() -> None:
    assert read_payload(b'{"a": {"b": 1}}') == {"a": {"b": 1}}
    for text in (b'{"a": 1, "a": 1}', b'{"a": {"b": 1, "b": 2}}', b'{"a": [{"b": 1, "b": 2}]}', b"[]", b"1", b"\xff"):
        with pytest.raises(ClientMistake):
            read_payload(text)


def test_a_fingerprint_is_of_what_is_signed() -> None:
    """RFC 4648 section 3.5: the same signature can be written in more than one way."""
    assert fingerprint("a.b.c") == fingerprint("a.b.d")
    assert fingerprint("a.b.c") != fingerprint("a.c.c")


@given(st.binary())
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with contextlib.suppress(ClientMistake):
        read_payload(raw)
    with contextlib.suppress(ClientMistake):
        read_header(f"{b64(raw)}.a.b")


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "x"]), st.none() | st.text() | st.integers()))
def test_no_header_raises_anything_else(header: dict[str, object]) -> None:
    with contextlib.suppress(ClientMistake):
        read_header(token(json.dumps(header)))
