"""When to try again what has failed. Pure: chance comes from an argument."""

FIRST = 1.0
LONGEST = 3600.0
_MOST_DOUBLINGS = 20


def retry_after(attempts: int, chance: float) -> float:
    """Seconds until the next attempt after so many failed ones, 1 or more: doubling from a second to an hour.

    `chance`, from 0 to 1, takes off up to a half, so that those who failed together do not come back together.
    """
    doubled = FIRST * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
    return min(LONGEST, doubled) * (1.0 - chance / 2)
