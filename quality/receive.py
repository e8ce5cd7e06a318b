"""Measures of one inbound stream: packets, loss, jitter, its sender's reports. Pure."""

from dataclasses import dataclass

from quality.round_trip import LastReport, round_trip_time
from quality.sequence import MAX_DROPOUT, MAX_MISORDER, SEQUENCE_MODULUS, PacketCount, nearest

BREAK_SECONDS = 10.0
"""A step of transit time beyond this is a new time line of the sender and no jitter."""


@dataclass(frozen=True, slots=True)
class ReceiveSnapshot:
    """One reading of an inbound stream (`interval.Snapshot`).

    `octets` of payload; `jitter` and `round_trip_time` in seconds; `last_arrival` in monotonic seconds. What is not
    known is None.
    """

    at: float
    packets: PacketCount
    octets: int
    jitter: float
    round_trip_time: float | None
    last_arrival: float | None


class ReceiveStatistics:
    """Statistics of one inbound stream, in the W3C's names and units where it has them.

    `add` runs once a packet. It has the arithmetic of RFC 3550 appendices A.1, A.3 and A.8 inline, as calls would cost
    more than the arithmetic; the tests compare it with the RFC's own form (`tests/quality/rfc3550.py`). The jitter is
    right over the timestamp wrap at 2**32. `packets_received` and `bytes_received` are totals; `last_arrival` is
    monotonic seconds, None before the first packet. Reading changes nothing.
    """

    __slots__ = (
        "_base",
        "_break",
        "_candidate",
        "_highest",
        "_jitter",
        "_rtp_timestamp",
        "bytes_received",
        "clock_rate",
        "last_arrival",
        "last_sender_report",
        "packets_received",
        "round_trip_time",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.packets_received = 0
        self.bytes_received = 0
        self.last_arrival: float | None = None
        self.last_sender_report = LastReport()
        self.round_trip_time: float | None = None
        self._base = 0
        self._highest = 0
        self._candidate = -1
        self._rtp_timestamp = 0
        self._jitter = 0.0
        self._break = BREAK_SECONDS * clock_rate

    def add(self, sequence: int, rtp_timestamp: int, arrival: float, size: int) -> int:
        """Take one packet, in order of arrival; answer its extended sequence number.

        RFC 3550 appendices A.1, A.3 and A.8. `size` is octets of payload without header and padding (W3C
        `bytes_received`); `arrival` is monotonic seconds.
        """
        last_arrival = self.last_arrival
        self.last_arrival = arrival
        self.packets_received += 1
        self.bytes_received += size
        if last_arrival is None:
            self._base = self._highest = sequence
            self._rtp_timestamp = rtp_timestamp
            return sequence
        deviation = (arrival - last_arrival) * self.clock_rate - (
            ((rtp_timestamp - self._rtp_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        )
        self._rtp_timestamp = rtp_timestamp
        if deviation < 0.0:
            deviation = -deviation
        if deviation < self._break:
            self._jitter += (deviation - self._jitter) * 0.0625
        highest = self._highest
        ahead = (sequence - highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            self._highest = highest = highest + ahead
            return highest
        return self._astray(sequence, ahead)

    def add_untimed(self, sequence: int, rtp_timestamp: int, arrival: float, size: int) -> int:
        """As `add`, for a packet whose timestamp is not the time of its sending; the jitter stays as it is.

        All packets of a telephone event have the timestamp of its beginning (RFC 4733 section 2.2.1).
        """
        if self.last_arrival is not None:
            rtp_timestamp = self._rtp_timestamp + round((arrival - self.last_arrival) * self.clock_rate)
        return self.add(sequence, rtp_timestamp & 0xFFFFFFFF, arrival, size)

    def _astray(self, sequence: int, ahead: int) -> int:
        """Place a packet that does not carry the stream forward: late, or the start of a new run."""
        if ahead > SEQUENCE_MODULUS - MAX_MISORDER:
            return self._highest + ahead - SEQUENCE_MODULUS
        if sequence == self._candidate:
            self._candidate = -1
            self._highest += ahead
            self._base += ahead - 2
            return self._highest
        self._candidate = (sequence + 1) & 0xFFFF
        return nearest(sequence, self._highest)

    def sender_reported(self, middle: int, arrival: float) -> None:
        """Take a sender report: the middle 32 bits of its NTP timestamp, and when it came."""
        self.last_sender_report.update(middle, arrival)

    def reference_echoed(self, arrival: int, last_report: int, delay: int) -> None:
        """Take the echo of our receiver reference time (RFC 3611 section 4.5); arguments as `round_trip_time`.

        An echo without a sensible time leaves the last round trip as it is.
        """
        measured = round_trip_time(arrival, last_report, delay)
        if measured is not None:
            self.round_trip_time = measured

    @property
    def jitter(self) -> float:
        """Interarrival jitter in seconds (W3C)."""
        return self._jitter / self.clock_rate

    @property
    def interarrival_jitter(self) -> int:
        """Interarrival jitter in clock ticks (RFC 3550)."""
        return int(self._jitter)

    @property
    def packets(self) -> PacketCount:
        """Packets expected and received so far."""
        expected = 0 if self.last_arrival is None else self._highest - self._base + 1
        return PacketCount(expected, self.packets_received)

    @property
    def highest_sequence(self) -> int:
        """The extended highest sequence number received, as the 32 bits of a report block; 0 before any packet."""
        return self._highest & 0xFFFFFFFF

    def snapshot(self, now: float) -> ReceiveSnapshot:
        """The totals and estimates at `now`, monotonic seconds."""
        return ReceiveSnapshot(
            now, self.packets, self.bytes_received, self.jitter, self.round_trip_time, self.last_arrival
        )
