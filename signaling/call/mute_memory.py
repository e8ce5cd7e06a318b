"""What moderators have set of somebody who has left: so that leaving and coming back undoes no mute. Pure.

Kept by identity and room. What has an end is kept until then; what has none, until the call of the room has ended.
`now` is monotonic seconds.
"""

from collections.abc import Mapping

from signaling.call.timed_flags import TimedFlag

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
