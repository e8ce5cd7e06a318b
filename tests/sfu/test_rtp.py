import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sfu.errors import MalformedPacket
from sfu.rtp import (
    EXTENSION_HEADER,
    LEVEL_MASK,
    MAX_ELEMENTS,
    ONE_BYTE_PROFILE,
    TWO_BYTE_PROFILE,
    VOICE_BIT,
    RtpPacket,
    audio_level,
    build,
    build_extension_block,
    elements,
    find_extension,
    parse,
    parse_header,
)

WORDS = st.integers(0, 0xFFFFFFFF)
ONE_BYTE_ELEMENTS = st.lists(st.tuples(st.integers(1, 14), st.binary(min_size=1, max_size=16)), max_size=14)
TWO_BYTE_ELEMENTS = st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=20)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    rtp_timestamp=WORDS,
    ssrc=WORDS,
    payload=st.binary(max_size=60),
    marker=st.booleans(),
    csrcs=st.lists(WORDS, max_size=15).map(tuple),
    extensions=(ONE_BYTE_ELEMENTS | TWO_BYTE_ELEMENTS).map(tuple),
    padding=st.integers(0, 255),
)
PLAIN = RtpPacket(111, 1, 2, 3, b"opus")


def extended(profile, block):
    return bytes([0x90]) + build(PLAIN)[1:12] + EXTENSION_HEADER.pack(profile, len(block) // 4) + block + b"opus"


def block_of(data):
    _, _, _, _, profile, start, end, _ = parse_header(data)
    return data, profile, start, end


@given(PACKETS)
def test_rfc3550_5_1_what_is_built_is_parsed(packet):
    assert parse(build(packet)) == packet
    assert parse(memoryview(build(packet))) == packet
    assert parse(bytearray(build(packet))) == packet


def test_rfc3550_5_1_the_fixed_header():
    data = bytes.fromhex("80ef0001000000020000000300")
    assert parse_header(data) == (0xEF, 1, 2, 3, 0, 12, 12, 13)
    assert parse(data) == RtpPacket(111, 1, 2, 3, b"\0", marker=True)


@given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 16))
@example(b"", 0, 1)
def test_no_octets_raise_anything_but_malformed_packet(tail, first, identifier):
    for data in (tail, bytes([0x80 | first & 0x3F]) + tail):
        try:
            _, _, _, _, profile, start, end, payload_end = parse_header(data)
            assert 12 <= start <= end <= payload_end <= len(data)
            audio_level(data, profile, start, end, identifier)
            parse(data)
        except MalformedPacket:
            pass


@given(st.binary(max_size=80), st.sampled_from([ONE_BYTE_PROFILE, TWO_BYTE_PROFILE, 0x100F, 0x1234]))
def test_rfc8285_any_extension_block_is_read_or_refused(block, profile):
    data = extended(profile, block + bytes(-len(block) % 4))
    try:
        found = list(elements(*block_of(data)))
    except MalformedPacket:
        return
    assert len(found) <= MAX_ELEMENTS
    for identifier in range(17):
        first = next(((at, length) for name, at, length in found if name == identifier), (0, 0))
        assert find_extension(*block_of(data), identifier) == first


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 octets"),
        (b"\x80" * 11, "11 octets"),
        (bytes([0x40]) + bytes(11), "version 1"),
        (bytes([0x8F]) + bytes(59 + 11), "longer"),
        (bytes([0x90]) + bytes(11), "without its header"),
        (bytes([0x90]) + bytes(11) + b"\xbe\xde\xff\xff", "longer"),
        (bytes([0xA0]) + bytes(11), "padding of 0"),
        (bytes([0xA0]) + bytes(11) + b"\x02", "longer"),
    ],
)
def test_rfc3550_5_1_headers_that_lie_are_refused(data, why):
    with pytest.raises(MalformedPacket, match=why):
        parse_header(data)


def test_rfc3550_5_1_padding_may_be_all_there_is():
    assert parse(bytes([0xA0]) + bytes(11) + b"\x01").padding == 1


def test_fifteen_csrcs_are_skipped():
    packet = RtpPacket(0, 0, 0, 0, b"x", csrcs=tuple(range(15)))
    assert parse_header(build(packet))[-2:] == (72, 73)


@pytest.mark.parametrize("block", [b"\x10\xaa\xf0\x20", b"\x10\xaa\x01\x20"])
def test_rfc8285_4_2_id_15_and_a_zero_id_with_length_end_the_block(block):
    data = extended(ONE_BYTE_PROFILE, block + b"\x20\xbb\x00\x00")
    assert [identifier for identifier, _, _ in elements(*block_of(data))] == [1]
    assert find_extension(*block_of(data), 2) == (0, 0)
    assert data[find_extension(*block_of(data), 1)[0]] == 0xAA


def test_rfc8285_4_1_padding_lies_between_elements():
    data = extended(ONE_BYTE_PROFILE, b"\x00\x10\xaa\x00\x00\x20\xbb\x00")
    assert [(name, data[at]) for name, at, _ in elements(*block_of(data))] == [(1, 0xAA), (2, 0xBB)]
    assert find_extension(*block_of(data), 3) == (0, 0)


@pytest.mark.parametrize(
    ("profile", "block"),
    [(ONE_BYTE_PROFILE, b"\x1f\0\0\0"), (TWO_BYTE_PROFILE, b"\x01\x09\0\0"), (TWO_BYTE_PROFILE, b"\0\0\0\x01")],
)
def test_rfc8285_an_element_past_its_block_is_refused(profile, block):
    data = extended(profile, block)
    with pytest.raises(MalformedPacket):
        list(elements(*block_of(data)))
    with pytest.raises(MalformedPacket):
        find_extension(*block_of(data), 5)


@pytest.mark.parametrize("profile", [ONE_BYTE_PROFILE, TWO_BYTE_PROFILE])
def test_an_extension_bomb_is_refused_after_so_many_elements(profile):
    data = extended(profile, bytes(1200))
    with pytest.raises(MalformedPacket, match="64"):
        find_extension(*block_of(data), 1)
    with pytest.raises(MalformedPacket, match="64"):
        parse(data)
    full = extended(profile, bytes(MAX_ELEMENTS))
    assert find_extension(*block_of(full), 1) == (0, 0)
    assert parse(full).extensions == ()


def test_an_extension_of_another_profile_has_no_elements():
    data = extended(0x1234, b"\x10\xff\0\0")
    assert find_extension(*block_of(data), 1) == (0, 0)
    assert parse(data).payload == b"opus"


@pytest.mark.parametrize("others", [((3, b"\0"),), ((200, b"long"),)])
def test_rfc6464_3_the_level_and_the_voice_bit(others):
    data = build(RtpPacket(111, 1, 2, 3, b"opus", extensions=(*others, (1, bytes([0x80 | 42])))))
    octet = audio_level(*block_of(data), 1)
    assert (octet & LEVEL_MASK, octet & VOICE_BIT) == (42, 0x80)
    assert audio_level(*block_of(data), 7) == -1
    assert audio_level(*block_of(build(PLAIN)), 1) == -1


def test_rfc8285_4_3_an_empty_element_has_no_level():
    data = build(RtpPacket(111, 1, 2, 3, b"opus", extensions=((1, b""),)))
    assert audio_level(*block_of(data), 1) == -1
    assert find_extension(*block_of(data), 1) == (18, 0)


def test_what_does_not_fit_a_packet_is_not_built():
    with pytest.raises(ValueError, match="15 CSRCs"):
        build(RtpPacket(0, 0, 0, 0, csrcs=(0,) * 16))
    with pytest.raises(ValueError, match="255 octets of padding"):
        build(RtpPacket(0, 0, 0, 0, padding=256))
    with pytest.raises(ValueError, match="id of 1"):
        build_extension_block([(0, b"x")])
    with pytest.raises(ValueError, match="255 octets"):
        build_extension_block([(1, bytes(256))])
