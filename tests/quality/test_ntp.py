import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.ntp import ERA_SECONDS, UNIX_EPOCH, from_ntp, from_short, middle, to_ntp, to_short


def test_rfc5905_the_unix_epoch_is_seventy_years_in():
    assert to_ntp(0.0) == UNIX_EPOCH << 32
    assert to_ntp(0.5) == UNIX_EPOCH << 32 | 0x80000000


@given(st.floats(0, 4_000_000_000))
def test_there_and_back(wall):
    assert from_ntp(to_ntp(wall)) == pytest.approx(wall, abs=1e-6)
    assert 0 <= to_ntp(wall) < 1 << 64


def test_rfc5905_the_era_of_2036_is_told_by_the_top_bit():
    wrap = ERA_SECONDS - UNIX_EPOCH
    assert to_ntp(float(wrap)) == 0
    assert from_ntp(0) == wrap
    assert from_ntp(to_ntp(wrap - 1.0)) == wrap - 1


def test_rfc3550_4_the_middle_is_16_bits_of_each_half():
    assert middle(0x1234_5678_9ABC_DEF0) == 0x5678_9ABC


def test_rfc3550_6_4_1_short_spans_are_in_65536ths_and_held_in_range():
    assert to_short(1.5) == 0x18000
    assert from_short(0x18000) == 1.5
    assert to_short(-1.0) == 0
    assert to_short(1e9) == 0xFFFFFFFF
