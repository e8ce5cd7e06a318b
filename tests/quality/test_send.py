from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.send import RemoteReceiveStatistics


@dataclass(frozen=True)
class Block:
    fraction_lost_octet: int = 0
    cumulative_lost: int = 0
    highest_sequence: int = 0
    interarrival_jitter: int = 0
    last_sender_report: int = 0
    delay_since_last_sender_report: int = 0


def test_nothing_is_known_before_a_report():
    statistics = RemoteReceiveStatistics(48000)
    assert (statistics.round_trip_time, statistics.last_report, statistics.highest_sequence) == (None, None, None)
    assert statistics.acknowledged(1000) is None


def test_rfc3550_6_4_1_a_report_block_in_w3c_units():
    statistics = RemoteReceiveStatistics(48000)
    statistics.update(Block(64, 12, 0x1_0005, 480, 0xB7052000, 0x00054000), 0xB7108000, 77.0)
    assert (statistics.fraction_lost, statistics.packets_lost, statistics.jitter) == (0.25, 12, 0.01)
    assert (statistics.round_trip_time, statistics.total_round_trip_time) == (6.125, 6.125)
    assert (statistics.round_trip_time_measurements, statistics.reports_received) == (1, 1)
    assert (statistics.highest_sequence, statistics.last_report) == (0x1_0005, 77.0)


def test_a_report_without_a_sensible_round_trip_leaves_the_last_one():
    statistics = RemoteReceiveStatistics(48000)
    statistics.update(Block(last_sender_report=0x10000), 0x18000, 1.0)
    statistics.update(Block(last_sender_report=0), 0x28000, 2.0)
    assert statistics.round_trip_time == 0.5
    assert (statistics.round_trip_time_measurements, statistics.reports_received) == (1, 2)


@pytest.mark.parametrize(
    ("reported", "sent", "acknowledged"),
    [(5, 5, 5), (0x3_0005, 0x1_0009, 0x1_0005), (0xFFFF, 0x1_0002, 0xFFFF), (9, 5, None)],
)
def test_what_is_acknowledged_is_in_our_own_count(reported, sent, acknowledged):
    statistics = RemoteReceiveStatistics(48000)
    statistics.update(Block(highest_sequence=reported), 0, 1.0)
    assert statistics.acknowledged(sent) == acknowledged


@given(reported=st.integers(0, 0xFFFFFFFF), sent=st.integers(0, 1 << 40))
def test_a_receiver_cannot_acknowledge_what_was_not_sent(reported, sent):
    statistics = RemoteReceiveStatistics(48000)
    statistics.update(Block(highest_sequence=reported), 0, 1.0)
    found = statistics.acknowledged(sent)
    assert found is None or sent - 0x8000 < found <= sent


def test_a_snapshot_has_what_was_known_when_it_was_taken():
    statistics = RemoteReceiveStatistics(48000)
    before = statistics.snapshot(1.0)
    statistics.update(Block(64, 12, 5, 480, 0xB7052000, 0x00054000), 0xB7108000, 77.0)
    after = statistics.snapshot(78.0)
    assert (before.reports_received, before.last_report, before.round_trip_time) == (0, None, None)
    assert (after.at, after.last_report, after.reports_received) == (78.0, 77.0, 1)
    assert (after.packets_lost, after.fraction_lost, after.jitter) == (12, 0.25, 0.01)
    assert (after.round_trip_time, after.total_round_trip_time, after.round_trip_time_measurements) == (6.125, 6.125, 1)
