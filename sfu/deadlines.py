"""When whom to wake: one heap for all engines. Pure; times are monotonic seconds."""

import heapq
import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Engine = TypeVar("Engine", bound=Hashable)


class Deadlines(Generic[Engine]):
    """The earliest deadline of each engine.

    One that moves later costs nothing: the engine is woken at the old one, finds nothing to do, and is set again.
    """

    def __init__(self) -> None:
        """Begin with nobody to wake."""
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
