import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.jitter import BREAK_SECONDS, InterarrivalJitter


def test_even_packets_have_none():
    jitter = InterarrivalJitter(48000)
    for step in range(100):
        jitter.update(960 * step, 100 + 0.02 * step)
    assert jitter.seconds == pytest.approx(0, abs=1e-9)
    assert jitter.ticks == 0


def test_rfc3550_a8_a_sixteenth_of_each_deviation():
    jitter = InterarrivalJitter(8000)
    jitter.update(0, 0.0)
    jitter.update(160, 0.03)
    assert jitter.ticks == 5
    assert jitter.seconds == pytest.approx(80 / 16 / 8000)
    jitter.update(320, 0.04)
    assert jitter.seconds == pytest.approx((5 + (80 - 5) / 16) / 8000)


@given(start=st.integers(0, 0xFFFFFFFF), delays=st.lists(st.floats(0, 0.2), min_size=2, max_size=50))
def test_rfc3550_a8_the_wrap_at_2_to_the_32_changes_nothing(start, delays):
    wrapping, plain = InterarrivalJitter(48000), InterarrivalJitter(48000)
    for step, delay in enumerate(delays):
        wrapping.update((start + 960 * step) & 0xFFFFFFFF, 0.02 * step + delay)
        plain.update(960 * step, 0.02 * step + delay)
    assert wrapping.seconds == plain.seconds


def test_a_timestamp_that_goes_back_counts_as_such():
    jitter = InterarrivalJitter(48000)
    jitter.update(960, 0.0)
    jitter.update(0, 0.0)
    assert jitter.seconds == pytest.approx(0.02 / 16)


def test_a_new_time_line_is_no_jitter():
    jitter = InterarrivalJitter(48000)
    jitter.update(0, 0.0)
    jitter.update(960, 0.03)
    before = jitter.seconds
    jitter.update(3_000_000_000, 0.05)
    assert jitter.seconds == before
    jitter.update(3_000_000_960, 0.07 + BREAK_SECONDS - 0.001)
    assert jitter.seconds > before


def test_reading_changes_nothing():
    jitter = InterarrivalJitter(48000)
    assert (jitter.seconds, jitter.ticks) == (0.0, 0)
    jitter.update(0, 0.0)
    jitter.update(960, 0.05)
    assert [jitter.seconds, jitter.seconds] == [jitter.seconds] * 2
