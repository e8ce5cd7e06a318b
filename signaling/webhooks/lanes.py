"""Retry rules: when to retry a failed delivery, and when to give up. Pure: chance comes from an argument."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from signaling.storage.deliveries import Lane

FIRST = 1.0
LONGEST = 3600.0
_MOST_DOUBLINGS = 20


def retry_after(attempts: int, chance: float) -> float:
    """Return the seconds until the next attempt, after 1 or more failed ones: doubling from a second to an hour.

    `chance`, from 0 to 1, takes off up to a half, so that lanes that failed together do not retry together.
    """
    doubled = FIRST * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
    return min(LONGEST, doubled) * (1.0 - chance / 2)


GIVE_UP = timedelta(days=3)
ERROR_LENGTH = 500

Result = Literal["delivered", "failed", "gone", "refused"]
"""`gone`: the receiver answered HTTP 410. `refused`: the address is one that Parley does not connect to."""

Consequence = Literal["again", "skip", "gone", "gave_up"]
"""What follows a failed attempt: retry, give up the event (`skip`), or disable the webhook (`gone`, `gave_up`)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt. `status` is the HTTP status, if there was one; `detail` is for the operator."""

    result: Result
    status: int | None = None
    detail: str = ""


def judge(status: int) -> Outcome:
    """Return the outcome for an HTTP status: 2xx is delivered, 410 is gone, all else has failed, redirects included."""
    if 200 <= status < 300:
        return Outcome("delivered", status)
    if status == 410:
        return Outcome("gone", status, "status 410: the receiver wants no more events")
    return Outcome("failed", status, f"status {status}")


def delivered(lane: Lane, seq: int, utc: datetime) -> Lane:
    """Return the lane after a delivered event."""
    return replace(lane, last_seq=seq, attempts=0, failing_since=None, delivered_at=utc, last_error=None)


def failed(lane: Lane, error: str, utc: datetime, chance: float) -> Lane:
    """Return the lane after a failed attempt. The next attempt is `retry_after` away; `chance` is from 0 to 1."""
    attempts = lane.attempts + 1
    return replace(
        lane,
        attempts=attempts,
        failing_since=lane.failing_since or utc,
        last_error=error.replace("\0", "")[:ERROR_LENGTH],
        next_attempt_at=utc + timedelta(seconds=retry_after(attempts, chance)),
    )


def gives_up(lane: Lane, utc: datetime) -> bool:
    """Whether the waiting event has failed for too long to be retried."""
    return lane.failing_since is not None and utc - lane.failing_since >= GIVE_UP


def after_failure(lane: Lane, outcome: Outcome, utc: datetime, *, works: bool) -> Consequence:
    """Return what follows a failed attempt. `lane` is the lane after `failed`.

    A receiver that answers 410 is disabled immediately. After three days of failures on one event, the event is given
    up if the receiver `works`: any delivery has succeeded since the first failure. Otherwise the webhook is disabled.
    """
    if outcome.result == "gone":
        return "gone"
    if not gives_up(lane, utc):
        return "again"
    return "skip" if works else "gave_up"


def skipped(lane: Lane, seq: int, utc: datetime) -> Lane:
    """Return the lane after an event was given up. The next event has its own retry time."""
    return replace(lane, last_seq=seq, attempts=0, failing_since=None, next_attempt_at=utc)


def held(lane: Lane, until: datetime) -> Lane:
    """Return the lane leased until `until`."""
    return replace(lane, next_attempt_at=until)


def rested(lane: Lane) -> Lane:
    """Return the lane with nothing left to deliver."""
    return replace(lane, last_seq=lane.target_seq, next_attempt_at=None)
