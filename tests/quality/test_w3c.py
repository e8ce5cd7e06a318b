from types import SimpleNamespace

import pytest

from quality.level import AudioEnergy
from quality.receive import ReceiveStatistics
from quality.send import RemoteReceiveStatistics
from quality.w3c import (
    Moment,
    SentTotals,
    StreamIdentity,
    TransportTotals,
    camel_case,
    inbound_rtp,
    outbound_rtp,
    remote_inbound_rtp,
    remote_outbound_rtp,
    transport,
)

MOMENT = Moment(now=100.0, wall=1_700_000_000.0)
IDENTITY = StreamIdentity("in-1", ssrc=1234, mid="0", transport_id="t-1")


def test_a_monotonic_time_is_told_in_unix_milliseconds():
    assert MOMENT.timestamp == 1_700_000_000_000
    assert MOMENT.timestamp_of(99.5) == 1_699_999_999_500


def test_inbound_rtp_has_the_names_of_the_w3c():
    statistics = ReceiveStatistics(48000)
    statistics.add(1, 0, 99.0, 80)
    statistics.add(3, 1920, 99.5, 90)
    energy = AudioEnergy()
    energy.add(0, 0.02)
    assert camel_case(inbound_rtp(IDENTITY, statistics, MOMENT, energy)) == {
        "id": "in-1",
        "timestamp": 1_700_000_000_000,
        "type": "inbound-rtp",
        "kind": "audio",
        "ssrc": 1234,
        "mid": "0",
        "transportId": "t-1",
        "packetsReceived": 2,
        "bytesReceived": 170,
        "packetsLost": 1,
        "jitter": statistics.jitter,
        "lastPacketReceivedTimestamp": 1_699_999_999_500,
        "audioLevel": 1.0,
        "totalAudioEnergy": 0.02,
        "totalSamplesDuration": 0.02,
    }


def test_what_is_not_known_is_absent():
    stats = inbound_rtp(StreamIdentity("in-2", 1), ReceiveStatistics(48000), MOMENT)
    assert not {"mid", "transport_id", "audio_level", "last_packet_received_timestamp"} & set(stats)
    assert "remote_id" not in outbound_rtp(IDENTITY, SentTotals(1, 2), MOMENT)
    remote = remote_inbound_rtp(IDENTITY, RemoteReceiveStatistics(48000), MOMENT)
    assert not {"round_trip_time", "local_id"} & set(remote)
    assert remote["timestamp"] == MOMENT.timestamp


def test_outbound_and_remote_inbound_point_at_each_other():
    sent = outbound_rtp(IDENTITY, SentTotals(10, 800, 160), MOMENT, remote_id="r-1")
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
    remote = remote_inbound_rtp(IDENTITY, statistics, MOMENT, local_id="in-1")
    assert remote["timestamp"] == pytest.approx(1_699_999_998_000)
    assert (remote["type"], remote["local_id"], remote["packets_lost"]) == ("remote-inbound-rtp", "in-1", 3)
    assert (remote["fraction_lost"], remote["jitter"], remote["round_trip_time"]) == (0.5, 0.001, 0.5)
    assert (remote["total_round_trip_time"], remote["round_trip_time_measurements"]) == (0.5, 1)


def test_transport_says_how_the_endpoint_is_reached():
    totals = TransportTotals(1, 2, 3, 4, "connected", "connected", "SRTP_AEAD_AES_256_GCM")
    stats = camel_case(transport("t-1", totals, MOMENT))
    assert (stats["packetsSent"], stats["packetsReceived"], stats["bytesSent"], stats["bytesReceived"]) == (1, 2, 3, 4)
    assert (stats["iceRole"], stats["dtlsState"], stats["srtpCipher"]) == (
        "controlled",
        "connected",
        "SRTP_AEAD_AES_256_GCM",
    )
    assert "srtp_cipher" not in transport("t-1", TransportTotals(0, 0, 0, 0, "new", "new"), MOMENT)


def test_rfc3611_4_5_a_publisher_s_round_trip_is_told_of_its_stream():
    statistics = ReceiveStatistics(48000)
    identity = StreamIdentity("remote-outbound-1", 7)
    told = remote_outbound_rtp(identity, statistics, Moment(1.0, 2.0), "inbound-1")
    assert (told["type"], told["local_id"]) == ("remote-outbound-rtp", "inbound-1")
    assert "round_trip_time" not in told
    statistics.round_trip_time = 0.05
    assert remote_outbound_rtp(identity, statistics, Moment(1.0, 2.0), "inbound-1")["round_trip_time"] == 0.05
