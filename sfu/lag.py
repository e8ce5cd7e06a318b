"""How late the event loop is: one figure from a timer that is looked at again and again. Pure."""

import math

SETTLING = 2.0
"""Seconds that a reading counts for: a short hiccup of a busy machine is no overload, half a second is."""


class LoopLag:
    """The lag of late, as `seconds`.

    Each reading weighs as much as the time that it stands for. So one stall says as much as many short ones that keep
    the loop as late for as long, and how often the timer comes round does not matter.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0

    def note(self, late: float, wait: float) -> None:
        """A timer that was to come after `wait` seconds came `late` seconds after that; early is no merit."""
        late = max(0.0, late)
        self.seconds += (late - self.seconds) * -math.expm1(-(wait + late) / SETTLING)
