"""When to wake which engine: one heap of deadlines, timers for what is due sooner, and how late the loop is. Pure.

Times are monotonic seconds.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Generic, Protocol, TypeVar

Engine = TypeVar("Engine", bound=Hashable)

SETTLING = 2.0
"""Seconds that a reading of the loop's lag counts for: a short hiccup is no overload, half a second is."""


class Deadlines(Generic[Engine]):
    """The earliest deadline of each engine.

    One that moves later costs nothing: the engine is woken at the old one, finds nothing to do, and is set again.
    """

    def __init__(self) -> None:
        """Begin without deadlines."""
        self._heap: list[tuple[float, int, Engine]] = []
        self._earliest: dict[Engine, float] = {}
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._earliest)

    def set(self, engine: Engine, deadline: float) -> None:
        """Wake `engine` at `deadline`, unless it is woken before that anyway. Infinity is never."""
        if deadline < self._earliest.get(engine, math.inf):
            self._earliest[engine] = deadline
            heapq.heappush(self._heap, (deadline, next(self._order), engine))

    def forget(self, engine: Engine) -> None:
        """Do not wake `engine` any more."""
        self._earliest.pop(engine, None)

    def due(self, now: float) -> Iterator[Engine]:
        """The engines whose time has come, the earliest first; each has to be set again."""
        while self._heap and self._heap[0][0] <= now:
            deadline, _, engine = heapq.heappop(self._heap)
            if self._earliest.get(engine) == deadline:
                del self._earliest[engine]
                yield engine


class Cancellable(Protocol):
    """A timer that has been set, as `asyncio.TimerHandle`."""

    def cancel(self) -> None:
        """Do not call."""


class Timers(Generic[Engine]):
    """One timer for each engine whose work is due sooner than a tick of the server: the tones of a room.

    `advance` does what is due in an engine and returns the seconds until more is; infinity when nothing is left.
    `call_later` sets a timer, as `loop.call_later`.
    """

    def __init__(
        self, advance: Callable[[Engine], float], call_later: Callable[[float, Callable[[], None]], Cancellable]
    ) -> None:
        """Begin without timers."""
        self._advance = advance
        self._call_later = call_later
        self._set: dict[Engine, Cancellable] = {}

    def __len__(self) -> int:
        return len(self._set)

    def wind(self, engine: Engine) -> None:
        """Advance `engine` now, and again whenever more is due."""
        self._forget(engine)
        seconds = self._advance(engine)
        if seconds < math.inf:
            self._set[engine] = self._call_later(max(0.0, seconds), partial(self.wind, engine))

    def close(self) -> None:
        """Cancel all timers."""
        for engine in list(self._set):
            self._forget(engine)

    def _forget(self, engine: Engine) -> None:
        timer = self._set.pop(engine, None)
        if timer is not None:
            timer.cancel()


class LoopLag:
    """How late the event loop has been lately, in `seconds`, from a timer that comes round again and again.

    Each reading weighs as much as the time that it stands for: one long stall counts like many short ones of the same
    total, and the interval of the timer does not matter.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, late: float, wait: float) -> None:
        """A timer set for `wait` seconds came `late` seconds after that. A negative lateness counts as 0."""
        late = max(0.0, late)
        self.seconds += (late - self.seconds) * -math.expm1(-(wait + late) / SETTLING)
