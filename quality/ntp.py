"""NTP timestamps as RTCP carries them (RFC 3550 section 4, RFC 5905 section 6). Pure: the wall clock is an argument."""

UNIX_EPOCH = 2_208_988_800
"""Seconds from the NTP epoch (1900) to the Unix epoch (1970)."""

ERA_SECONDS = 1 << 32


def to_ntp(wall: float) -> int:
    """The 64-bit NTP timestamp (32.32 fixed point) of `wall`, Unix seconds. Wraps with the era in 2036."""
    whole = int(wall // 1)
    fraction = int((wall - whole) * ERA_SECONDS)
    return ((whole + UNIX_EPOCH) % ERA_SECONDS) << 32 | fraction


def from_ntp(ntp: int) -> float:
    """Unix seconds of a 64-bit NTP timestamp; one without its top bit belongs to the era from 2036."""
    seconds = ntp >> 32
    if not seconds & 0x80000000:
        seconds += ERA_SECONDS
    return seconds - UNIX_EPOCH + (ntp & 0xFFFFFFFF) / ERA_SECONDS


def middle(ntp: int) -> int:
    """The middle 32 bits (16.16 seconds) of a 64-bit NTP timestamp, as LSR and LRR carry them."""
    return (ntp >> 16) & 0xFFFFFFFF


def to_short(seconds: float) -> int:
    """A span in units of 1/65536 s, as DLSR and DLRR carry it; held within 0 and 2**32 - 1."""
    return max(0, min(round(seconds * 65536), 0xFFFFFFFF))


def from_short(value: int) -> float:
    """Seconds of a span in units of 1/65536 s."""
    return value / 65536
