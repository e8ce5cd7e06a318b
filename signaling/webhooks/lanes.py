"""Retry rules: when to retry a failed delivery, and when to give up. Pure: chance comes from an argument."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from signaling.storage.deliveries import Lane

FIRST = 1.0
LONGEST = 3600.0
_MOST_DOUBLINGS = 20


def retry_after(attempts: int, chance: float) -> float:
    """Seconds until the next attempt after so many failed ones, 1 or more: doubling from a second to an hour.

    `chance`, from 0 to 1, takes off up to a half, so that those who failed together do not come back together.
    """
    doubled = FIRST * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
    return min(LONGEST, doubled) * (1.0 - chance / 2)


GIVE_UP = timedelta(days=3)
ERROR_LENGTH = 500

Result = Literal["delivered", "failed", "gone", "refused"]
"""`gone`: the target wants no more (HTTP 410). `refused`: we do not connect to where it leads."""

Consequence = Literal["again", "skip", "gone", "gave_up"]
"""Of a failed attempt: try again, give up the event, or disable the target, for one of the two reasons."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: `status` is the HTTP status, if there was one; `detail` is for the operator."""

    result: Result
    status: int | None = None
    detail: str = ""


def judge(status: int) -> Outcome:
    """What a status means: 2xx is taken, 410 wants no more, all else fails. Redirects are not followed: they fail."""
    if 200 <= status < 300:
        return Outcome("delivered", status)
    if status == 410:
        return Outcome("gone", status, "status 410: the receiver wants no more events")
    return Outcome("failed", status, f"status {status}")


def delivered(lane: Lane, seq: int, utc: datetime) -> Lane:
    """After an event was taken."""
    return replace(lane, last_seq=seq, attempts=0, failing_since=None, delivered_at=utc, last_error=None)


def failed(lane: Lane, error: str, utc: datetime, chance: float) -> Lane:
    """After an attempt failed: the next one is `retry_after` away. `chance` is from 0 to 1."""
    attempts = lane.attempts + 1
    return replace(
        lane,
        attempts=attempts,
        failing_since=lane.failing_since or utc,
        last_error=error.replace("\0", "")[:ERROR_LENGTH],
        next_attempt_at=utc + timedelta(seconds=retry_after(attempts, chance)),
    )


def gives_up(lane: Lane, utc: datetime) -> bool:
    """Whether the event that waits has failed for so long that it is not tried again."""
    return lane.failing_since is not None and utc - lane.failing_since >= GIVE_UP


def after_failure(lane: Lane, outcome: Outcome, utc: datetime, *, works: bool) -> Consequence:
    """What follows from a failed attempt, `lane` being as it is after that.

    A target that answers 410 is disabled at once. After three days of failing on one event, that event is given up
    where the target `works`: anything got there since the event first failed. Else the target is disabled.
    """
    if outcome.result == "gone":
        return "gone"
    if not gives_up(lane, utc):
        return "again"
    return "skip" if works else "gave_up"


def skipped(lane: Lane, seq: int, utc: datetime) -> Lane:
    """After giving up on one event: the next one has its own time."""
    return replace(lane, last_seq=seq, attempts=0, failing_since=None, next_attempt_at=utc)


def held(lane: Lane, until: datetime) -> Lane:
    """While somebody works on it."""
    return replace(lane, next_attempt_at=until)


def rested(lane: Lane) -> Lane:
    """When all that waited is dealt with."""
    return replace(lane, last_seq=lane.target_seq, next_attempt_at=None)
