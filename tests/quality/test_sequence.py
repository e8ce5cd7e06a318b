import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.receive import ReceiveStatistics
from quality.sequence import MAX_DROPOUT, MAX_MISORDER, PacketCount, clamp_cumulative_lost, nearest

SEQUENCES = st.integers(0, 0xFFFF)
COUNTS = st.builds(PacketCount, st.integers(0, 1 << 40), st.integers(0, 1 << 40))


def numbered(sequences):
    """The extended numbers of packets that came in this order, and how many were expected."""
    known = ReceiveStatistics(48_000)
    return [known.add(sequence & 0xFFFF, 0, 0.0, 80) for sequence in sequences], known.packets.expected


@given(start=SEQUENCES, count=st.integers(1, 400))
def test_rfc3550_a1_numbers_go_on_over_the_wrap(start, count):
    assert numbered(range(start, start + count)) == (list(range(start, start + count)), count)


@given(start=SEQUENCES, seed=st.integers(0, 1000))
def test_rfc3550_a1_reordered_packets_keep_their_numbers(start, seed):
    order, rng = list(range(start + 1, start + 300)), random.Random(seed)
    for at in range(0, len(order), 20):
        block = order[at : at + 20]
        rng.shuffle(block)
        order[at : at + 20] = block
    assert numbered([start, *order]) == ([start, *order], 300)


def test_a_duplicate_moves_nothing():
    assert numbered([65535, 0, 0, 65535]) == ([65535, 65536, 65536, 65535], 2)


def test_a_late_packet_from_before_the_first_is_below_the_base():
    assert numbered([2, 65535]) == ([2, -1], 1)


def test_rfc3550_a1_limits_of_dropout_and_misorder():
    assert numbered([1000, 1000 + MAX_DROPOUT - 1])[1] == MAX_DROPOUT
    assert numbered([1000, 1000 + MAX_DROPOUT])[1] == 1
    assert numbered([1000, 1001 - MAX_MISORDER]) == ([1000, 1001 - MAX_MISORDER], 1)
    assert numbered([1000, 999 - MAX_MISORDER, 1000 - MAX_MISORDER])[1] == 1 + 2


@given(start=SEQUENCES, jump=st.integers(MAX_DROPOUT, 0xFFFF - MAX_MISORDER))
def test_rfc3550_a1_two_in_a_row_after_a_leap_are_a_restart(start, jump):
    extended, expected = numbered([start, start + jump, start + jump + 1, start + jump + 2])
    assert (extended[2:], expected) == ([start + jump + 1, start + jump + 2], 4)


def test_one_stray_packet_is_no_restart():
    assert numbered([10, 40_000, 11, 20_000, 12]) == ([10, 40_000 - 65_536, 11, 20_000, 12], 3)


@given(sequence=SEQUENCES, reference=st.integers(-(1 << 20), 1 << 40))
def test_nearest_keeps_the_low_bits_and_stays_within_half_a_cycle(sequence, reference):
    found = nearest(sequence, reference)
    assert found & 0xFFFF == sequence
    assert -0x8000 < found - reference <= 0x8000


# -- packets counted by them ----------------------------------------------------------------------------------------


def test_rfc3550_a3_loss_is_what_was_expected_less_what_came():
    count = PacketCount(100, 90)
    assert (count.lost, count.fraction_lost, count.fraction_lost_octet) == (10, 0.1, 25)
    assert PacketCount() == PacketCount(0, 0)
    assert (PacketCount().fraction_lost, PacketCount().fraction_lost_octet) == (0.0, 0)


def test_rfc3550_a3_duplicates_make_the_loss_negative_and_the_fraction_nothing():
    count = PacketCount(10, 14)
    assert (count.lost, count.fraction_lost, count.fraction_lost_octet) == (-4, 0.0, 0)


def test_all_lost_is_255():
    assert (PacketCount(4, 0).fraction_lost_octet, PacketCount(4, 0).fraction_lost) == (255, 1.0)
    assert PacketCount(4, -1).fraction_lost == 1.0


@pytest.mark.parametrize(
    ("lost", "held"), [(0x7FFFFF, 0x7FFFFF), (0x800000, 0x7FFFFF), (-0x800000, -0x800000), (-0x800001, -0x800000)]
)
def test_rfc3550_6_4_1_cumulative_loss_stops_at_24_bits(lost, held):
    assert clamp_cumulative_lost(lost) == held
    assert PacketCount(lost, 0).cumulative_lost == held


@given(st.integers(-1000, 1 << 30), st.integers(-(1 << 30), 1 << 30))
def test_fractions_stay_in_range_and_agree(expected, lost):
    count = PacketCount(expected, expected - lost)
    assert 0.0 <= count.fraction_lost <= 1.0
    assert 0 <= count.fraction_lost_octet <= 255
    assert abs(count.fraction_lost - count.fraction_lost_octet / 256) <= 1 / 256


@given(COUNTS, COUNTS)
def test_a_part_and_the_rest_are_the_whole(part, rest):
    assert part + rest - rest == part
    assert (part + rest).lost == part.lost + rest.lost
