"""How many packets of a stream did not arrive (RFC 3550 section 6.4.1, appendix A.3). Pure."""

from dataclasses import dataclass

MAX_CUMULATIVE_LOST = 0x7FFFFF
MIN_CUMULATIVE_LOST = -0x800000


@dataclass(frozen=True, slots=True)
class LossInterval:
    """What was expected and what was lost since the interval before.

    `lost` is negative when more late packets and duplicates came than new ones were missing.
    """

    expected: int
    lost: int

    @property
    def fraction_lost(self) -> float:
        """Lost over expected, 0..1; 0 when nothing was expected or nothing lost."""
        if self.expected <= 0 or self.lost <= 0:
            return 0.0
        return min(self.lost / self.expected, 1.0)

    @property
    def fraction_lost_octet(self) -> int:
        """The same in 256ths, as in a report block: 0..255 (all lost is 255, as 256 does not fit)."""
        if self.expected <= 0 or self.lost <= 0:
            return 0
        return min((self.lost << 8) // self.expected, 255)


class PacketLoss:
    """Expected and received packets of one stream, and the difference.

    RFC 3550 appendix A.3. Late packets and duplicates count as received, so `lost` may be negative. Reading changes
    nothing; `take_interval` is the consuming read.
    """

    __slots__ = ("_expected_before", "_received_before", "expected", "received")

    def __init__(self) -> None:
        self.expected = 0
        self.received = 0
        self._expected_before = 0
        self._received_before = 0

    def update(self, expected: int, received: int) -> None:
        """Take the totals since the stream began."""
        self.expected = expected
        self.received = received

    @property
    def lost(self) -> int:
        """Packets lost since the stream began, as W3C `packets_lost`."""
        return self.expected - self.received

    @property
    def cumulative_lost(self) -> int:
        """The same held within the signed 24 bits of a report block."""
        return clamp_cumulative_lost(self.lost)

    def take_interval(self) -> LossInterval:
        """What happened since the last call; the next call starts from here."""
        expected = self.expected - self._expected_before
        received = self.received - self._received_before
        self._expected_before = self.expected
        self._received_before = self.received
        return LossInterval(expected, expected - received)


def clamp_cumulative_lost(lost: int) -> int:
    """Hold a count within signed 24 bits: it stops at the end of the range and does not wrap."""
    return max(MIN_CUMULATIVE_LOST, min(lost, MAX_CUMULATIVE_LOST))
