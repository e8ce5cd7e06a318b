import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.round_trip import (
    ERA_SECONDS,
    MAX_ROUND_TRIP_SECONDS,
    UNIX_EPOCH,
    LastReport,
    from_short,
    middle,
    round_trip_time,
    to_ntp,
    to_short,
)

WORDS = st.integers(0, 0xFFFFFFFF)


def test_rfc3550_6_4_1_the_example_of_the_figure():
    """RFC 3550 figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000: 6.125 s."""
    assert round_trip_time(0xB7108000, 0xB7052000, 0x00054000) == 6.125


def test_rfc3550_6_4_1_no_report_yet_is_no_round_trip():
    assert round_trip_time(0xB7108000, 0, 0) is None


def test_rfc3611_4_5_the_same_arithmetic_over_the_wrap():
    assert round_trip_time(0x00008000, 0xFFFF8000, 0x00008000) == 0.5


def test_a_negative_time_is_refused():
    assert round_trip_time(100_000, 100_000, 65_536) is None


def test_rounding_may_not_make_a_short_time_negative():
    assert round_trip_time(100_000, 99_999, 2) == 0.0
    assert round_trip_time(100_000, 99_999, 3) == 0.0
    assert round_trip_time(100_000, 99_999, 4) is None


def test_an_absurd_time_is_refused():
    assert round_trip_time(11 * 65_536, 65_536, 0) == MAX_ROUND_TRIP_SECONDS
    assert round_trip_time(11 * 65_536 + 1, 65_536, 0) is None


@given(WORDS, WORDS, WORDS)
def test_any_report_gives_a_sensible_time_or_none(arrival, last, delay):
    found = round_trip_time(arrival, last, delay)
    assert found is None or 0.0 <= found <= MAX_ROUND_TRIP_SECONDS


@given(sent=st.floats(0, 5e9), there=st.floats(0, 4), lay=st.floats(0, 30), back=st.floats(0, 4))
def test_a_report_that_goes_there_and_back_measures_the_way(sent, there, lay, back):
    last = middle(to_ntp(sent))
    peer = LastReport()
    peer.update(last, 50 + there)
    found = round_trip_time(middle(to_ntp(sent + there + lay + back)), last, peer.delay(50 + there + lay))
    assert last == 0 or found == pytest.approx(there + back, abs=5e-5)


def test_before_any_report_both_fields_are_0():
    report = LastReport()
    assert (report.middle, report.delay(100.0)) == (0, 0)
    report.update(7, 100.0)
    assert (report.middle, report.delay(100.5)) == (7, to_short(0.5))


# -- NTP timestamps -------------------------------------------------------------------------------------------------


def test_rfc5905_the_unix_epoch_is_seventy_years_in():
    assert to_ntp(0.0) == UNIX_EPOCH << 32
    assert to_ntp(0.5) == UNIX_EPOCH << 32 | 0x80000000


@given(st.floats(0, 4_000_000_000))
def test_rfc3550_4_whole_and_fraction_are_32_bits_each(wall):
    ntp = to_ntp(wall)
    assert 0 <= ntp < 1 << 64
    assert ((ntp >> 32) - UNIX_EPOCH) % ERA_SECONDS + (ntp & 0xFFFFFFFF) / ERA_SECONDS == pytest.approx(wall, abs=1e-6)


def test_rfc5905_the_era_begins_anew_in_2036():
    wrap = ERA_SECONDS - UNIX_EPOCH
    assert to_ntp(float(wrap)) == 0
    assert to_ntp(wrap - 1.0) == (ERA_SECONDS - 1) << 32


def test_rfc3550_4_the_middle_is_16_bits_of_each_half():
    assert middle(0x1234_5678_9ABC_DEF0) == 0x5678_9ABC


def test_rfc3550_6_4_1_short_spans_are_in_65536ths_and_clamped():
    assert to_short(1.5) == 0x18000
    assert from_short(0x18000) == 1.5
    assert to_short(-1.0) == 0
    assert to_short(1e9) == 0xFFFFFFFF
