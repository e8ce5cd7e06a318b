"""RTP headers and their extensions (RFC 3550 section 5.1, RFC 8285, RFC 6464). Pure.

`parse_header`, `find_extension` and `audio_level` are on the way of every packet: they answer plain tuples and
integers. `parse` and `build` go through `RtpPacket` and are for everything else. The payload is opaque. Whatever is
wrong with the bytes raises MalformedPacket and nothing else.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct

from sfu.errors import MalformedPacket

Octets = bytes | bytearray | memoryview

FIXED_HEADER = Struct("!BBHLL")
FIXED_HEADER_SIZE = 12
EXTENSION_HEADER = Struct("!HH")

NO_EXTENSION = 0
ONE_BYTE_PROFILE = 0xBEDE
TWO_BYTE_PROFILE = 0x1000
"""With the low four bits free for the application (RFC 8285 section 4.3)."""

MAX_ELEMENTS = 64
"""Extension elements, padding octets among them, that are looked at in one packet."""

VOICE_BIT = 0x80
LEVEL_MASK = 0x7F

_unpack_fixed = FIXED_HEADER.unpack_from
_unpack_extension = EXTENSION_HEADER.unpack_from


def parse_header(packet: Octets) -> tuple[int, int, int, int, int, int, int, int]:
    """Take a decrypted RTP packet apart, for the hot path.

    RFC 3550 sections 5.1 and 5.3.1. Answers `(second, sequence, rtp_timestamp, ssrc, profile, extension_start,
    payload_start, payload_end)`: `second` is the marker bit (0x80) and the payload type; the extension block, when
    `profile` is not NO_EXTENSION, reaches from `extension_start` to `payload_start`; padding begins at `payload_end`.
    """
    size = len(packet)
    if size < 12:
        raise MalformedPacket(f"RTP packet of {size} octets")
    first, second, sequence, rtp_timestamp, ssrc = _unpack_fixed(packet)
    if first & 0xC0 != 0x80:
        raise MalformedPacket(f"RTP version {first >> 6}")
    start = 12 + (first & 0x0F) * 4
    extension = start
    profile = 0
    if first & 0x10:
        if start + 4 > size:
            raise MalformedPacket("RTP header extension without its header")
        profile, words = _unpack_extension(packet, start)
        extension = start + 4
        start = extension + words * 4
    end = size
    if first & 0x20:
        padding = packet[size - 1]
        if padding == 0:
            raise MalformedPacket("RTP padding of 0 octets")
        end = size - padding
    if start > end:
        raise MalformedPacket("RTP header and padding are longer than the packet")
    return second, sequence, rtp_timestamp, ssrc, profile, extension, start, end


def find_extension(packet: Octets, profile: int, start: int, end: int, identifier: int) -> tuple[int, int]:
    """Offset and length of the first extension element with this id; (0, 0) when there is none.

    RFC 8285 sections 4.2 and 4.3; the block reaches from `start` to `end`, as `parse_header` answers them. A profile
    of neither form has no elements. An element that is really empty has its offset and length 0.
    """
    if profile == ONE_BYTE_PROFILE:
        at = start
        for _ in range(MAX_ELEMENTS):
            if at >= end:
                return 0, 0
            head = packet[at]
            if head == 0:
                at += 1
                continue
            found = head >> 4
            if found in (0, 15):
                return 0, 0
            length = (head & 0x0F) + 1
            if at + 1 + length > end:
                raise MalformedPacket("RTP extension element past its block")
            if found == identifier:
                return at + 1, length
            at += 1 + length
        if at < end:
            raise MalformedPacket(f"more than {MAX_ELEMENTS} RTP extension elements")
        return 0, 0
    for found, offset, length in elements(packet, profile, start, end):
        if found == identifier:
            return offset, length
    return 0, 0


def elements(packet: Octets, profile: int, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Every extension element as (id, offset, length); arguments as `find_extension`.

    Padding is passed over. In the one-byte form id 15, and id 0 with a length, end the block (RFC 8285 section 4.2).
    """
    one_byte = profile == ONE_BYTE_PROFILE
    if not one_byte and profile & 0xFFF0 != TWO_BYTE_PROFILE:
        return
    at = start
    steps = 0
    while at < end:
        steps += 1
        if steps > MAX_ELEMENTS:
            raise MalformedPacket(f"more than {MAX_ELEMENTS} RTP extension elements")
        head = packet[at]
        at += 1
        if head == 0:
            continue
        if one_byte:
            identifier, length = head >> 4, (head & 0x0F) + 1
            if identifier in (0, 15):
                return
        else:
            if at >= end:
                raise MalformedPacket("RTP extension element without its length")
            identifier, length = head, packet[at]
            at += 1
        if at + length > end:
            raise MalformedPacket("RTP extension element past its block")
        yield identifier, at, length
        at += length


def audio_level(packet: Octets, profile: int, start: int, end: int, identifier: int) -> int:
    """The octet of the audio level extension (RFC 6464 section 3), or -1 where the packet has none.

    `octet & LEVEL_MASK` is the level in -dBov (0 loudest, 127 silence), `octet & VOICE_BIT` the sender's opinion that
    it is voice. Arguments as `find_extension`.
    """
    offset, length = find_extension(packet, profile, start, end, identifier)
    return packet[offset] if length else -1


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet. `extensions` are (id, value) in order; `padding` counts its octets, the last one included.

    Extensions are built in the one-byte form where all of them fit it (ids 1..14, values of 1..16 octets), else in
    the two-byte form (RFC 8285 section 4).
    """

    payload_type: int
    sequence: int
    rtp_timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extensions: tuple[tuple[int, bytes], ...] = ()
    padding: int = 0


def parse(packet: Octets) -> RtpPacket:
    """The whole packet, every extension element too. Raises MalformedPacket."""
    second, sequence, rtp_timestamp, ssrc, profile, extension, start, end = parse_header(packet)
    csrc_count = packet[0] & 0x0F
    found = elements(packet, profile, extension, start) if profile else ()
    return RtpPacket(
        payload_type=second & 0x7F,
        sequence=sequence,
        rtp_timestamp=rtp_timestamp,
        ssrc=ssrc,
        payload=bytes(packet[start:end]),
        marker=bool(second & 0x80),
        csrcs=tuple(
            int.from_bytes(packet[at : at + 4], "big")
            for at in range(FIXED_HEADER_SIZE, FIXED_HEADER_SIZE + 4 * csrc_count, 4)
        ),
        extensions=tuple((identifier, bytes(packet[at : at + length])) for identifier, at, length in found),
        padding=len(packet) - end,
    )


def build(packet: RtpPacket) -> bytes:
    """The octets of a packet. Raises ValueError where it does not fit an RTP packet: the mistake would be ours."""
    if len(packet.csrcs) > 15 or not 0 <= packet.padding <= 255:
        raise ValueError("an RTP packet has at most 15 CSRCs and 255 octets of padding")
    block = build_extension_block(packet.extensions) if packet.extensions else b""
    first = 0x80 | (0x20 if packet.padding else 0) | (0x10 if block else 0) | len(packet.csrcs)
    second = (0x80 if packet.marker else 0) | (packet.payload_type & 0x7F)
    head = FIXED_HEADER.pack(
        first, second, packet.sequence & 0xFFFF, packet.rtp_timestamp & 0xFFFFFFFF, packet.ssrc & 0xFFFFFFFF
    )
    csrcs = b"".join(csrc.to_bytes(4, "big") for csrc in packet.csrcs)
    padding = bytes(packet.padding - 1) + bytes([packet.padding]) if packet.padding else b""
    return head + csrcs + block + packet.payload + padding


def build_extension_block(extensions: Iterable[tuple[int, bytes]]) -> bytes:
    """The header extension of a packet, with its own four-octet header, from (id, value) in order.

    RFC 8285: one-byte form where every element fits it (ids 1..14, 1..16 octets), else two-byte form. Raises
    ValueError for an element that fits neither.
    """
    listed = list(extensions)
    if any(not 1 <= identifier <= 255 or len(value) > 255 for identifier, value in listed):
        raise ValueError("an RTP extension element has an id of 1..255 and at most 255 octets")
    one_byte = all(identifier <= 14 and 1 <= len(value) <= 16 for identifier, value in listed)
    if one_byte:
        body = b"".join(bytes([identifier << 4 | len(value) - 1]) + value for identifier, value in listed)
    else:
        body = b"".join(bytes([identifier, len(value)]) + value for identifier, value in listed)
    body += bytes(-len(body) % 4)
    return EXTENSION_HEADER.pack(ONE_BYTE_PROFILE if one_byte else TWO_BYTE_PROFILE, len(body) // 4) + body
