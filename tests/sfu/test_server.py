"""The media server with real peers on loopback. What is heard is judged by its octets, not by counts."""

import asyncio
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from bench.peer import Habits
from bench.peer_dtls import ALL_PROFILES
from bench.peer_rtp import Fields
from bench.peer_sdp import Line, Shape
from sfu import dtls, dtls_transport, server
from sfu.errors import PortUnavailable
from sfu.listener import ClockReported, ParticipantLeft, RoomClosed, StreamBegan, StreamEnded
from sfu.opus import OpusWishes
from sfu.rtcp import SenderReport
from sfu.selection import MuteFlags
from sfu.server import MediaServer
from sfu.settings import MediaSettings
from tests.sfu.offers import read
from tests.support.house import MediaHouse, Recorder, eventually, hear_from, joined, media_house, slot_of, talk, words

WRONG = ":".join(["AB"] * 32)


# -- joining --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ALL_PROFILES)
async def test_audio_passes_unchanged_under_each_protection_profile(house, profile):
    # RFC 5764 section 4.1.2 and RFC 7714 section 14.2.
    ana, ben = await joined(house, "ana", "ben", habits=Habits(profiles=(profile,)))
    assert ana.dtls.profile == ben.dtls.profile == profile
    await talk(ana, ben, "1", words("ana"))
    assert hear_from(ben, "1") == words("ana")


@pytest.mark.parametrize(("setup", "answered"), [("actpass", "passive"), ("active", "passive"), ("passive", "active")])
async def test_the_server_takes_either_dtls_role(house, setup, answered):
    # RFC 8842 section 5.3.
    ana = await house.join("ana", Shape(setup=setup))
    ben = await house.join("ben")
    assert ana.answer.setup == answered
    await talk(ana, ben, "1", words("ana"))
    await talk(ben, ana, "1", words("ben"))
    assert (hear_from(ben, "1"), hear_from(ana, "1")) == (words("ana"), words("ben"))


async def test_both_families_meet_on_one_port():
    async with media_house(("127.0.0.1", "::1")) as house:
        ana = await house.join("ana", habits=Habits(host="::1"))
        ben = await house.join("ben", habits=Habits(host="127.0.0.1"))
        assert ana.server[1] == ben.server[1] == house.server.port
        assert ana.answer.candidates[0][0] == "127.0.0.1"
        await talk(ana, ben, "1", words("ana"))
        await talk(ben, ana, "1", words("ben"))
        assert (hear_from(ben, "1"), hear_from(ana, "1")) == (words("ana"), words("ben"))


async def test_ipv6_alone_is_enough():
    async with media_house(("::1",)) as house:
        ana, ben = await joined(house, "ana", "ben", habits=Habits(host="::1"))
        await talk(ana, ben, "1", words("ana"))
        assert hear_from(ben, "1") == words("ana")


async def test_payload_types_and_extension_ids_are_the_clients(house):
    # RFC 3264 section 6.1 and RFC 8285 section 6: each side sends with the numbers of the other's description.
    ana = await house.join("ana", Shape(payload_type=100, level_id=5, mid_id=9))
    ben = await house.join("ben", Shape(payload_type=120, level_id=14, mid_id=2))
    for level, word in enumerate(words("ana", 5)):
        ana.send(word, Fields(level=level + 20))
    await ben.until(lambda: len(ben.heard["1"]) == 5)
    assert {heard.payload_type for heard in ben.heard["1"]} == {120}
    assert [heard.extensions for heard in ben.heard["1"]] == [{14: bytes([20 + n]), 2: b"1"} for n in range(5)]


async def test_a_client_without_extensions_takes_part(house):
    ana = await house.join("ana", Shape(level_id=None, mid_id=None))
    ben = await house.join("ben")
    await talk(ana, ben, "1", words("ana"))
    await talk(ben, ana, "1", words("ben"))
    assert hear_from(ben, "1") == words("ana")
    assert hear_from(ana, "1") == words("ben")
    assert not any(heard.extensions for heard in ana.heard["1"])


async def test_the_answer_asks_the_encoder_for_what_the_server_was_told_and_the_next_one_may_ask_for_more(house):
    # RFC 7587 section 6.1, RFC 8866 section 6.4.
    house.server.participants.add("hall", "ana", MuteFlags())
    offer = read("chromium_156")
    for wishes in (OpusWishes(), OpusWishes(bitrate=16_000, ptime=40, dtx=True), OpusWishes(128_000, fec=False)):
        lines = house.server.connections.answer("ana", offer, wishes).split("\r\n")
        asked = {line for line in lines if line.startswith("a=fmtp:111 ")}
        assert asked == {f"a=fmtp:111 {wishes.fmtp()}"}
        assert {line for line in lines if line.startswith("a=ptime")} == set(wishes.ptime_lines())


async def test_nobody_hears_themselves(house):
    ana, ben, cleo = await joined(house, "ana", "ben", "cleo")
    for name, peer in (("ana", ana), ("ben", ben), ("cleo", cleo)):
        for word in words(name):
            peer.send(word)
    for name, peer in (("ana", ana), ("ben", ben), ("cleo", cleo)):
        others = {"ana", "ben", "cleo"} - {name}
        await peer.until(lambda peer=peer: sum(map(len, peer.heard.values())) == 60)
        assert {mid: hear_from(peer, mid) for mid in peer.heard} == {
            slot_of(house, name, other): words(other) for other in others
        }


async def test_rooms_do_not_hear_each_other(house):
    ana = await house.join("ana", room="hall")
    ben = await house.join("ben", room="hall")
    eve = await house.join("eve", room="cellar")
    await talk(ana, ben, "1", words("ana"))
    eve.send(b"is anybody here?")
    await house.counted("packets_in", 31)
    assert not eve.heard
    assert hear_from(ben, "1") == words("ana")


async def test_the_headers_that_a_listener_sees_are_one_unbroken_stream(house):
    # RFC 3550 section 5.1: one SSRC, sequence without a gap, the timestamp moves with the media.
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", words("ana"))
    heard = ben.heard["1"]
    assert {one.ssrc for one in heard} == {ben.answer.lines["1"].ssrc}
    assert [(one.sequence - heard[0].sequence) & 0xFFFF for one in heard] == list(range(30))
    assert [(one.timestamp - heard[0].timestamp) & 0xFFFFFFFF for one in heard] == [960 * n for n in range(30)]
    assert [one.marker for one in heard] == [True] + [False] * 29


async def test_a_client_with_one_line_hears_the_loudest(house):
    one_line = Shape(lines=(Line("0", "sendrecv"),))
    ana = await house.join("ana", one_line)
    ben, cleo = await joined(house, "ben", "cleo")
    for word in words("ben"):
        ben.send(word, Fields(level=90))
        cleo.send(b"loud", Fields(level=25))
    await ana.until(lambda: b"loud" in hear_from(ana, "0"))
    assert house.observer.slots["ana"] == {"0": "cleo"}
    before = len(ana.heard["0"])
    for _ in range(10):
        cleo.send(b"loud", Fields(level=25))
    await ana.until(lambda: len(ana.heard["0"]) == before + 10)
    assert hear_from(ana, "0")[before:] == [b"loud"] * 10
    ssrcs = {heard.ssrc for heard in ana.heard["0"]}
    assert ssrcs == {ana.answer.lines["0"].ssrc}


async def test_the_tenth_person_is_heard_though_there_are_eight_slots(house):
    names = [f"p{number}" for number in range(10)]
    peers = dict(zip(names, await joined(house, *names), strict=True))
    for name in names[:9]:
        peers[name].send(b"quiet", Fields(level=127))
    absent = next(name for name in names if name not in house.observer.slots["p0"].values() and name != "p0")
    for number in range(20):
        peers[absent].send(b"ninth %d" % number, Fields(level=20))
    listener = peers["p0"]
    await listener.until(lambda: any(b"ninth 19" in hear_from(listener, mid) for mid in list(listener.heard)))
    mid = slot_of(house, "p0", absent)
    heard = [payload for payload in hear_from(listener, mid) if payload.startswith(b"ninth")]
    # The first syllable too: what came before the switch is in the ring.
    assert heard == [b"ninth %d" % number for number in range(20)]


# -- leaving --------------------------------------------------------------------------------------------------------


async def test_media_that_arrives_and_ends_is_told(house, monkeypatch):
    ana = await house.join("ana")
    ana.send(b"hello")
    await house.told("media_arriving", "ana", True)
    house.clock.skip(4)
    ana.check()
    await house.told("media_arriving", "ana", False)


async def test_speakers_are_told_loudest_first(house):
    ana, ben, cleo = await joined(house, "ana", "ben", "cleo")
    for _ in range(10):
        ana.send(b"soft", Fields(level=38))
        ben.send(b"loud", Fields(level=20))
        cleo.send(b"breath", Fields(level=120))
    await eventually(lambda: house.observer.speaking == ["ben", "ana"])
    house.clock.skip(2)
    await eventually(lambda: house.observer.speaking == [])


# -- refusals -------------------------------------------------------------------------------------------------------


async def test_a_wrong_fingerprint_gets_close_notify_and_no_audio(house):
    ben = await house.join("ben")
    eve = house.peer(Shape(fingerprint=WRONG))
    house.server.participants.add("hall", "eve", MuteFlags())
    with suppress(ConnectionError):  # it may have seen close_notify already
        await eve.connect(house.signal("eve"))
    await house.told("media_gone", "eve", "dtls_failed")
    await eve.until(lambda: eve.dtls.state == "closed")
    ben.send(b"secret")
    await house.counted("packets_in", 1)
    assert not eve.heard
    assert ("media_connected", "eve") not in house.observer.told
    assert house.server.observation.gauges()["endpoints"] == 1


async def test_a_client_that_never_shakes_hands_is_given_up(house, monkeypatch):
    monkeypatch.setattr(dtls, "HANDSHAKE_SECONDS", 0.05)
    house.server.participants.add("hall", "ana", MuteFlags())
    ana = house.peer(habits=Habits(dtls=False))
    await ana.negotiate(house.signal("ana"))
    ana.check()
    await house.told("media_gone", "ana", "dtls_timeout")
    assert house.server.observation.statistics("ana") == []


async def test_a_client_that_never_checks_is_given_up(house):
    house.server.participants.add("hall", "ana", MuteFlags())
    ana = house.peer()
    await ana.negotiate(house.signal("ana"))
    house.clock.skip(30)
    await house.told("media_gone", "ana", "consent_expired")


async def test_a_taken_port_is_said(house):
    other = MediaServer(MediaSettings(port=house.server.port, bind=("127.0.0.1",)), Recorder())
    with pytest.raises(PortUnavailable):
        await other.start()
    await other.close()


async def test_a_warm_up_that_fails_tells_the_operator_what_to_do(monkeypatch, caplog):
    monkeypatch.setattr(server, "WARM_UP_SECONDS", 0.0)
    monkeypatch.setitem(sys.modules, dtls_transport.__name__, None)
    async with media_house():
        await eventually(lambda: caplog.records)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "install this server again" in record.getMessage()


async def test_closing_waits_for_the_import_of_a_handshake(monkeypatch):
    release = threading.Event()
    monkeypatch.delitem(sys.modules, dtls_transport.__name__)
    monkeypatch.setattr(dtls, "import_module", lambda _: release.wait(10))
    alone = MediaServer(MediaSettings(bind=("127.0.0.1",)), Recorder())
    await alone.start()
    waiting = asyncio.create_task(dtls.load_transport())
    await asyncio.sleep(0)
    waiting.cancel()
    closing = asyncio.create_task(alone.close())
    await eventually(waiting.done)
    assert not closing.done()
    release.set()
    await closing
    await eventually(lambda: not any(thread.name.startswith(dtls.IMPORTER) for thread in threading.enumerate()))


# -- figures --------------------------------------------------------------------------------------------------------


async def test_advertised_addresses_go_into_answers(house):
    assert house.server.advertised == house.server.addresses == ("127.0.0.1",)
    house.server.set_advertised(["203.0.113.5", "127.0.0.1", "203.0.113.5"])
    house.server.participants.add("hall", "ana", MuteFlags())
    answer = await house.peer().negotiate(house.signal("ana"))
    port = house.server.port
    assert answer.candidates == (("203.0.113.5", port), ("127.0.0.1", port))


async def test_addresses_by_setting_come_before_those_bound():
    house = MediaHouse()
    house.server.settings = MediaSettings(port=0, bind=("127.0.0.1",), advertise=("198.51.100.4",))
    assert house.server.port == 0
    await house.server.start()
    assert house.server.advertised == ("198.51.100.4",)
    await house.server.close()


# -- ends -----------------------------------------------------------------------------------------------------------


def resources():
    return len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks())


async def test_close_leaves_no_task_and_no_descriptor(quiet_loop):
    async with media_house():
        pass
    before = resources()
    async with media_house() as house:
        ana, ben, _cleo = await joined(house, "ana", "ben", "cleo")
        await talk(ana, ben, slot_of(house, "ben", "ana"), words("ana"))
        house.server.participants.add("hall", "dan", MuteFlags())
        await house.peer(habits=Habits(dtls=False)).negotiate(house.signal("dan"))
        await house.server.close()
        assert not house.server.observation.gauges()["participants"]
        assert house.server.port == 0
    assert resources() == before


async def test_closing_again_or_without_a_start_does_nothing(quiet_loop):
    house = MediaHouse()
    await house.server.close()
    await house.server.start()
    await house.server.close()
    await house.server.close()


async def test_joining_and_leaving_leaves_nothing_behind(house):
    before = None
    for number in range(12):
        ana = await house.join(f"ana{number}")
        house.server.participants.remove(f"ana{number}")
        await ana.until(lambda ana=ana: ana.dtls.state == "closed")
        ana.close()
        if number == 2:
            before = resources()
    assert resources() == before
    media = house.server
    assert not any((media.connections, media.connections._deadlines, media.switchboard.names))
    assert not any((media.rooms, media.rooms.participants))
    assert not any(media.switchboard.peers)


async def test_deadlines_that_are_no_longer_true_do_nothing(house):
    ana, ben = await joined(house, "ana", "ben")
    for _ in range(3):
        ana.check()
        house.clock.skip(1)
    house.server.participants.remove("ana")
    house.clock.skip(20)
    ben.check()
    await ben.until(lambda: ben.responses >= 2)
    assert ("media_gone", "ben", "consent_expired") not in house.observer.told


async def test_one_wake_up_takes_more_than_one_batch(house, monkeypatch):
    monkeypatch.setattr(server, "BATCHES_A_WAKE_UP", 2)
    ana, ben = await joined(house, "ana", "ben")
    listed = words("ana", 180)
    await talk(ana, ben, "1", listed)
    assert hear_from(ben, "1") == listed


# -- listeners ------------------------------------------------------------------------------------------------------


class Ledger:
    """Keeps what it hears; raises at the packet of this payload."""

    def __init__(self, raise_at=None):
        self.events = []
        self.payloads = []
        self.raise_at = raise_at

    def event(self, event, now):
        self.events.append(event)

    def packet(self, stream, packet, arrival):
        if packet.payload == self.raise_at:
            raise ValueError(packet.payload)
        self.payloads.append(packet.payload)


async def test_a_recorder_that_attaches_before_anybody_joins_misses_nothing(house):
    ledger = Ledger()
    house.server.rooms.attach("hall", ledger)
    assert house.server.observation.live("hall") == []
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", words("ana"))
    assert ledger.payloads == words("ana")
    ana.report(SenderReport(ana.ssrc, 7 << 32, 4800, 30, 900))
    await eventually(lambda: any(isinstance(event, ClockReported) for event in ledger.events))
    (began,) = [event.stream for event in ledger.events if isinstance(event, StreamBegan)]
    assert (began.participant, began.payload_type, began.clock_rate) == ("ana", 111, 48_000)
    assert ClockReported(began, 7 << 32, 4800) in ledger.events
    assert [one.participant for one in house.server.observation.live("hall")] == ["ana", "ben"]
    for name in ("ana", "ben"):
        house.server.participants.remove(name)
    assert ledger.events[-4:] == [
        StreamEnded(began),
        ParticipantLeft("ana"),
        ParticipantLeft("ben"),
        RoomClosed("empty"),
    ]
    assert house.server.observation.gauges()["rooms"] == 0


async def test_a_listener_that_raises_is_detached_and_counted_and_the_batch_goes_on(house, caplog):
    broken, ledger = Ledger(raise_at=words("ana")[3]), Ledger()
    ana, ben = await joined(house, "ana", "ben")
    house.server.rooms.attach("hall", broken)
    house.server.rooms.attach("hall", ledger)
    await talk(ana, ben, "1", words("ana"))
    assert hear_from(ben, "1") == ledger.payloads == words("ana")
    assert broken.payloads == words("ana")[:3]
    assert house.count("listener_failures") == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    house.server.rooms.detach("hall", broken)


async def test_a_room_that_was_made_for_a_listener_ends_with_its_last_one(house):
    one, other = Ledger(), Ledger()
    house.server.rooms.attach("hall", one)
    house.server.rooms.attach("hall", other)
    house.server.rooms.detach("hall", one)
    assert house.server.observation.gauges()["rooms"] == 1
    house.server.rooms.detach("hall", other)
    assert house.server.observation.gauges()["rooms"] == 0
    house.server.rooms.detach("hall", other)
    assert one.events == other.events == []


async def test_a_server_that_ends_tells_the_listeners_of_empty_rooms_too(house):
    ledger = Ledger()
    house.server.rooms.attach("hall", ledger)
    await house.server.close()
    assert ledger.events == [RoomClosed("shutdown")]
