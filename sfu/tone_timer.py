"""The timer behind tones that the server sends: their packets are nearer to each other than the server's ticks."""

import asyncio
import math
from collections.abc import Callable

from sfu.room import Room

Advance = Callable[[Room], float]
"""Does what is due in a room, and says in how many seconds more of it is; infinity when nothing is left."""


class ToneTimer:
    """Wakes each room in which keys are being sent when its next packet is due. No rules."""

    def __init__(self, advance: Advance) -> None:
        """Begin with nobody to wake."""
        self._advance = advance
        self._handles: dict[Room, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._handles)

    def wind(self, room: Room) -> None:
        """Do what is due there now, and come again as long as there is more."""
        self._forget(room)
        seconds = self._advance(room)
        if seconds < math.inf:
            loop = asyncio.get_running_loop()
            self._handles[room] = loop.call_later(max(0.0, seconds), self.wind, room)

    def close(self) -> None:
        """Wake nobody any more."""
        for room in list(self._handles):
            self._forget(room)

    def _forget(self, room: Room) -> None:
        handle = self._handles.pop(room, None)
        if handle is not None:
            handle.cancel()
