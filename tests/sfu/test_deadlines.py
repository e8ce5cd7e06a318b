import math

from hypothesis import given
from hypothesis import strategies as st

from sfu.deadlines import Deadlines


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
