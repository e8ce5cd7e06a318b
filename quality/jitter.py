"""How unevenly the packets of a stream arrive (RFC 3550 section 6.4.1, appendix A.8). Pure."""

BREAK_SECONDS = 10.0
"""A step of transit time beyond this is a new time line of the sender and no jitter."""


class InterarrivalJitter:
    """Smoothed deviation of packet spacing for one RTP stream.

    RFC 3550 section 6.4.1, estimator of appendix A.8. `seconds` is the W3C `jitter`; `ticks` is the RTCP field.
    Handles the timestamp wrap at 2**32. A sender that starts a new time line (a step of more than 10 s) starts a new
    comparison and leaves the estimate as it was.
    """

    __slots__ = ("_arrival", "_break", "_estimate", "_rtp_timestamp", "clock_rate")

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self._break = BREAK_SECONDS * clock_rate
        self._estimate = 0.0
        self._arrival: float | None = None
        self._rtp_timestamp = 0

    def update(self, rtp_timestamp: int, arrival: float) -> None:
        """Take one packet: its timestamp in clock ticks, its arrival in monotonic seconds."""
        if self._arrival is not None:
            sent = ((rtp_timestamp - self._rtp_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            deviation = abs((arrival - self._arrival) * self.clock_rate - sent)
            if deviation < self._break:
                self._estimate += (deviation - self._estimate) * 0.0625
        self._arrival = arrival
        self._rtp_timestamp = rtp_timestamp

    @property
    def seconds(self) -> float:
        """The estimate in seconds, as W3C `jitter`."""
        return self._estimate / self.clock_rate

    @property
    def ticks(self) -> int:
        """The estimate in whole clock ticks, as in a report block."""
        return int(self._estimate)
