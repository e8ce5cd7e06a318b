"""Those who watch how the node is: what they are told and when, and how many there may be. Pure."""

from collections.abc import Mapping

import orjson

from signaling.errors import ClientMistake
from signaling.limits import ConcurrencyLimit, FloodGuard
from signaling.operating.readiness import CheckState
from signaling.protocol.envelope import RequestId, read_envelope

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
            raise ClientMistake("bad_message", "ping has no fields here")
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
            raise ClientMistake("rate_limited", "too many watch already", {"retry_after": 60})
        if not self._of_address.acquire(address):
            self._in_all.release("")
            raise ClientMistake("rate_limited", "too many watch from this address", {"retry_after": 60})

    def leave(self, address: str) -> None:
        """One less."""
        self._in_all.release("")
        self._of_address.release(address)
