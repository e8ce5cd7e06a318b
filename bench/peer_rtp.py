"""The peer's RTP: packets as octets, written and read without the server's code."""

import struct
from dataclasses import dataclass

SAMPLES = 960
"""RTP ticks of a packet of 20 ms."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet from the server. `extensions` maps ids to values; `mid` is that of the answer's m-line."""

    mid: str | None
    ssrc: int
    payload_type: int
    sequence: int
    timestamp: int
    marker: bool
    extensions: dict[int, bytes]
    payload: bytes
    at: float


@dataclass(slots=True)
class Outgoing:
    """Where one SSRC of the peer stands."""

    ssrc: int
    sequence: int
    timestamp: int
    packets: int = 0
    octets: int = 0


@dataclass(frozen=True, slots=True)
class Fields:
    """What one packet says beside its payload; None is the usual.

    `csrcs`, `padding` (octets, the last of them says how many), `block` (a whole extension block instead of level and
    MID) are for packets that no browser sends. `level` is -dBov, 30 a voice.
    """

    ssrc: int | None = None
    sequence: int | None = None
    timestamp: int | None = None
    payload_type: int | None = None
    marker: bool = False
    level: int = 30
    csrcs: int = 0
    padding: bytes = b""
    block: bytes | None = None


USUAL = Fields()


def write_packet(state: Outgoing, fields: Fields, payload_type: int, block: bytes, payload: bytes) -> bytes:
    """One RTP packet, after which `state` has moved on to the next."""
    sequence = state.sequence if fields.sequence is None else fields.sequence
    timestamp = state.timestamp if fields.timestamp is None else fields.timestamp
    state.sequence = (sequence + 1) & 0xFFFF
    state.timestamp = (timestamp + SAMPLES) & 0xFFFFFFFF
    state.packets += 1
    state.octets += len(payload)
    extension = block if fields.block is None else fields.block
    number = payload_type if fields.payload_type is None else fields.payload_type
    first = 0x80 | (0x20 if fields.padding else 0) | (0x10 if extension else 0) | fields.csrcs
    header = struct.pack("!BBHII", first, number | (0x80 if fields.marker else 0), sequence, timestamp, state.ssrc)
    return header + bytes(4 * fields.csrcs) + extension + payload + fields.padding


def extension_block(level_id: int | None, level: int, mid_id: int | None, mid: str) -> bytes:
    """Level (RFC 6464) and MID in the one-byte form (RFC 8285 section 4.2); nothing where there is neither."""
    body = b""
    if level_id is not None:
        body += bytes([level_id << 4, 0x80 | level])
    if mid_id is not None:
        body += bytes([mid_id << 4 | len(mid) - 1]) + mid.encode()
    if not body:
        return b""
    body += bytes(-len(body) % 4)
    return struct.pack("!HH", 0xBEDE, len(body) // 4) + body


def read_packet(packet: bytes, at: float) -> Heard:
    """Take a decrypted packet apart; `mid` is filled in by whoever knows the answer."""
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
    start = 12 + 4 * (first & 0x0F)
    extensions: dict[int, bytes] = {}
    if first & 0x10:
        (words,) = struct.unpack_from("!H", packet, start + 2)
        end = start + 4 + 4 * words
        position = start + 4
        while position < end:
            identifier, length = packet[position] >> 4, (packet[position] & 0x0F) + 1
            if identifier:
                extensions[identifier] = packet[position + 1 : position + 1 + length]
            position += 1 + length if identifier else 1
        start = end
    stop = len(packet) - (packet[-1] if first & 0x20 else 0)
    return Heard(
        None, ssrc, second & 0x7F, sequence, timestamp, bool(second & 0x80), extensions, packet[start:stop], at
    )


@dataclass(slots=True)
class Count:
    """What came on one SSRC: packets, the first and the newest sequence number (extended), and when the newest came."""

    packets: int = 0
    first: int = -1
    highest: int = -1
    octets: int = 0
    last_at: float = 0.0

    def take(self, sequence: int, octets: int, at: float) -> None:
        """Count one packet."""
        self.packets += 1
        self.octets += octets
        self.last_at = at
        if self.highest < 0:
            self.first = self.highest = sequence
            return
        ahead = (sequence - self.highest) & 0xFFFF
        if ahead < 0x8000:
            self.highest += ahead

    @property
    def lost(self) -> int:
        """Packets that never came, of those up to the newest."""
        return max(0, self.highest - self.first + 1 - self.packets) if self.packets else 0
