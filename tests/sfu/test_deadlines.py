"""Deadlines of engines, timers for what is due sooner, and the one figure for how late the loop is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.deadlines import SETTLING, Deadlines, LoopLag, Timers

TICK = 0.05
LIMIT = 0.1
"""Above this, joins are refused by default."""


def test_engines_are_woken_in_the_order_of_their_deadlines_and_once():
    deadlines = Deadlines()
    deadlines.set("b", 2.0)
    deadlines.set("a", 1.0)
    deadlines.set("never", math.inf)
    assert list(deadlines.due(0.5)) == []
    assert list(deadlines.due(2.0)) == ["a", "b"]
    assert list(deadlines.due(99.0)) == []
    assert len(deadlines) == 0


def test_an_earlier_deadline_counts_and_a_later_one_is_found_when_the_earlier_comes():
    deadlines = Deadlines()
    deadlines.set("a", 5.0)
    deadlines.set("a", 3.0)
    deadlines.set("a", 9.0)
    assert list(deadlines.due(3.0)) == ["a"]
    deadlines.set("a", 9.0)
    assert list(deadlines.due(8.9)) == []
    assert list(deadlines.due(9.0)) == ["a"]


def test_who_is_forgotten_sleeps_on():
    deadlines = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.forget("a")
    deadlines.forget("a")
    assert list(deadlines.due(2.0)) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10))))
def test_nobody_is_woken_late_and_nobody_twice(settings):
    deadlines = Deadlines()
    earliest = {}
    for engine, deadline in settings:
        deadlines.set(engine, deadline)
        earliest[engine] = min(deadline, earliest.get(engine, math.inf))
    woken = list(deadlines.due(5.0))
    assert sorted(woken) == sorted(engine for engine, deadline in earliest.items() if deadline <= 5.0)


class Metronome:
    """An engine with so many turns left, and a loop that calls when its time has come."""

    def __init__(self, turns):
        self.left = turns
        self.now = 0.0
        self.timers = []

    def advance(self, engine):
        assert engine is self
        self.left -= 1
        return 0.02 if self.left > 0 else math.inf

    def call_later(self, seconds, call):
        timer = Timer(self.now + seconds, call)
        self.timers.append(timer)
        return timer

    def run(self):
        while self.timers:
            timer = self.timers.pop(0)
            if not timer.cancelled:
                self.now = timer.at
                timer.call()


class Timer:
    def __init__(self, at, call):
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self):
        self.cancelled = True


def test_an_engine_is_advanced_as_long_as_more_is_due():
    metronome = Metronome(4)
    timers = Timers(metronome.advance, metronome.call_later)
    timers.wind(metronome)
    assert (metronome.left, len(timers)) == (3, 1)
    timers.wind(metronome)
    assert (metronome.left, len(timers)) == (2, 1)
    metronome.run()
    assert (metronome.left, len(timers)) == (0, 0)
    assert metronome.now == pytest.approx(0.04)


def test_closed_timers_advance_nothing():
    metronome = Metronome(9)
    timers = Timers(metronome.advance, metronome.call_later)
    timers.wind(metronome)
    timers.close()
    metronome.run()
    assert (metronome.left, len(timers)) == (8, 0)


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
