"""Mutes and deafens of moderators that end by themselves. Pure; `now` is monotonic seconds."""

import heapq
from collections.abc import Iterator
from typing import Literal

TimedFlag = Literal["mute", "deaf"]
TIMED_FLAGS: tuple[TimedFlag, ...] = ("mute", "deaf")
_SPARE = 64
"""Entries of the order that may be out of date before it is written anew."""


class TimedFlags:
    """When which flag of which participant is to be lifted. What was set again, or lifted, forgets the former time."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, TimedFlag], float] = {}
        self._order: list[tuple[float, str, TimedFlag]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, participant_id: str, flag: TimedFlag, at: float | None) -> None:
        """From now on the flag ends at `at`; never by itself where that is None."""
        if at is None:
            self._at.pop((participant_id, flag), None)
            return
        self._at[participant_id, flag] = at
        heapq.heappush(self._order, (at, participant_id, flag))
        if len(self._order) > 2 * len(self._at) + _SPARE:
            self._order = sorted((at, *key) for key, at in self._at.items())

    def ends(self, participant_id: str, flag: TimedFlag) -> float | None:
        """When the flag ends by itself; None where it does not."""
        return self._at.get((participant_id, flag))

    def forget(self, participant_id: str) -> None:
        """Somebody has left: nothing of theirs is due any more."""
        for flag in TIMED_FLAGS:
            self._at.pop((participant_id, flag), None)

    def take_due(self, now: float) -> Iterator[tuple[str, TimedFlag]]:
        """What is to be lifted at `now`, each once."""
        while self._order and self._order[0][0] <= now:
            at, participant_id, flag = heapq.heappop(self._order)
            if self._at.get((participant_id, flag)) == at:
                del self._at[participant_id, flag]
                yield participant_id, flag
