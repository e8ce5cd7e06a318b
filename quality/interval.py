"""What happened between two readings of a measure. Pure.

Totals only grow, and reading one changes nothing. A reader keeps the snapshot of its last reading; the difference to
the next one is its interval. So each measure serves any number of readers, each at a pace of its own.
"""

from dataclasses import dataclass
from typing import Protocol

from quality.sequence import PacketCount


class Snapshot(Protocol):
    """One reading of a measure: the totals of a stream at one moment."""

    @property
    def at(self) -> float:
        """When the measure was read, monotonic seconds."""

    @property
    def packets(self) -> PacketCount:
        """Packets since the stream began."""

    @property
    def octets(self) -> int:
        """Octets of payload since the stream began."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Packets and octets of payload within `seconds`. Adjacent intervals add up."""

    seconds: float
    packets: PacketCount
    octets: int

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.seconds + other.seconds, self.packets + other.packets, self.octets + other.octets)

    @property
    def packets_per_second(self) -> float:
        """Packets received a second; 0 for an interval of no time."""
        return self.packets.received / self.seconds if self.seconds > 0 else 0.0

    @property
    def bits_per_second(self) -> float:
        """Bits of payload a second; 0 for an interval of no time."""
        return self.octets * 8 / self.seconds if self.seconds > 0 else 0.0


def between(earlier: Snapshot, later: Snapshot) -> Interval:
    """The interval from one reading of a measure to a later one of the same measure."""
    return Interval(later.at - earlier.at, later.packets - earlier.packets, later.octets - earlier.octets)
