"""Readiness: whether this process can accept participants. Pure: facts and `now` in, states with their age out."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from signaling.errors import ClientMistake
from signaling.limits import ConcurrencyLimit, FloodGuard
from signaling.protocol.envelope import RequestId, read_envelope

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
    """One watcher: told at first, on each change of a check, and when it asks."""

    def __init__(self, now: float) -> None:
        self._guard = FloodGuard(PINGS_PER_SECOND, PINGS_AT_ONCE, now)
        self._told: dict[str, bool] | None = None
        self._seq = 0

    def read(self, text: str, now: float) -> RequestId:
        """The id of a `ping`, None where it has none. Raises ClientMistake for all else, and for too many."""
        self.count(now)
        kind, request_id, payload = read_envelope(text)
        if kind != "ping":
            raise ClientMistake("unknown_type")
        if payload:
            raise ClientMistake("bad_message", "ping must have no fields here")
        return request_id

    def count(self, now: float) -> None:
        """One more question, or frame of another kind. Raises ClientMistake (`rate_limited`)."""
        if self._guard.check(now) != "pass":
            raise ClientMistake("rate_limited")

    def has_news(self, states: Mapping[str, CheckState]) -> bool:
        """Whether a check holds that did not, or the other way round, since it was last told."""
        return {name: state.ok for name, state in states.items()} != self._told

    def tell(self, states: Mapping[str, CheckState], body: Mapping[str, object], request_id: RequestId = None) -> str:
        """The message that tells of `states`; `body` is what /ready would say."""
        self._told = {name: state.ok for name, state in states.items()}
        self._seq += 1
        answered = {} if request_id is None else {"id": request_id}
        return orjson.dumps({"type": "health", **answered, "seq": self._seq, "payload": body}).decode()


class Watchers:
    """How many watch: a few for each address, and not many in all."""

    def __init__(self) -> None:
        self._of_address = ConcurrencyLimit(MOST_WATCHERS_OF_ADDRESS)
        self._in_all = ConcurrencyLimit(MOST_WATCHERS)

    def enter(self, address: str) -> None:
        """One more. Raises ClientMistake (`rate_limited`)."""
        if not self._in_all.acquire(""):
            raise ClientMistake("rate_limited", "too many watchers of the server's health", {"retry_after": 60})
        if not self._of_address.acquire(address):
            self._in_all.release("")
            raise ClientMistake(
                "rate_limited", "too many watchers of the server's health from this address", {"retry_after": 60}
            )

    def leave(self, address: str) -> None:
        """One less."""
        self._in_all.release("")
        self._of_address.release(address)
