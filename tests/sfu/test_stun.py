"""STUN as an ICE-lite server needs it (RFC 8489, RFC 8445)."""

import contextlib
import struct
from typing import Any

import pytest
from aioice import stun as codec
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.errors import MalformedPacket
from sfu.stun import (
    MAX_BYTES,
    BindingRequest,
    MappedAddress,
    binding_query,
    error_response,
    parse_request,
    read_mapped_address,
    success_response,
)

PASSWORD = "x" * 24
TRANSACTION = bytes(range(12))
ICE = {"PRIORITY": 1, "ICE-CONTROLLING": 7}


def message(
    attributes: dict[str, Any] | None = None,
    *,
    kind: codec.Class = codec.Class.REQUEST,
    method: codec.Method = codec.Method.BINDING,
    password: str | None = PASSWORD,
) -> bytes:
    sent = codec.Message(
        message_method=method, message_class=kind, transaction_id=TRANSACTION, attributes=dict(attributes or {})
    )
    if password is not None:
        sent.add_message_integrity(password.encode())
    return bytes(sent)


def check(username: str = "ours:theirs", password: str | None = PASSWORD, **more: Any) -> bytes:
    return message({"USERNAME": username, **ICE, **more}, password=password)


def request(datagram: bytes) -> BindingRequest:
    parsed = parse_request(datagram)
    assert parsed is not None
    return parsed


def reread(datagram: bytes | None) -> Any:
    assert datagram is not None
    return codec.parse_message(datagram)


# -- requests -------------------------------------------------------------------------------------------------------


def test_a_check_says_for_whom_it_is_rfc_8445_section_7_2_2() -> None:
    parsed = request(check())
    assert (parsed.local_ufrag, parsed.remote_ufrag) == ("ours", "theirs")
    assert parsed.transaction_id == TRANSACTION
    assert (parsed.controlling, parsed.controlled, parsed.use_candidate) == (True, False, False)
    assert request(message({"USERNAME": "a:b", "USE-CANDIDATE": None})).use_candidate
    assert request(message({"USERNAME": "a:b", "ICE-CONTROLLED": 1})).controlled


def test_integrity_is_looked_at_rfc_8489_section_9_1_3() -> None:
    assert request(check()).authentic(PASSWORD)
    assert not request(check()).authentic(PASSWORD + "y")
    assert not request(check(password=None)).authentic(PASSWORD)


def test_a_changed_byte_is_noticed() -> None:
    datagram = bytearray(check(password=None))
    signed = bytearray(check())
    del signed[-8:]  # without FINGERPRINT
    struct.pack_into("!H", signed, 2, len(signed) - 20)
    signed[24] ^= 1
    assert len(datagram) < len(signed)
    assert not request(bytes(signed)).authentic(PASSWORD)


def test_what_follows_the_integrity_is_not_believed_rfc_8489_section_9() -> None:
    signed = check()[:-8]
    forged = signed + struct.pack("!HH", 0x0025, 0)  # USE-CANDIDATE
    parsed = request(forged[:2] + struct.pack("!H", len(forged) - 20) + forged[4:])
    assert not parsed.use_candidate
    assert parsed.authentic(PASSWORD)


def test_a_wrong_fingerprint_is_refused_rfc_8489_section_14_7() -> None:
    datagram = bytearray(check())
    datagram[-1] ^= 1
    with pytest.raises(MalformedPacket):
        parse_request(bytes(datagram))


@pytest.mark.parametrize("username", ["", "ours", ":theirs", "ours:"])
def test_a_username_is_two_fragments(username: str) -> None:
    with pytest.raises(MalformedPacket):
        parse_request(check(username))


def test_a_check_without_username_is_refused() -> None:
    with pytest.raises(MalformedPacket):
        parse_request(message(ICE))


@pytest.mark.parametrize(
    "datagram",
    [
        message(kind=codec.Class.INDICATION, password=None),
        message(kind=codec.Class.RESPONSE, password=None),
        message(kind=codec.Class.ERROR, password=None),
        message(method=codec.Method.ALLOCATE, password=None),
    ],
)
def test_sound_stun_of_another_kind_is_none_rfc_8445_section_11(datagram: bytes) -> None:
    assert parse_request(datagram) is None


@pytest.mark.parametrize("length", [0, 1, 19, 20, 24, 40])
def test_a_truncated_check_is_refused(length: int) -> None:
    with pytest.raises(MalformedPacket):
        parse_request(check()[:length])


def test_a_check_beyond_an_ethernet_frame_is_refused() -> None:
    with pytest.raises(MalformedPacket):
        parse_request(check("ours:" + "x" * MAX_BYTES))


@pytest.mark.parametrize("at", [0, 4])
def test_two_zero_bits_and_the_cookie_rfc_8489_section_5(at: int) -> None:
    datagram = bytearray(check())
    datagram[at] ^= 0x80
    with pytest.raises(MalformedPacket):
        parse_request(bytes(datagram))


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("!HH", 0x0006, 9) + b"ours:the",
        struct.pack("!HH", 0x0006, 8) + b"ours:the" + b"\x00\x06",
        struct.pack("!HH", 0x0006, 4) + b"a:\xff\xff",
    ],
    ids=["attribute beyond the message", "length no multiple of 4", "not UTF-8"],
)
def test_an_attribute_that_cannot_be_is_refused_rfc_8489_section_14(body: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_request(struct.pack("!HHI", 0x0001, len(body), codec.COOKIE) + TRANSACTION + body)


def test_the_first_of_an_attribute_counts_rfc_8489_section_14() -> None:
    body = b"".join(struct.pack("!HH", 0x0006, 4) + name for name in (b"a:b ", b"c:d "))
    assert request(struct.pack("!HHI", 0x0001, len(body), codec.COOKIE) + TRANSACTION + body).local_ufrag == "a"


# -- responses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [("192.0.2.7", 5), ("2001:db8::7", 65535), ("2001:db8::7", 1, 0, 0)])
def test_success_says_where_the_check_came_from_rfc_8489_section_6_3_1_1(source: Any) -> None:
    response = reread(success_response(request(check()), source, PASSWORD))
    assert response.message_class == codec.Class.RESPONSE
    assert response.transaction_id == TRANSACTION
    assert response.attributes["XOR-MAPPED-ADDRESS"] == source[:2]
    assert response.check_message_integrity(PASSWORD.encode())
    assert "FINGERPRINT" in response.attributes


@given(
    source=st.tuples(st.ip_addresses().map(str), st.integers(0, 0xFFFF)),
    transaction=st.binary(min_size=12, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_what_another_codec_writes(source: tuple[str, int], transaction: bytes) -> None:
    sent = codec.Message(codec.Method.BINDING, codec.Class.REQUEST, transaction, {"USERNAME": "a:b"})
    parsed = request(bytes(sent))
    answer = codec.Message(codec.Method.BINDING, codec.Class.RESPONSE, transaction, {"XOR-MAPPED-ADDRESS": source})
    answer.add_message_integrity(PASSWORD.encode())
    assert success_response(parsed, source, PASSWORD) == bytes(answer)
    refusal = codec.Message(
        codec.Method.BINDING, codec.Class.ERROR, transaction, {"ERROR-CODE": (487, "Role Conflict")}
    )
    refusal.add_message_integrity(PASSWORD.encode())
    assert error_response(parsed, 487, PASSWORD) == bytes(refusal)
    mapped = success_response(parsed, source, PASSWORD)
    assert read_mapped_address(mapped, transaction) == MappedAddress(*source)


def test_an_error_to_an_authentic_check_is_signed() -> None:
    response = reread(error_response(request(check()), 487, PASSWORD))
    assert response.attributes["ERROR-CODE"] == (487, "Role Conflict")
    assert response.check_message_integrity(PASSWORD.encode())


@pytest.mark.parametrize("code", [400, 401])
def test_an_error_to_a_stranger_is_unsigned_and_never_longer_than_the_request(code: int) -> None:
    long = check("ours:theirs", password=None, SOFTWARE="x" * 40)
    response = error_response(request(long), code)
    assert response is not None
    assert len(response) <= len(long)
    assert "MESSAGE-INTEGRITY" not in reread(response).attributes
    assert error_response(request(message({"USERNAME": "a:b"}, password=None)), code) is None


# -- our own address ------------------------------------------------------------------------------------------------


def mapped(family: int, size: int) -> bytes:
    value = struct.pack("!BBH", 0, family, 9) + bytes(size)
    body = struct.pack("!HH", 0x0001, len(value)) + value
    return struct.pack("!HHI", 0x0101, len(body), codec.COOKIE) + TRANSACTION + body


def test_a_query_is_a_plain_request() -> None:
    sent = reread(binding_query(TRANSACTION))
    assert (sent.message_method, sent.message_class) == (codec.Method.BINDING, codec.Class.REQUEST)
    assert sent.transaction_id == TRANSACTION
    assert list(sent.attributes) == ["FINGERPRINT"]


@pytest.mark.parametrize("name", ["XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"])
def test_the_mapped_address_is_read_rfc_8489_section_14_2(name: str) -> None:
    response = message({name: ("198.51.100.4", 7882)}, kind=codec.Class.RESPONSE, password=None)
    assert read_mapped_address(response, TRANSACTION) == MappedAddress("198.51.100.4", 7882)


@pytest.mark.parametrize(
    ("datagram", "transaction"),
    [
        (message({"XOR-MAPPED-ADDRESS": ("192.0.2.1", 1)}, kind=codec.Class.RESPONSE), bytes(12)),
        (message(kind=codec.Class.RESPONSE), TRANSACTION),
        (message({"ERROR-CODE": (400, "")}, kind=codec.Class.ERROR), TRANSACTION),
        (message(), TRANSACTION),
        (b"", TRANSACTION),
        *((mapped(family, size), TRANSACTION) for family, size in ((0, 0), (0, 4), (1, 16), (2, 4), (3, 4))),
    ],
)
def test_any_other_answer_is_refused(datagram: bytes, transaction: bytes) -> None:
    with pytest.raises(MalformedPacket):
        read_mapped_address(datagram, transaction)


# -- any bytes ------------------------------------------------------------------------------------------------------


def try_to_read(datagram: bytes) -> None:
    with contextlib.suppress(MalformedPacket):
        parsed = parse_request(datagram)
        if parsed is not None:
            parsed.authentic(PASSWORD)
            success_response(parsed, ("192.0.2.1", 1), PASSWORD)
            error = error_response(parsed, 401)
            assert error is None or len(error) <= len(datagram)
    with contextlib.suppress(MalformedPacket):
        read_mapped_address(datagram, TRANSACTION)


@given(body=st.binary(max_size=200), kind=st.sampled_from([0x0001, 0x0101, 0x0111, 0x0011, 0x0FFF]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(body: bytes, kind: int) -> None:
    try_to_read(body)
    try_to_read(struct.pack("!HHI", kind, len(body), codec.COOKIE) + TRANSACTION + body)


@given(
    attributes=st.lists(
        st.tuples(
            st.sampled_from([*codec.ATTRIBUTES_BY_TYPE, 0x0042, 0x8042]), st.integers(0, 40), st.binary(max_size=40)
        ),
        max_size=6,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_attributes_are_read_or_refused(attributes: list[tuple[int, int, bytes]]) -> None:
    body = b"".join(struct.pack("!HH", kind, length) + value for kind, length, value in attributes)
    for kind in (0x0001, 0x0101):
        try_to_read(struct.pack("!HHI", kind, len(body), codec.COOKIE) + TRANSACTION + body)


@given(at=st.integers(0, 200), bits=st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_no_changed_byte_is_authentic(at: int, bits: int) -> None:
    datagram = bytearray(check())
    at %= len(datagram) - 8  # FINGERPRINT itself is not signed
    datagram[at] ^= bits
    try_to_read(bytes(datagram))
    parsed = None
    with contextlib.suppress(MalformedPacket):
        parsed = parse_request(bytes(datagram))
    assert parsed is None or not parsed.authentic(PASSWORD)
