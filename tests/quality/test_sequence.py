import random

from hypothesis import given
from hypothesis import strategies as st

from quality.sequence import MAX_DROPOUT, MAX_MISORDER, SequenceTracker, nearest

SEQUENCES = st.integers(0, 0xFFFF)


def test_nothing_is_expected_before_the_first_packet():
    tracker = SequenceTracker()
    assert (tracker.highest, tracker.base, tracker.expected) == (None, None, 0)


@given(start=SEQUENCES, count=st.integers(1, 400))
def test_rfc3550_a1_numbers_go_on_over_the_wrap(start, count):
    tracker = SequenceTracker()
    got = [tracker.update((start + step) & 0xFFFF) for step in range(count)]
    assert got == list(range(start, start + count))
    assert tracker.expected == count


@given(start=SEQUENCES, seed=st.integers(0, 1000))
def test_rfc3550_a1_reordered_packets_keep_their_numbers(start, seed):
    tracker = SequenceTracker()
    tracker.update(start)
    order = list(range(1, 300))
    rng = random.Random(seed)
    for at in range(0, len(order), 20):
        block = order[at : at + 20]
        rng.shuffle(block)
        order[at : at + 20] = block
    assert [tracker.update((start + step) & 0xFFFF) for step in order] == [start + step for step in order]
    assert tracker.highest == start + 299


def test_a_duplicate_moves_nothing():
    tracker = SequenceTracker()
    assert [tracker.update(number) for number in (65535, 0, 0, 65535)] == [65535, 65536, 65536, 65535]
    assert tracker.expected == 2


def test_a_late_packet_from_before_the_first_is_below_the_base():
    tracker = SequenceTracker()
    tracker.update(2)
    assert tracker.update(65535) == -1
    assert (tracker.highest, tracker.expected) == (2, 1)


def test_rfc3550_a1_limits_of_dropout_and_misorder():
    tracker = SequenceTracker()
    tracker.update(1000)
    assert tracker.update(1000 + MAX_DROPOUT - 1) == 1000 + MAX_DROPOUT - 1
    tracker = SequenceTracker()
    tracker.update(1000)
    assert tracker.update(1000 + MAX_DROPOUT) == 1000 + MAX_DROPOUT
    assert tracker.highest == 1000
    tracker = SequenceTracker()
    tracker.update(1000)
    assert tracker.update(1000 - MAX_MISORDER + 1) == 1000 - MAX_MISORDER + 1
    assert tracker.update(1000 - MAX_MISORDER) == 1000 - MAX_MISORDER
    assert tracker.update(1001) == 1001


@given(start=SEQUENCES, jump=st.integers(MAX_DROPOUT, 0x10000 - MAX_MISORDER - 1))
def test_rfc3550_a1_two_in_a_row_after_a_jump_are_a_restart(start, jump):
    tracker = SequenceTracker()
    tracker.update(start)
    tracker.update((start + jump) & 0xFFFF)
    assert (tracker.highest, tracker.expected) == (start, 1)
    assert tracker.update((start + jump + 1) & 0xFFFF) == start + jump + 1
    assert tracker.expected == 3
    assert tracker.update((start + jump + 2) & 0xFFFF) == start + jump + 2
    assert tracker.expected == 4


def test_one_stray_packet_is_no_restart():
    tracker = SequenceTracker()
    assert [tracker.update(number) for number in (10, 40_000, 11, 20_000, 12)] == [10, 40_000 - 65_536, 11, 20_000, 12]
    assert tracker.expected == 3


@given(sequence=SEQUENCES, reference=st.integers(-(1 << 20), 1 << 40))
def test_nearest_keeps_the_low_bits_and_stays_within_half_a_cycle(sequence, reference):
    found = nearest(sequence, reference)
    assert found & 0xFFFF == sequence
    assert -0x8000 < found - reference <= 0x8000
