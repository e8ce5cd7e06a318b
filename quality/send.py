"""Measures of one outgoing stream by its receiver's report blocks (RFC 3550 section 6.4.1). Pure."""

from dataclasses import dataclass
from typing import Protocol

from quality.round_trip import round_trip_time
from quality.sequence import nearest


class ReportedReception(Protocol):
    """The fields of an RFC 3550 report block, in wire units."""

    @property
    def fraction_lost_octet(self) -> int:
        """Loss since the report before, in 256ths."""

    @property
    def cumulative_lost(self) -> int:
        """Packets lost since the stream began; signed."""

    @property
    def highest_sequence(self) -> int:
        """Extended highest sequence number received, 32 bits; the receiver counts the cycles."""

    @property
    def interarrival_jitter(self) -> int:
        """Jitter in clock ticks."""

    @property
    def last_sender_report(self) -> int:
        """LSR: middle of the NTP timestamp of our last sender report; 0 when none came."""

    @property
    def delay_since_last_sender_report(self) -> int:
        """DLSR: units of 1/65536 s."""


@dataclass(frozen=True, slots=True)
class RemoteReceiveSnapshot:
    """One reading of a receiver's reports; fields as in `RemoteReceiveStatistics`."""

    at: float
    reports_received: int
    last_report: float | None
    packets_lost: int
    fraction_lost: float
    jitter: float
    round_trip_time: float | None
    total_round_trip_time: float
    round_trip_time_measurements: int


class RemoteReceiveStatistics:
    """How one receiver gets one of our outgoing streams, by its own reports: the W3C `remote-inbound-rtp`.

    Times in seconds, fractions 0..1. `highest_sequence` is as reported; `last_report` is monotonic seconds; these and
    `round_trip_time` are None until known. A receiver may lie: nothing here is trusted beyond its own statistics.
    """

    __slots__ = (
        "clock_rate",
        "fraction_lost",
        "highest_sequence",
        "jitter",
        "last_report",
        "packets_lost",
        "reports_received",
        "round_trip_time",
        "round_trip_time_measurements",
        "total_round_trip_time",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.fraction_lost = 0.0
        self.packets_lost = 0
        self.jitter = 0.0
        self.highest_sequence: int | None = None
        self.last_report: float | None = None
        self.reports_received = 0
        self.round_trip_time: float | None = None
        self.total_round_trip_time = 0.0
        self.round_trip_time_measurements = 0

    def update(self, block: ReportedReception, arrival_middle: int, arrival: float) -> None:
        """Take a report block that came at `arrival` (monotonic), when our NTP clock's middle was `arrival_middle`."""
        self.fraction_lost = block.fraction_lost_octet / 256
        self.packets_lost = block.cumulative_lost
        self.jitter = block.interarrival_jitter / self.clock_rate
        self.highest_sequence = block.highest_sequence
        self.last_report = arrival
        self.reports_received += 1
        measured = round_trip_time(arrival_middle, block.last_sender_report, block.delay_since_last_sender_report)
        if measured is not None:
            self.round_trip_time = measured
            self.total_round_trip_time += measured
            self.round_trip_time_measurements += 1

    def acknowledged(self, highest_sent: int) -> int | None:
        """The highest sequence number acknowledged, in our own extended count, given the highest one sent.

        None before the first report, and when the report names a packet that we have not sent. Good to within half a
        cycle: 32,767 packets behind.
        """
        if self.highest_sequence is None:
            return None
        extended = nearest(self.highest_sequence & 0xFFFF, highest_sent)
        return extended if extended <= highest_sent else None

    def snapshot(self, now: float) -> RemoteReceiveSnapshot:
        """The totals and the latest values at `now`, monotonic seconds."""
        return RemoteReceiveSnapshot(
            now,
            self.reports_received,
            self.last_report,
            self.packets_lost,
            self.fraction_lost,
            self.jitter,
            self.round_trip_time,
            self.total_round_trip_time,
            self.round_trip_time_measurements,
        )
