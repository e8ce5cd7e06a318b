"""Timed mutes and deafens, and those of absent identities. Pure; `now` is monotonic seconds."""

import heapq
from collections.abc import Iterator, Mapping
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


MOST = 10_000
"""People whose mutes are remembered; past that, whoever left first is let go."""

Ends = Mapping[TimedFlag, float | None]
"""The flags that are set, and when each ends by itself."""


class MuteMemory:
    """Flags of the absent."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[tuple[str, str], Ends] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, room_id: str, identity: str, ends: Ends) -> None:
        """Somebody leaves with these flags; without any there is nothing to keep."""
        self._kept.pop((room_id, identity), None)
        if ends:
            self._kept[room_id, identity] = ends
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def take(self, room_id: str, identity: str, now: float) -> Ends:
        """Somebody comes back: what is still to be set, and when it ends. It is kept here no longer."""
        return _left_of(self._kept.pop((room_id, identity), {}), now)

    def call_ended(self, room_id: str) -> None:
        """Nobody is in the room any more: what has no end of its own ends here."""
        for key in [key for key in self._kept if key[0] == room_id]:
            timed = {flag: at for flag, at in self._kept[key].items() if at is not None}
            if timed:
                self._kept[key] = timed
            else:
                del self._kept[key]

    def forget_expired(self, now: float) -> None:
        """Let go of what has ended."""
        for key in [key for key, ends in self._kept.items() if not _left_of(ends, now)]:
            del self._kept[key]


def _left_of(ends: Ends, now: float) -> Ends:
    return {flag: at for flag, at in ends.items() if at is None or at > now}
