"""Readiness: whether this process can accept participants. Pure: facts and `now` in, states with their age out."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from signaling.errors import ClientMistake
from signaling.limits import ConcurrencyLimit, FloodGuard
from signaling.protocol.envelope import RequestId, read_envelope

MOST_LAG = 0.5
"""Maximum event loop lag in seconds. It takes the node out of a load balancer; joins are refused far earlier."""

LEAST_FREE = 64 << 20
"""Bytes that must be free in the data folder, which holds the spool while the database is unreachable."""

CHECKS = ("media_socket", "accepting", "loop_lag", "database", "disk")
"""The names of all checks."""


@dataclass(frozen=True)
class CheckState:
    """One check: whether it passes, the seconds since its last change, and the measurement."""

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
        """All checks at `now`; `free_bytes` is None if the data folder is inaccessible."""
        bound = f"bound on {media_addresses} addresses" if media_addresses else "not bound"
        room = "cannot be read" if free_bytes is None else f"{free_bytes >> 20} MiB free"
        return {
            "media_socket": self._state("media_socket", media_addresses > 0, bound, now),
            "accepting": self._state(
                "accepting", not self.draining, "draining" if self.draining else "accepting participants", now
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


MOST_WATCHERS = 20
MOST_WATCHERS_OF_ADDRESS = 5
PINGS_PER_SECOND = 1.0
PINGS_AT_ONCE = 10


class HealthWatch:
    """One watcher. It gets the state at first, on each change of a check, and on request."""

    def __init__(self, now: float) -> None:
        self._guard = FloodGuard(PINGS_PER_SECOND, PINGS_AT_ONCE, now)
        self._told: dict[str, bool] | None = None
        self._seq = 0

    def read(self, text: str, now: float) -> RequestId:
        """Return the id of a `ping`, or None. Raises ClientMistake for any other message, and over the rate limit."""
        self.count(now)
        kind, request_id, payload = read_envelope(text)
        if kind != "ping":
            raise ClientMistake("unknown_type")
        if payload:
            raise ClientMistake("bad_message", "ping must have no fields here")
        return request_id

    def count(self, now: float) -> None:
        """Count one request or other frame. Raises ClientMistake (`rate_limited`)."""
        if self._guard.check(now) != "pass":
            raise ClientMistake("rate_limited")

    def has_news(self, states: Mapping[str, CheckState]) -> bool:
        """Whether a check has changed since the last message to this watcher."""
        return {name: state.ok for name, state in states.items()} != self._told

    def tell(self, states: Mapping[str, CheckState], body: Mapping[str, object], request_id: RequestId = None) -> str:
        """Return the message for `states`. `body` is the response body of /ready."""
        self._told = {name: state.ok for name, state in states.items()}
        self._seq += 1
        answered = {} if request_id is None else {"id": request_id}
        return orjson.dumps({"type": "health", **answered, "seq": self._seq, "payload": body}).decode()


class Watchers:
    """Limits the watchers for each address and in total."""

    def __init__(self) -> None:
        self._of_address = ConcurrencyLimit(MOST_WATCHERS_OF_ADDRESS)
        self._in_all = ConcurrencyLimit(MOST_WATCHERS)

    def enter(self, address: str) -> None:
        """Add a watcher. Raises ClientMistake (`rate_limited`)."""
        if not self._in_all.acquire(""):
            raise ClientMistake("rate_limited", "too many watchers of the server's health", {"retry_after": 60})
        if not self._of_address.acquire(address):
            self._in_all.release("")
            raise ClientMistake(
                "rate_limited", "too many watchers of the server's health from this address", {"retry_after": 60}
            )

    def leave(self, address: str) -> None:
        """Remove a watcher."""
        self._in_all.release("")
        self._of_address.release(address)
