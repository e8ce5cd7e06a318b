"""A wall clock that a test can step, for a server in a process of its own: libfaketime, monotonic time as it is."""

from pathlib import Path

from tests.support.components import require


class WallClock:
    """`settings` are for the environment of the server; `step` moves its wall clock."""

    def __init__(self, folder: Path) -> None:
        """Keep the offset in a file in `folder`. Where libfaketime is missing, the test ends here."""
        library = require("faketime")
        self._file = folder / "clock"
        self.step(0)
        self.settings = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Read again once a second: at each look at the clock, a busy machine does little else.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # What it does for waits by the monotonic clock makes them return at once: a start took nine seconds of CPU.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            # Neither is what a stepped clock does: files keep their times, and waits their length.
            "NO_FAKE_STAT": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def step(self, seconds: int) -> None:
        """The server's clock is off by so much within a second, fast or slow."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)
