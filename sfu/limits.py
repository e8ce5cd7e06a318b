"""Limits on packets from outside, cheap enough for every packet."""

import enum
from collections.abc import Hashable
from typing import Final


class SourceLimiter:
    """At most `per_second` unauthenticated packets from one source within a second.

    Memory is fixed: sources share `buckets` counters of one byte, and all start again with each second. Two sources in
    one bucket share its limit. A false positive costs a stranger a retransmission; nobody who is bound is asked here.
    The window is fixed, so that two hundred may pass across the turn of a second.
    """

    __slots__ = ("_counts", "_limit", "_until", "refused")

    def __init__(self, per_second: int = 100, buckets: int = 8192) -> None:
        if not 1 <= per_second <= 255:
            raise ValueError("per_second counts in one byte: 1-255")
        self._limit = per_second
        self._counts = bytearray(buckets)
        self._until = float("-inf")
        self.refused = 0

    def allow(self, source: Hashable, now: float) -> bool:
        """Count one packet. False when it is to be dropped."""
        if now >= self._until:
            self._counts = bytearray(len(self._counts))
            self._until = now + 1.0
        bucket = hash(source) % len(self._counts)
        count = self._counts[bucket]
        if count >= self._limit:
            self.refused += 1
            return False
        self._counts[bucket] = count + 1
        return True


class Verdict(enum.Enum):
    """What to do about one sender."""

    FINE = "fine"
    TELL = "tell"
    CUT_OFF = "cut_off"


class PacketBudget:
    """Packets a second that one endpoint may send us.

    Only what has proved to be its own is charged to it: whoever knows a member's address and port can send under it,
    and must not be able to have that member cut off. What a stranger may send so is bounded by `NoiseBudget`.

    `rate` packets a second for ever, and up to `burst` at once after a pause (a network that stalled for a second
    delivers it in one go). What is over is to be dropped. An episode is a run of drops with less than `CALM` seconds
    between two of them: its sender is told, and cut off once it has gone on for `PATIENCE` seconds.
    Virtual scheduling, as in the generic cell rate algorithm of ITU-T I.371: one float of state.
    """

    CALM: Final = 5.0
    PATIENCE: Final = 10.0

    __slots__ = ("_due", "_episode", "_interval", "_last_drop", "_slack", "dropped")

    def __init__(self, rate: float = 200.0, burst: int = 200) -> None:
        self._interval = 1.0 / rate
        self._slack = (burst - 1) * self._interval
        self._due = float("-inf")
        self._episode = 0.0
        self._last_drop = float("-inf")
        self.dropped = 0

    def allow(self, now: float) -> bool:
        """Count one packet. False when it is to be dropped."""
        due = self._due
        if due < now:
            due = now
        elif due - now > self._slack:
            if now - self._last_drop >= self.CALM:
                self._episode = now
            self._last_drop = now
            self.dropped += 1
            return False
        self._due = due + self._interval
        return True

    def verdict(self, now: float) -> Verdict:
        """Where the sender stands. Reading it changes nothing; the caller remembers whom it has told."""
        if now - self._last_drop >= self.CALM:
            return Verdict.FINE
        return Verdict.CUT_OFF if self._last_drop - self._episode >= self.PATIENCE else Verdict.TELL


class NoiseBudget:
    """What may come from a member's address and not be authentic, by anybody's hand: dropped, and nobody's fault.

    `rate` a second may be tried, `burst` at once. Past that all from there is dropped unread until `deaf_until`, the
    member's own packets with it: up to that rate of noise the member is heard as ever, and above it, thinned out.
    """

    HOLD: Final = 0.01
    """Seconds of one deafness: half a packet of voice."""

    __slots__ = ("_bucket", "deaf_until")

    def __init__(self, rate: float = 1000.0, burst: int = 1000) -> None:
        self._bucket = PacketBudget(rate, burst)
        self.deaf_until = float("-inf")

    def charge(self, now: float) -> None:
        """Count one packet that failed authentication, or was a replay."""
        if not self._bucket.allow(now):
            self.deaf_until = now + self.HOLD
