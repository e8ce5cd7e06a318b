from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.storage.deliveries import Lane
from signaling.webhooks import lanes
from signaling.webhooks.lanes import ERROR_LENGTH, FIRST, GIVE_UP, LONGEST, Outcome, judge, retry_after
from tests.signaling.storage.samples import at


def test_each_wait_is_twice_the_one_before_up_to_an_hour():
    assert [retry_after(attempts, 0.0) for attempts in (1, 2, 3, 12, 13, 10_000)] == [1, 2, 4, 2048, 3600, 3600]


@given(st.integers(min_value=1), st.floats(min_value=0, max_value=1))
def test_chance_takes_off_up_to_a_half(attempts, chance):
    assert FIRST / 2 <= retry_after(attempts, chance) <= LONGEST
    assert retry_after(attempts, chance) >= retry_after(attempts, 0.0) / 2


LANE = Lane(webhook_id="w", room_id="lobby", last_seq=4, target_seq=7, next_attempt_at=at(30))
FAILED = Outcome("failed", 503, "status 503")


@pytest.mark.parametrize(
    ("status", "result"),
    [
        *((status, "delivered") for status in (200, 204, 299)),
        *((status, "failed") for status in (101, 301, 307, 400, 404, 429, 500)),
        (410, "gone"),
    ],
)
def test_what_a_status_means(status, result):
    assert (judge(status).result, judge(status).status) == (result, status)


def test_what_fails_comes_again_later_and_later():
    lane, pauses = LANE, []
    for seconds in range(5):
        lane = lanes.failed(lane, "no", at(seconds), 0.0)
        pauses.append((lane.next_attempt_at - at(seconds)).total_seconds())
    assert pauses == [1, 2, 4, 8, 16]
    assert (lane.attempts, lane.failing_since, lane.last_seq) == (5, at(0), 4)
    # Those who failed together do not come back together.
    assert lanes.failed(LANE, "no", at(0), 1.0).next_attempt_at == at(0.5)


def test_what_gets_through_ends_the_failing():
    lane = lanes.delivered(lanes.failed(LANE, "no", at(0), 0.0), 5, at(1))
    assert (lane.last_seq, lane.attempts, lane.failing_since, lane.last_error) == (5, 0, None, None)
    assert lane.delivered_at == at(1)


def test_an_error_is_kept_short():
    assert lanes.failed(LANE, "x\0" * 1000, at(0), 0.0).last_error == "x" * ERROR_LENGTH


def after(seconds, outcome=FAILED, works=False):
    lane = lanes.failed(LANE, outcome.detail, at(0), 0.0)
    utc = at(seconds)
    return lanes.after_failure(lanes.failed(lane, outcome.detail, utc, 0.0), outcome, utc, works=works)


def test_after_three_days_an_event_is_given_up_or_its_target():
    days = GIVE_UP.total_seconds()
    assert timedelta(days=3) == GIVE_UP
    assert after(days - 1) == "again"
    assert after(days) == "gave_up"
    assert after(days, works=True) == "skip"


def test_a_target_that_wants_no_more_is_disabled_at_once():
    assert after(1, judge(410), works=True) == "gone"


def test_after_giving_up_the_next_event_has_its_own_time():
    lane = lanes.skipped(lanes.failed(LANE, "no", at(0), 0.0), 5, at(9))
    assert (lane.last_seq, lane.attempts, lane.failing_since, lane.next_attempt_at) == (5, 0, None, at(9))
    assert lane.last_error == "no"


def test_a_lane_is_held_and_rests():
    assert lanes.held(LANE, at(99)).next_attempt_at == at(99)
    rested = lanes.rested(LANE)
    assert (rested.last_seq, rested.next_attempt_at) == (7, None)
