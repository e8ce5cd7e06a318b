from functools import reduce
from itertools import pairwise
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.interval import Interval, between
from quality.receive import ReceiveStatistics
from quality.sequence import PacketCount

PACKETS = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 1), st.integers(-3, 8), st.integers(0, 0xFFFF)), st.floats(0, 2), st.integers(0, 1500)
    ),
    max_size=60,
)
READERS = st.lists(st.sets(st.integers(0, 60)), min_size=1, max_size=5)


def snapshot(at, expected, received, octets):
    known = ReceiveStatistics(48_000).snapshot(at)
    return known.__class__(at, PacketCount(expected, received), octets, known.jitter, None, None)


def test_an_interval_is_the_difference_of_two_readings():
    interval = between(snapshot(10.0, 100, 90, 7200), snapshot(12.0, 200, 180, 14_400))
    assert interval == Interval(2.0, PacketCount(100, 90), 7200)
    assert (interval.packets.lost, interval.packets.fraction_lost) == (10, 0.1)
    assert (interval.packets_per_second, interval.bits_per_second) == (45.0, 28_800.0)


def test_an_interval_of_no_time_has_no_rates():
    interval = between(snapshot(10.0, 100, 90, 7200), snapshot(10.0, 100, 90, 7200))
    assert (interval.packets_per_second, interval.bits_per_second, interval.packets.fraction_lost) == (0.0, 0.0, 0.0)


@given(start=st.integers(0, 0xFFFF), steps=PACKETS, readers=READERS)
def test_any_number_of_readers_each_at_a_pace_of_its_own_finds_intervals_that_add_up_to_the_totals(
    start, steps, readers
):
    known, sequence, now = ReceiveStatistics(48_000), start, 100.0
    first = known.snapshot(now)
    readings = [[first] for _ in readers]
    for count, (step, seconds, size) in enumerate(steps):
        sequence = (sequence + step) & 0xFFFF
        now += seconds
        known.add(sequence, count * 960 & 0xFFFFFFFF, now, size)
        for kept, moments in zip(readings, readers, strict=True):
            if count in moments:
                kept.append(known.snapshot(now))
    last = known.snapshot(now)
    for kept in readings:
        kept.append(last)
        intervals = [between(*pair) for pair in pairwise(kept)]
        whole = reduce(add, intervals)
        assert (whole.packets, whole.octets) == (last.packets, last.octets)
        assert whole.seconds == pytest.approx(now - 100.0)
        assert all(one.packets.expected >= 0 <= one.packets.received and one.octets >= 0 for one in intervals)


def test_reading_changes_nothing_for_another_reader():
    known = ReceiveStatistics(48_000)
    for sequence in (0, 1, 4):
        known.add(sequence, 960 * sequence, 0.02 * sequence, 80)
    before = known.snapshot(1.0)
    assert [known.snapshot(1.0) for _ in range(5)] == [before] * 5
