"""Whether newcomers are taken while the event loop is late: those who are here go before them. Pure."""

from typing import Final


class JoinGate:
    """Shuts when the loop is later than `limit` seconds, and opens again once it is no later than half of that.

    The two marks keep it from flapping: each newcomer is work, and a loop just below the limit has no room for many.
    `LoopLag` of `sfu/deadlines.py` smooths what it is shown, so that it needs no clock: after the load has gone, a
    lag of `limit` takes some seconds to fall to half.
    """

    OPENS_AT: Final = 0.5
    """Share of the limit."""

    RETRY_AFTER: Final = 5
    """Seconds that a refused client is told to wait."""

    __slots__ = ("_limit", "is_open")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.is_open = True

    def look(self, lag: float) -> bool:
        """Take a reading of the lag in seconds; whether newcomers are taken from now on."""
        if lag > self._limit:
            self.is_open = False
        elif lag <= self._limit * self.OPENS_AT:
            self.is_open = True
        return self.is_open
