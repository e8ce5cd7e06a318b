"""RTP sequence numbers without their wrap, and the packets that they count (RFC 3550 appendices A.1 and A.3). Pure."""

from dataclasses import dataclass

SEQUENCE_MODULUS = 1 << 16
MAX_DROPOUT = 3000
"""A step ahead of so many numbers may be a restart of the sender (RFC 3550 appendix A.1)."""
MAX_MISORDER = 100
"""A packet fewer numbers behind the newest is late; one further behind may be a restart."""

MAX_CUMULATIVE_LOST = 0x7FFFFF
MIN_CUMULATIVE_LOST = -0x800000


@dataclass(frozen=True, slots=True)
class PacketCount:
    """Packets of one stream that should have arrived, and that did arrive (RFC 3550 appendix A.3).

    The count covers the life of a stream, or a part of it: `later - earlier` is what happened between two readings,
    and adjacent parts add up to the whole. Late packets and duplicates count as received, so `lost` may be negative.
    """

    expected: int = 0
    received: int = 0

    def __add__(self, other: "PacketCount") -> "PacketCount":
        return PacketCount(self.expected + other.expected, self.received + other.received)

    def __sub__(self, earlier: "PacketCount") -> "PacketCount":
        return PacketCount(self.expected - earlier.expected, self.received - earlier.received)

    @property
    def lost(self) -> int:
        """Packets lost, as W3C `packets_lost`."""
        return self.expected - self.received

    @property
    def fraction_lost(self) -> float:
        """Lost over expected, 0..1; 0 when nothing was expected or nothing lost."""
        if self.expected <= 0 or self.lost <= 0:
            return 0.0
        return min(self.lost / self.expected, 1.0)

    @property
    def fraction_lost_octet(self) -> int:
        """Lost over expected in 256ths, as in a report block: 0..255 (all lost is 255, as 256 does not fit)."""
        if self.expected <= 0 or self.lost <= 0:
            return 0
        return min((self.lost << 8) // self.expected, 255)

    @property
    def cumulative_lost(self) -> int:
        """Packets lost within the signed 24 bits of a report block."""
        return clamp_cumulative_lost(self.lost)


def clamp_cumulative_lost(lost: int) -> int:
    """Clamp a count to signed 24 bits: it stops at the end of the range and does not wrap (RFC 3550 section 6.4.1)."""
    return max(MIN_CUMULATIVE_LOST, min(lost, MAX_CUMULATIVE_LOST))


def nearest(sequence: int, reference: int) -> int:
    """The extended number with the low 16 bits of `sequence` that is closest to `reference`; ties go ahead."""
    return reference + ((sequence - reference + 0x7FFF) & 0xFFFF) - 0x7FFF
