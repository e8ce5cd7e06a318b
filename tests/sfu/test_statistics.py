from itertools import count
from random import Random

from sfu.endpoint import Endpoint
from sfu.ice import IceLite, Source
from sfu.offer import IceParameters, Offer
from sfu.reports import Reports
from sfu.rtcp import ReportBlock
from sfu.slot import Slot, SlotFormat
from sfu.statistics import connection_statistics, octets_of
from tests.support.ears import LOUD, Mouth, srtp_contexts, stream_of

SOURCE = Source(0, ("192.0.2.1", 5))


def endpoint():
    ice = IceLite(IceParameters("ours", "o" * 24), IceParameters("theirs", "t" * 24), 0.0)
    return Endpoint("ana", ice, Reports(1, "cname", 0.0), Random(1), count(1))


def test_an_endpoint_without_media_has_its_transport_alone():
    (transport,) = connection_statistics(endpoint(), "new", 5.0, 1000.0)
    assert (transport["type"], transport["ice_state"], transport["dtls_state"]) == ("transport", "new", "new")
    assert transport["timestamp"] == 1_005_000.0
    assert transport["packets_sent"] == 0
    assert "srtp_cipher" not in transport


def test_streams_and_slots_each_way_under_the_w3c_s_names():
    end = endpoint()
    end.ice.selected = SOURCE
    end.srtp = srtp_contexts("SRTP_AEAD_AES_256_GCM")[0]
    end.packets_in, end.octets_in = 12, 1200
    stream = stream_of("ana", 3, first=10)
    stream.handlers = (lambda *_: None,)
    Mouth(stream, now=1.0).say(LOUD, 4)
    end.streams[stream.ssrc] = stream
    stream.statistics.round_trip_time = 0.08
    silent, sending, reported = (
        Slot(SlotFormat(mid, 111), ssrc, 0, 0) for mid, ssrc in zip("123", (51, 52, 53), strict=True)
    )
    sending.tally.correct(7, 560)
    reported.tally.correct(1, 80)
    reported.remote.update(ReportBlock(53, 128, 2, 0, 480, 0, 0), 0, 4.0)
    end.slots = [silent, sending, reported]
    entries = {entry["id"]: entry for entry in connection_statistics(end, "connected", 5.0, 1000.0)}
    assert list(entries) == [
        "transport",
        "inbound-3",
        "remote-outbound-3",
        "outbound-2",
        "outbound-3",
        "remote-inbound-3",
    ]
    transport = entries["transport"]
    assert (transport["packets_sent"], transport["bytes_sent"]) == (8, 640 + 8 * 12)
    assert (transport["packets_received"], transport["bytes_received"]) == (12, 1200)
    assert (transport["ice_state"], transport["srtp_cipher"]) == ("connected", "SRTP_AEAD_AES_256_GCM")
    inbound = entries["inbound-3"]
    assert (inbound["ssrc"], inbound["packets_received"], inbound["packets_lost"]) == (stream.ssrc, 4, 0)
    assert 0 < inbound["audio_level"] <= 1
    assert (entries["outbound-2"]["packets_sent"], entries["outbound-2"]["bytes_sent"]) == (7, 560)
    assert entries["outbound-2"]["mid"] == "2"
    told = entries["remote-outbound-3"]
    assert (told["round_trip_time"], told["local_id"], told["ssrc"]) == (0.08, "inbound-3", stream.ssrc)
    remote = entries["remote-inbound-3"]
    assert (remote["fraction_lost"], remote["packets_lost"], remote["jitter"]) == (0.5, 2, 0.01)
    assert (remote["timestamp"], remote["local_id"]) == (1_004_000.0, "outbound-3")


def test_totals_of_an_endpoint_stay_when_a_slot_goes():
    end = endpoint()
    end.slots = [Slot(SlotFormat(mid, 111), ssrc, 0, 0) for mid, ssrc in zip("12", (51, 52), strict=True)]
    for slot in end.slots:
        slot.tally.correct(10, 800)
    before = octets_of(end)
    end.negotiate(Offer((), (), (), IceParameters("theirs", "t" * 24), False, (), "actpass"), (), 8)
    assert end.slots == []
    assert octets_of(end) == before == (2 * (800 + 10 * 12), 0)
    assert connection_statistics(end, "connected", 5.0, 0.0)[0]["packets_sent"] == 20


def test_consent_that_expired_is_a_failed_transport():
    end = endpoint()
    end.ice.selected = SOURCE
    end.ice.expired = True
    assert connection_statistics(end, "closed", 5.0, 0.0)[0]["ice_state"] == "failed"
