import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.jitter import InterarrivalJitter
from quality.loss import LossInterval, PacketLoss
from quality.receive import ReceiveStatistics
from quality.sequence import SequenceTracker

STEPS = st.one_of(
    st.integers(-3, 6),
    st.integers(-120, 120),
    st.sampled_from([2999, 3000, 3001, -99, -100, -101, 32767, 32768, 32769]),
    st.integers(0, 0xFFFF),
)
PACKETS = st.lists(
    st.tuples(STEPS, st.integers(0, 0xFFFFFFFF) | st.integers(-2000, 2000), st.floats(0, 15), st.integers(0, 1500)),
    max_size=80,
)


@given(start=st.integers(0, 0xFFFF), steps=PACKETS)
def test_rfc3550_a1_a3_a8_the_inlined_arithmetic_equals_the_reference(start, steps):
    statistics = ReceiveStatistics(48000)
    tracker, jitter, loss = SequenceTracker(), InterarrivalJitter(48000), PacketLoss()
    sequence, timestamp, arrival = start, 0, 1000.0
    for count, (step, ticks, seconds, size) in enumerate(steps, 1):
        sequence = (sequence + step) & 0xFFFF
        timestamp = (timestamp + ticks) & 0xFFFFFFFF
        arrival += seconds
        assert statistics.add(sequence, timestamp, arrival, size) == tracker.update(sequence)
        jitter.update(timestamp, arrival)
        loss.update(tracker.expected, count)
        assert (statistics.jitter, statistics.interarrival_jitter) == (jitter.seconds, jitter.ticks)
        assert (statistics.expected, statistics.packets_lost) == (tracker.expected, loss.lost)
        assert statistics.cumulative_lost == loss.cumulative_lost
        assert statistics.highest_sequence == (tracker.highest or 0) & 0xFFFFFFFF
        if count % 7 == 0:
            assert statistics.take_interval() == loss.take_interval()
    assert statistics.packets_received == len(steps)
    assert statistics.bytes_received == sum(step[3] for step in steps)


def test_before_the_first_packet_everything_is_0():
    statistics = ReceiveStatistics(48000)
    assert (statistics.expected, statistics.packets_lost, statistics.highest_sequence) == (0, 0, 0)
    assert (statistics.last_arrival, statistics.round_trip_time) == (None, None)
    assert statistics.take_interval() == LossInterval(0, 0)
    assert statistics.jitter == 0.0


def test_a_restart_is_not_charged_as_loss():
    statistics = ReceiveStatistics(48000)
    for step in range(10):
        statistics.add(step, 960 * step, 0.02 * step, 80)
    for step in range(10):
        statistics.add(30_000 + step, 960 * step, 1 + 0.02 * step, 80)
    assert statistics.packets_lost == 0
    assert statistics.expected == 20


def test_loss_is_counted_and_healed_by_late_packets():
    statistics = ReceiveStatistics(48000)
    for sequence in (0, 1, 4):
        statistics.add(sequence, 960 * sequence, 0.02 * sequence, 80)
    assert statistics.packets_lost == 2
    assert statistics.take_interval() == LossInterval(5, 2)
    statistics.add(2, 1920, 0.1, 80)
    assert statistics.packets_lost == 1
    assert statistics.take_interval() == LossInterval(0, -1)
    assert statistics.last_arrival == 0.1


def test_rfc3550_6_4_1_sender_reports_are_remembered_for_lsr_and_dlsr():
    statistics = ReceiveStatistics(48000)
    assert (statistics.last_sender_report.middle, statistics.last_sender_report.delay(9.0)) == (0, 0)
    statistics.sender_reported(0x12345678, 9.0)
    assert statistics.last_sender_report.middle == 0x12345678
    assert statistics.last_sender_report.delay(10.0) == 65_536


def test_rfc3611_4_5_an_echo_of_our_reference_time_gives_the_round_trip():
    statistics = ReceiveStatistics(48000)
    statistics.reference_echoed(0xB7108000, 0xB7052000, 0x00054000)
    assert statistics.round_trip_time == pytest.approx(6.125)
    statistics.reference_echoed(0xB7108000, 0, 0)
    assert statistics.round_trip_time == pytest.approx(6.125)


def test_rfc4733_2_2_1_a_packet_with_the_timestamp_of_an_events_beginning_counts_and_says_nothing_of_jitter():
    known = ReceiveStatistics(48_000)
    for number in range(5):
        known.add(number, 960 * number, 0.02 * number, 80)
    for number in range(5, 10):
        assert known.add_untimed(number, 4800, 0.02 * number, 4) == number
    for number in range(10, 15):
        known.add(number, 960 * number, 0.02 * number, 80)
    assert known.jitter < 1e-4
    assert (known.packets_received, known.packets_lost, known.bytes_received) == (15, 0, 10 * 80 + 5 * 4)


def test_a_stream_may_begin_with_an_event():
    known = ReceiveStatistics(48_000)
    assert known.add_untimed(65_535, 0xFFFFFFF0, 1.0, 4) == 65_535
    assert known.add(0, (0xFFFFFFF0 + 960) & 0xFFFFFFFF, 1.02, 80) == 65_536
    assert known.jitter < 1e-4
