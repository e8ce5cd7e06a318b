"""Moderators' mutes and deafens: those with a duration, and those of absent identities. Pure; monotonic seconds."""

import heapq
from collections.abc import Iterator, Mapping
from typing import Literal

TimedFlag = Literal["mute", "deaf"]
TIMED_FLAGS: tuple[TimedFlag, ...] = ("mute", "deaf")
_SPARE = 64
"""Outdated entries of the heap before it is rebuilt."""


class TimedFlags:
    """The ends of participants' flags. Setting a flag again replaces its end."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, TimedFlag], float] = {}
        self._order: list[tuple[float, str, TimedFlag]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, participant_id: str, flag: TimedFlag, at: float | None) -> None:
        """Set the end of a flag; None for one that does not end by itself."""
        if at is None:
            self._at.pop((participant_id, flag), None)
            return
        self._at[participant_id, flag] = at
        heapq.heappush(self._order, (at, participant_id, flag))
        if len(self._order) > 2 * len(self._at) + _SPARE:
            self._order = sorted((at, *key) for key, at in self._at.items())

    def ends(self, participant_id: str, flag: TimedFlag) -> float | None:
        """The end of a flag; None where it does not end by itself."""
        return self._at.get((participant_id, flag))

    def forget(self, participant_id: str) -> None:
        """Drop the flags of a participant who has left."""
        for flag in TIMED_FLAGS:
            self._at.pop((participant_id, flag), None)

    def take_due(self, now: float) -> Iterator[tuple[str, TimedFlag]]:
        """Remove and yield the flags that end by `now`."""
        while self._order and self._order[0][0] <= now:
            at, participant_id, flag = heapq.heappop(self._order)
            if self._at.get((participant_id, flag)) == at:
                del self._at[participant_id, flag]
                yield participant_id, flag


MOST = 10_000
"""Identities whose mutes are stored; past that the one that left first is dropped."""

Ends = Mapping[TimedFlag, float | None]
"""The set flags with their ends; None for one that does not end by itself."""


class MuteMemory:
    """The flags of identities that have left a room."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[tuple[str, str], Ends] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, room_id: str, identity: str, ends: Ends) -> None:
        """Store the flags of an identity that leaves, if any are set."""
        self._kept.pop((room_id, identity), None)
        if ends:
            self._kept[room_id, identity] = ends
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def take(self, room_id: str, identity: str, now: float) -> Ends:
        """Remove and return the flags of an identity that returns, without expired ones."""
        return _left_of(self._kept.pop((room_id, identity), {}), now)

    def call_ended(self, room_id: str) -> None:
        """The room is empty: drop the flags that do not end by themselves."""
        for key in [key for key in self._kept if key[0] == room_id]:
            timed = {flag: at for flag, at in self._kept[key].items() if at is not None}
            if timed:
                self._kept[key] = timed
            else:
                del self._kept[key]

    def forget_expired(self, now: float) -> None:
        """Drop expired flags."""
        for key in [key for key, ends in self._kept.items() if not _left_of(ends, now)]:
            del self._kept[key]


def _left_of(ends: Ends, now: float) -> Ends:
    return {flag: at for flag, at in ends.items() if at is None or at > now}
