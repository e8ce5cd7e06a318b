"""The only clock that signaling reads, as an object that tests replace."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from signaling.ids import RandomBytes


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two readings: `now()` for time limits, monotonic seconds; `utc()` for records and tokens, aware."""

    now: Callable[[], float] = time.monotonic
    utc: Callable[[], datetime] = _utc


SYSTEM_CLOCK = Clock()
"""The clock of the host."""


def rfc3339(utc: datetime) -> str:
    """A time in messages and events: RFC 3339, UTC, milliseconds."""
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


SYSTEM_CHANCE: RandomBytes = secrets.token_bytes
"""The random source of the operating system."""
