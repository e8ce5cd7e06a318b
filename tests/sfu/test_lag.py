"""One figure for how late the loop is."""

import pytest

from sfu.lag import SETTLING, LoopLag

TICK = 0.05
LIMIT = 0.1
"""Above this, joins are refused by default."""


def after(*late: float) -> float:
    lag = LoopLag()
    for one in late:
        lag.note(one, TICK)
    return lag.seconds


def test_a_punctual_timer_is_no_lag() -> None:
    assert after(*[0.0] * 100) == 0.0
    assert after(-0.01) == 0.0


@pytest.mark.parametrize(("stall", "too_late"), [(0.05, False), (0.2, False), (0.4, False), (0.5, True), (2.0, True)])
def test_a_hiccup_is_no_overload_and_half_a_second_is(stall: float, too_late: bool) -> None:
    assert (after(stall) > LIMIT) is too_late


def test_a_steady_lag_is_told_as_it_is() -> None:
    assert after(*[0.15] * 200) == pytest.approx(0.15)


def test_a_loop_that_is_always_late_is_found_out_within_seconds() -> None:
    lag, passed = LoopLag(), 0.0
    while lag.seconds <= LIMIT:
        lag.note(0.15, TICK)
        passed += 0.15 + TICK
    assert passed <= 1.5 * SETTLING


def test_how_often_the_timer_comes_round_does_not_matter() -> None:
    # The same two seconds with the loop late by a fifth of a second throughout.
    often, seldom = LoopLag(), LoopLag()
    for _ in range(8):
        often.note(0.2, 0.05)
    for _ in range(4):
        seldom.note(0.2, 0.3)
    assert often.seconds == pytest.approx(seldom.seconds)


def test_a_lag_is_forgotten() -> None:
    lag = LoopLag()
    lag.note(10.0, TICK)
    for _ in range(int(10 * SETTLING / TICK)):
        lag.note(0.0, TICK)
    assert lag.seconds < 0.001
