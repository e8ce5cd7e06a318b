import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.loss import LossInterval, PacketLoss, clamp_cumulative_lost


def test_nothing_yet_is_no_loss():
    loss = PacketLoss()
    assert (loss.lost, loss.cumulative_lost) == (0, 0)
    assert loss.take_interval() == LossInterval(0, 0)
    assert LossInterval(0, 0).fraction_lost == 0.0
    assert LossInterval(0, 0).fraction_lost_octet == 0


def test_rfc3550_a3_the_interval_is_since_the_last_one_taken():
    loss = PacketLoss()
    loss.update(expected=100, received=90)
    first = loss.take_interval()
    assert (first.fraction_lost, first.fraction_lost_octet) == (0.1, 25)
    loss.update(expected=200, received=190)
    second = loss.take_interval()
    assert second == LossInterval(100, 0)
    assert loss.lost == 10


def test_reading_changes_nothing():
    loss = PacketLoss()
    loss.update(10, 5)
    assert [loss.lost, loss.cumulative_lost] * 2 == [5, 5, 5, 5]
    assert loss.take_interval() == LossInterval(10, 5)


def test_rfc3550_a3_duplicates_make_the_loss_negative_and_the_fraction_nothing():
    loss = PacketLoss()
    loss.update(10, 14)
    interval = loss.take_interval()
    assert loss.lost == -4
    assert (interval.lost, interval.fraction_lost, interval.fraction_lost_octet) == (-4, 0.0, 0)


def test_all_lost_is_255():
    assert LossInterval(4, 4).fraction_lost_octet == 255
    assert LossInterval(4, 4).fraction_lost == 1.0
    assert LossInterval(4, 5).fraction_lost == 1.0


@pytest.mark.parametrize(
    ("lost", "held"), [(0x7FFFFF, 0x7FFFFF), (0x800000, 0x7FFFFF), (-0x800000, -0x800000), (-0x800001, -0x800000)]
)
def test_rfc3550_6_4_1_cumulative_loss_stops_at_24_bits(lost, held):
    assert clamp_cumulative_lost(lost) == held
    loss = PacketLoss()
    loss.update(lost, 0)
    assert loss.cumulative_lost == held


@given(st.integers(-1000, 1 << 30), st.integers(-(1 << 30), 1 << 30))
def test_fractions_stay_in_range_and_agree(expected, lost):
    interval = LossInterval(expected, lost)
    assert 0.0 <= interval.fraction_lost <= 1.0
    assert 0 <= interval.fraction_lost_octet <= 255
    assert abs(interval.fraction_lost - interval.fraction_lost_octet / 256) <= 1 / 256
