from types import SimpleNamespace

import pytest

from quality.receive import ReceiveStatistics
from quality.send import RemoteReceiveStatistics
from quality.w3c import (
    SentSnapshot,
    StreamIdentity,
    TransportSnapshot,
    inbound_rtp,
    outbound_rtp,
    remote_inbound_rtp,
    remote_outbound_rtp,
    timestamp,
    transport,
)

NOW, EPOCH = 100.0, 1_700_000_000.0 - 100.0
IDENTITY = StreamIdentity("in-1", ssrc=1234, mid="0", transport_id="t-1")


def test_a_monotonic_time_becomes_unix_milliseconds():
    assert timestamp(NOW, EPOCH) == 1_700_000_000_000
    assert timestamp(99.5, EPOCH) == 1_699_999_999_500


def test_inbound_rtp_has_the_names_of_the_w3c():
    statistics = ReceiveStatistics(48000)
    statistics.add(1, 0, 99.0, 80)
    statistics.add(3, 1920, 99.5, 90)
    assert inbound_rtp(IDENTITY, statistics.snapshot(NOW), EPOCH, 0.5) == {
        "id": "in-1",
        "timestamp": 1_700_000_000_000,
        "type": "inbound-rtp",
        "kind": "audio",
        "ssrc": 1234,
        "mid": "0",
        "transport_id": "t-1",
        "packets_received": 2,
        "bytes_received": 170,
        "packets_lost": 1,
        "jitter": statistics.jitter,
        "last_packet_received_timestamp": 1_699_999_999_500,
        "audio_level": 0.5,
    }


def test_what_is_not_known_is_absent():
    stats = inbound_rtp(StreamIdentity("in-2", 1), ReceiveStatistics(48000).snapshot(NOW), EPOCH)
    assert not {"mid", "transport_id", "audio_level", "last_packet_received_timestamp"} & set(stats)
    assert "remote_id" not in outbound_rtp(IDENTITY, SentSnapshot(NOW, 1, 2), EPOCH)
    remote = remote_inbound_rtp(IDENTITY, RemoteReceiveStatistics(48000).snapshot(NOW), EPOCH)
    assert not {"round_trip_time", "local_id"} & set(remote)
    assert remote["timestamp"] == 1_700_000_000_000


def test_outbound_and_remote_inbound_point_at_each_other():
    sent = outbound_rtp(IDENTITY, SentSnapshot(NOW, 10, 800, 160), EPOCH, remote_id="r-1")
    assert (sent["type"], sent["remote_id"], sent["packets_sent"]) == ("outbound-rtp", "r-1", 10)
    assert (sent["bytes_sent"], sent["header_bytes_sent"]) == (800, 160)
    statistics = RemoteReceiveStatistics(48000)
    block = SimpleNamespace(
        fraction_lost_octet=128,
        cumulative_lost=3,
        highest_sequence=9,
        interarrival_jitter=48,
        last_sender_report=0x10000,
        delay_since_last_sender_report=0,
    )
    statistics.update(block, 0x18000, 98.0)
    remote = remote_inbound_rtp(IDENTITY, statistics.snapshot(NOW), EPOCH, local_id="in-1")
    assert remote["timestamp"] == pytest.approx(1_699_999_998_000)
    assert (remote["type"], remote["local_id"], remote["packets_lost"]) == ("remote-inbound-rtp", "in-1", 3)
    assert (remote["fraction_lost"], remote["jitter"], remote["round_trip_time"]) == (0.5, 0.001, 0.5)
    assert (remote["total_round_trip_time"], remote["round_trip_time_measurements"]) == (0.5, 1)


def test_transport_says_how_the_endpoint_is_reached():
    snapshot = TransportSnapshot(NOW, 1, 2, 3, 4, "connected", "connected", "SRTP_AEAD_AES_256_GCM")
    stats = transport("t-1", snapshot, EPOCH)
    assert (stats["packets_sent"], stats["packets_received"]) == (1, 2)
    assert (stats["bytes_sent"], stats["bytes_received"]) == (3, 4)
    assert (stats["ice_role"], stats["dtls_state"], stats["srtp_cipher"]) == (
        "controlled",
        "connected",
        "SRTP_AEAD_AES_256_GCM",
    )
    assert "srtp_cipher" not in transport("t-1", TransportSnapshot(NOW, 0, 0, 0, 0, "new", "new"), EPOCH)


def test_rfc3611_4_5_a_publisher_s_round_trip_stands_with_its_stream():
    statistics = ReceiveStatistics(48000)
    identity = StreamIdentity("remote-outbound-1", 7)
    stats = remote_outbound_rtp(identity, statistics.snapshot(NOW), EPOCH, "inbound-1")
    assert (stats["type"], stats["local_id"]) == ("remote-outbound-rtp", "inbound-1")
    assert "round_trip_time" not in stats
    statistics.round_trip_time = 0.05
    stats = remote_outbound_rtp(identity, statistics.snapshot(NOW), EPOCH, "inbound-1")
    assert stats["round_trip_time"] == 0.05
