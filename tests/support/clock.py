"""A clock that moves only when it is told to: time in tests is an argument, and nothing waits."""


class VirtualClock:
    """Monotonic seconds (`now`) and Unix seconds (`wall`) that go together unless the wall clock is stepped."""

    def __init__(self, now: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        self.now = now
        self._offset = wall - now

    @property
    def wall(self) -> float:
        """Unix seconds."""
        return self.now + self._offset

    def __call__(self) -> float:
        """The same as `now`, for what takes a clock as a function."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Let time pass; the new `now`."""
        return self.advance_to(self.now + seconds)

    def advance_to(self, now: float) -> float:
        """Go to a moment, which may not lie in the past."""
        if now < self.now:
            raise ValueError(f"time does not go back from {self.now} to {now}")
        self.now = now
        return now

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or an operator does; monotonic time does not notice."""
        self._offset += seconds
