import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.receive import BREAK_SECONDS, ReceiveStatistics
from quality.sequence import PacketCount
from tests.quality.rfc3550 import InterarrivalJitter, SequenceTracker

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
    tracker, jitter = SequenceTracker(), InterarrivalJitter(48000)
    sequence, timestamp, arrival = start, 0, 1000.0
    for count, (step, ticks, seconds, size) in enumerate(steps, 1):
        sequence = (sequence + step) & 0xFFFF
        timestamp = (timestamp + ticks) & 0xFFFFFFFF
        arrival += seconds
        assert statistics.add(sequence, timestamp, arrival, size) == tracker.update(sequence)
        jitter.update(timestamp, arrival)
        assert (statistics.jitter, statistics.interarrival_jitter) == (jitter.seconds, jitter.ticks)
        assert statistics.packets == PacketCount(tracker.expected, count)
        assert statistics.highest_sequence == (tracker.highest or 0) & 0xFFFFFFFF
    assert statistics.packets_received == len(steps)
    assert statistics.bytes_received == sum(step[3] for step in steps)


def test_before_the_first_packet_everything_is_0():
    statistics = ReceiveStatistics(48000)
    assert (statistics.packets, statistics.highest_sequence) == (PacketCount(0, 0), 0)
    assert (statistics.last_arrival, statistics.round_trip_time) == (None, None)
    assert (statistics.jitter, statistics.interarrival_jitter) == (0.0, 0)


def test_a_restart_is_not_charged_as_loss():
    statistics = ReceiveStatistics(48000)
    for step in range(10):
        statistics.add(step, 960 * step, 0.02 * step, 80)
    for step in range(10):
        statistics.add(30_000 + step, 960 * step, 1 + 0.02 * step, 80)
    assert statistics.packets == PacketCount(20, 20)


def test_loss_is_counted_and_healed_by_late_packets():
    statistics = ReceiveStatistics(48000)
    for sequence in (0, 1, 4):
        statistics.add(sequence, 960 * sequence, 0.02 * sequence, 80)
    before = statistics.packets
    assert before == PacketCount(5, 3)
    statistics.add(2, 1920, 0.1, 80)
    assert statistics.packets.lost == 1
    assert (statistics.packets - before).lost == -1
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
    assert (known.packets, known.bytes_received) == (PacketCount(15, 15), 10 * 80 + 5 * 4)


def test_a_stream_may_begin_with_an_event():
    known = ReceiveStatistics(48_000)
    assert known.add_untimed(65_535, 0xFFFFFFF0, 1.0, 4) == 65_535
    assert known.add(0, (0xFFFFFFF0 + 960) & 0xFFFFFFFF, 1.02, 80) == 65_536
    assert known.jitter < 1e-4


# -- interarrival jitter --------------------------------------------------------------------------------------------


def jitter_of(packets, clock_rate=48_000):
    """The measures of packets that came at these (timestamp, arrival)."""
    known = ReceiveStatistics(clock_rate)
    for number, (ticks, arrival) in enumerate(packets):
        known.add(number, ticks & 0xFFFFFFFF, arrival, 80)
    return known


def test_even_packets_have_no_jitter():
    known = jitter_of((960 * step, 100 + 0.02 * step) for step in range(100))
    assert known.jitter == pytest.approx(0, abs=1e-9)
    assert known.interarrival_jitter == 0


def test_rfc3550_a8_a_sixteenth_of_each_deviation():
    known = jitter_of([(0, 0.0), (160, 0.03)], 8000)
    assert known.interarrival_jitter == 5
    assert known.jitter == pytest.approx(80 / 16 / 8000)
    known.add(2, 320, 0.04, 80)
    assert known.jitter == pytest.approx((5 + (80 - 5) / 16) / 8000)


@given(start=st.integers(0, 0xFFFFFFFF), delays=st.lists(st.floats(0, 0.2), min_size=2, max_size=50))
def test_rfc3550_a8_the_wrap_at_2_to_the_32_changes_nothing(start, delays):
    packets = [(960 * step, 0.02 * step + delay) for step, delay in enumerate(delays)]
    assert jitter_of((start + ticks, arrival) for ticks, arrival in packets).jitter == jitter_of(packets).jitter


def test_a_timestamp_that_goes_back_counts_as_such():
    assert jitter_of([(960, 0.0), (0, 0.0)]).jitter == pytest.approx(0.02 / 16)


def test_a_new_time_line_is_no_jitter():
    known = jitter_of([(0, 0.0), (960, 0.03)])
    before = known.jitter
    known.add(2, 3_000_000_000, 0.05, 80)
    assert known.jitter == before
    known.add(3, 3_000_000_960, 0.07 + BREAK_SECONDS - 0.001, 80)
    assert known.jitter > before
