"""RFC 3550 appendices A.1 and A.8 in their plainest words: what the inline arithmetic of `ReceiveStatistics` equals."""

from quality.receive import BREAK_SECONDS
from quality.sequence import MAX_DROPOUT, MAX_MISORDER, SEQUENCE_MODULUS, nearest


class SequenceTracker:
    """Extended sequence numbers of one RTP stream (appendix A.1, without its probation: SRTP has shown who sends).

    `highest` is the extended highest sequence number, `base` the first one that was expected; both are None before the
    first packet. A packet that is MAX_DROPOUT or more ahead, or MAX_MISORDER or more behind, moves nothing by itself;
    when the next number follows it, the sender has restarted, and the leap is not charged as loss.
    """

    def __init__(self) -> None:
        self.base: int | None = None
        self.highest: int | None = None
        self._candidate = -1

    def update(self, sequence: int) -> int:
        """Take the 16-bit number of a packet that arrived; answer its extended number."""
        if self.highest is None or self.base is None:
            self.base = self.highest = sequence
            return sequence
        ahead = (sequence - self.highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            self.highest += ahead
            return self.highest
        if ahead > SEQUENCE_MODULUS - MAX_MISORDER:
            return self.highest + ahead - SEQUENCE_MODULUS
        if sequence == self._candidate:
            self._candidate = -1
            self.highest += ahead
            # Both packets of the restart were expected, nothing between the old run and them was.
            self.base += ahead - 2
            return self.highest
        self._candidate = (sequence + 1) & 0xFFFF
        return nearest(sequence, self.highest)

    @property
    def expected(self) -> int:
        """Packets that should have arrived so far (appendix A.3)."""
        if self.highest is None or self.base is None:
            return 0
        return self.highest - self.base + 1


class InterarrivalJitter:
    """Smoothed deviation of packet spacing for one RTP stream (section 6.4.1, appendix A.8).

    A sender that starts a new time line (a step of more than 10 s) starts a new comparison and leaves the estimate.
    """

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self._estimate = 0.0
        self._arrival: float | None = None
        self._rtp_timestamp = 0

    def update(self, rtp_timestamp: int, arrival: float) -> None:
        """Take one packet: its timestamp in clock ticks, its arrival in monotonic seconds."""
        if self._arrival is not None:
            sent = ((rtp_timestamp - self._rtp_timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            deviation = abs((arrival - self._arrival) * self.clock_rate - sent)
            if deviation < BREAK_SECONDS * self.clock_rate:
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
