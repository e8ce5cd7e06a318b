"""The figures of a real server."""

from quality.sequence import PacketCount
from sfu.selection import MuteFlags
from sfu.server import MediaServer
from sfu.settings import MediaSettings
from tests.support.clock import VirtualClock
from tests.support.house import Recorder, eventually, joined, talk, words


async def test_statistics_have_the_names_of_the_w3c(house):
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", words("ana"))
    await eventually(lambda: ben.reports)
    ben.report()
    figures = house.server.observation
    await eventually(lambda: any(entry["type"] == "remote-inbound-rtp" for entry in figures.statistics("ben")))
    by_type = {entry["type"]: entry for entry in house.server.observation.statistics("ben")}
    assert by_type["outbound-rtp"]["packets_sent"] == 30
    assert by_type["outbound-rtp"]["mid"] == "1"
    assert by_type["transport"]["dtls_state"] == "connected"
    assert by_type["transport"]["srtp_cipher"] == "SRTP_AEAD_AES_256_GCM"
    inbound = {entry["type"]: entry for entry in house.server.observation.statistics("ana")}["inbound-rtp"]
    assert (inbound["packets_received"], inbound["packets_lost"]) == (30, 0)
    assert inbound["bytes_received"] == sum(map(len, words("ana")))


async def test_can_ben_hear_ana(house):
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", words("ana"))
    await eventually(lambda: ben.reports)

    def pairs():
        return {(one.talker, one.listener): one for one in house.server.observation.deliveries("hall")}

    unreported = pairs()["ana", "ben"]
    assert (unreported.forwarded, unreported.packets, unreported.heard_at) == (30, PacketCount(0, 0), None)
    ben.report()
    await eventually(lambda: pairs()["ana", "ben"].heard_at is not None)
    heard = pairs()["ana", "ben"]
    assert (heard.forwarded, heard.packets, heard.lost_in_all) == (30, PacketCount(30, 30), 0)
    assert heard.octets == sum(map(len, words("ana")))
    assert (pairs()["ben", "ana"].forwarded, pairs()["ben", "ana"].heard_at) == (0, None)
    house.server.participants.remove("ana")
    assert pairs() == {}


async def test_counters_never_fall_and_gauges_tell_what_is(house):
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", words("ana"))
    before = house.server.observation.counters()
    assert before["packets_in"] == 30
    assert before["packets_out"] >= 30
    gauges = house.server.observation.gauges()
    assert (gauges["rooms"], gauges["participants"], gauges["endpoints"]) == (1, 2, 2)
    assert gauges["endpoints_connected"] == 2
    assert gauges["loop_lag_seconds"] >= 0
    house.server.participants.remove("ana")
    house.server.participants.remove("ben")
    after = house.server.observation.counters()
    assert all(after[name] >= count for name, count in before.items())
    assert house.server.observation.gauges()["rooms"] == house.server.observation.gauges()["endpoints"] == 0


def test_who_is_in_a_room_is_read_at_any_time_and_of_a_room_that_is_not_there_nobody():
    server = MediaServer(MediaSettings(port=0), Recorder(), VirtualClock())
    assert (server.observation.live("hall"), server.observation.deliveries("hall")) == ([], [])
    server.participants.add("hall", "ana", MuteFlags())
    assert [one.participant for one in server.observation.live("hall")] == ["ana"]
    assert server.observation.live("cellar") == []
    assert server.observation.gauges()["rooms"] == 1
