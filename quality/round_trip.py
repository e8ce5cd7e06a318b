"""NTP timestamps in RTCP, and the round trips that they measure. Pure: the wall clock is an argument.

RFC 3550 sections 4 and 6.4.1, RFC 3611 sections 4.4 and 4.5, RFC 5905 section 6.
"""

UNIX_EPOCH = 2_208_988_800
"""Seconds from the NTP epoch (1900) to the Unix epoch (1970)."""

ERA_SECONDS = 1 << 32

MAX_ROUND_TRIP_SECONDS = 10.0
ROUNDING = 2
"""Units of 1/65536 s that three rounded timestamps may take from a round trip of nothing."""


def to_ntp(wall: float) -> int:
    """The 64-bit NTP timestamp (32.32 fixed point) of `wall`, Unix seconds. Wraps with the era in 2036."""
    whole = int(wall // 1)
    fraction = int((wall - whole) * ERA_SECONDS)
    return ((whole + UNIX_EPOCH) % ERA_SECONDS) << 32 | fraction


def middle(ntp: int) -> int:
    """The middle 32 bits (16.16 seconds) of a 64-bit NTP timestamp, as LSR and LRR carry them."""
    return (ntp >> 16) & 0xFFFFFFFF


def to_short(seconds: float) -> int:
    """A span in units of 1/65536 s, as DLSR and DLRR carry it; clamped to 0 and 2**32 - 1."""
    return max(0, min(round(seconds * 65536), 0xFFFFFFFF))


def from_short(value: int) -> float:
    """Seconds of a span in units of 1/65536 s."""
    return value / 65536


def round_trip_time(arrival: int, last_report: int, delay: int) -> float | None:
    """Seconds from our report to its echo and back, without the time that it lay with the peer; None when unknown.

    RFC 3550 section 6.4.1 with LSR and DLSR, RFC 3611 section 4.5 with LRR and DLRR. All three in units of 1/65536 s
    modulo 2**32; `arrival` is the middle of our own NTP clock when the echo came. A `last_report` of 0 says that the
    peer has had none. A negative result, or one over 10 s, comes from a wrong clock or a false report and is refused.
    """
    if last_report == 0:
        return None
    elapsed = (arrival - last_report - delay) & 0xFFFFFFFF
    if elapsed >= 0x100000000 - ROUNDING:
        return 0.0
    seconds = from_short(elapsed)
    return seconds if seconds <= MAX_ROUND_TRIP_SECONDS else None


class LastReport:
    """The latest report with an NTP timestamp from one peer, to be echoed.

    A sender report gives LSR and DLSR (RFC 3550 section 6.4.1), a receiver reference time LRR and DLRR
    (RFC 3611 section 4.5). Before the first report both are 0, as the RFCs ask.
    """

    __slots__ = ("arrival", "middle")

    def __init__(self) -> None:
        self.middle = 0
        self.arrival: float | None = None

    def update(self, middle: int, arrival: float) -> None:
        """Take the middle 32 bits of the report's NTP timestamp and its arrival in monotonic seconds."""
        self.middle = middle
        self.arrival = arrival

    def delay(self, now: float) -> int:
        """Time since the report came, in units of 1/65536 s."""
        return 0 if self.arrival is None else to_short(now - self.arrival)
