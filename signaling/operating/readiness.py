"""Can this process take people? Pure: facts and `now` in, states with their age out."""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_LAG = 0.5
"""Seconds that the event loop may be late; joins are refused far earlier, this takes the node out of a balancer."""

LEAST_FREE = 64 << 20
"""Bytes that the data folder must have room for: what happens while the database is away waits there."""

CHECKS = ("media_socket", "accepting", "loop_lag", "database", "disk")
"""The names of all checks."""


@dataclass(frozen=True)
class CheckState:
    """One check: does it hold, since how many seconds, and what was seen."""

    ok: bool
    age: float
    detail: str


class Readiness:
    """The checks behind `/ready`. A check's age is the time since its state last changed, in monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.draining = False
        self._started = now
        self._since: dict[str, tuple[bool, float]] = {}

    def look(
        self, now: float, *, media_addresses: int, loop_lag: float, database: bool, free_bytes: int | None
    ) -> Mapping[str, CheckState]:
        """All checks at `now`; `free_bytes` is None where the data folder cannot be looked at."""
        bound = f"bound on {media_addresses} addresses" if media_addresses else "not bound"
        room = "cannot be looked at" if free_bytes is None else f"{free_bytes >> 20} MiB free"
        return {
            "media_socket": self._state("media_socket", media_addresses > 0, bound, now),
            "accepting": self._state(
                "accepting", not self.draining, "draining" if self.draining else "accepting people", now
            ),
            "loop_lag": self._state("loop_lag", loop_lag <= MOST_LAG, f"{loop_lag * 1000:.0f} ms late", now),
            "database": self._state("database", database, "answers" if database else "does not answer", now),
            "disk": self._state("disk", free_bytes is not None and free_bytes >= LEAST_FREE, room, now),
        }

    def _state(self, name: str, ok: bool, detail: str, now: float) -> CheckState:
        was, since = self._since.get(name, (ok, self._started))
        if was != ok:
            since = now
        self._since[name] = (ok, since)
        return CheckState(ok, max(0.0, now - since), detail)
