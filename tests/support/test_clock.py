import pytest

from tests.support.clock import VirtualClock


def test_time_passes_only_when_told():
    clock = VirtualClock(now=5.0, wall=1000.0)
    assert (clock.now, clock(), clock.wall) == (5.0, 5.0, 1000.0)
    assert clock.advance(2.5) == 7.5
    assert clock.advance_to(10.0) == 10.0
    assert clock.wall == 1005.0


def test_time_does_not_go_back():
    clock = VirtualClock(now=5.0)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance_to(4.0)
    assert clock.now == 5.0


def test_a_stepped_wall_clock_leaves_monotonic_time_alone():
    clock = VirtualClock(now=1.0, wall=100.0)
    clock.step_wall(-3600)
    assert (clock.now, clock.wall) == (1.0, -3500.0)
