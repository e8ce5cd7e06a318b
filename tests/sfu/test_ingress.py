"""The receive side of one packet, from the wire to the inbound stream."""

from itertools import pairwise

import pytest

from bench.peer import Habits
from bench.peer_rtp import Fields
from bench.peer_sdp import Shape
from sfu.dtmf import KeyPress
from sfu.selection import MuteFlags
from sfu.voice import estimate_level
from tests.support.house import eventually, hear_from, slot_of, talk


def endpoint(house, name="ana"):
    return house.server.connections._connections[name].endpoint


def stream(house, name="ana"):
    (found,) = endpoint(house, name).streams.values()
    return found


async def test_the_level_is_that_of_the_negotiated_extension(house):
    # RFC 6464 section 3: seven bits of -dBov; the V bit is an opinion.
    ana = await house.join("ana", Shape(level_id=7))
    ana.send(b"one", Fields(level=63))
    await house.counted("packets_in")
    assert stream(house).packet.level == 63


async def test_without_the_extension_the_level_is_an_estimate(house):
    ana = await house.join("ana", Shape(level_id=None))
    for size in (3, 80):
        ana.send(bytes(size))
        await eventually(lambda size=size: endpoint(house).streams and len(stream(house).packet.payload) == size)
        assert stream(house).packet.level == estimate_level(size)


async def test_a_packet_without_the_negotiated_extension_gets_an_estimate(house):
    ana = await house.join("ana")
    ana.send(bytes(80), Fields(block=b"\xbe\xde\x00\x01\x20\x01\x00\x00"))
    await house.counted("packets_in")
    assert stream(house).packet.level == estimate_level(80)
    ana.send(bytes(80), Fields(block=b""))
    await house.counted("packets_in", 2)
    assert stream(house).packet.level == estimate_level(80)


async def test_what_is_known_of_a_packet_after_it_was_taken(house):
    ana = await house.join("ana")
    sent = ana.packet(b"payload", Fields(sequence=4711, timestamp=2**32 - 1, marker=True))
    ana.put(ana.protect(sent))
    await house.counted("packets_in")
    packet = stream(house).packet
    assert (packet.sequence & 0xFFFF, packet.timestamp, packet.marker) == (4711, 2**32 - 1, 0x80)
    assert packet.payload == b"payload"
    assert (stream(house).ssrc, stream(house).participant) == (ana.ssrc, "ana")
    assert endpoint(house).octets_in == len(sent) + 16


async def test_srtp_before_the_keys_is_counted(house):
    house.server.participants.add("hall", "ana", MuteFlags())
    ana = house.peer(habits=Habits(dtls=False))
    await ana.negotiate(house.signal("ana"))
    ana.check()
    await ana.until(lambda: ana.responses)
    ana.put(b"\x80\x6f" + bytes(80))
    ana.put(b"\x80\xc8" + bytes(80))
    await house.counted("dropped_unready", 2)


@pytest.mark.parametrize("size", [2, 11, 12, 21])
async def test_what_is_too_short_to_be_srtp_is_counted(house, size):
    ana = await house.join("ana")
    ana.put((b"\x80\x6f" + bytes(40))[:size])
    await house.counted("dropped_malformed")
    assert not endpoint(house).streams


async def test_an_unauthentic_packet_begins_no_stream(house):
    ana = await house.join("ana")
    ana.put(b"\x80\x6f" + bytes(60))
    await house.counted("dropped_unauthentic")
    assert not endpoint(house).streams
    assert house.count("packets_in") == 0


async def test_the_first_packet_of_a_stream_is_heard(house):
    ana, ben = await house.join("ana"), await house.join("ben")
    await talk(ana, ben, "1", [b"first"])
    assert hear_from(ben, "1") == [b"first"]


async def test_a_muted_participants_packets_are_counted_and_go_nowhere(house):
    ana, ben = await house.join("ana"), await house.join("ben")
    house.server.participants.set_flags("ana", MuteFlags(self_mute=True))
    ana.send(b"secret")
    await house.counted("packets_in")
    assert stream(house).handlers == ()
    assert not stream(house).ring
    assert not ben.heard


async def test_a_packet_from_a_second_address_of_the_peer_is_taken(house):
    ana, ben = await house.join("ana"), await house.join("ben")
    former = ana.move()
    ana.check(nominate=False)
    await ana.until(lambda: ana.responses > 1)
    await talk(ana, ben, "1", [b"from there"])
    assert hear_from(ben, "1") == [b"from there"]
    former.close()


# -- telephone events (RFC 4733) ------------------------------------------------------------------------------------

WIDE, NARROW, NONE = Shape(event_clock=48_000), Shape(event_clock=8_000), Shape(event_clock=None)


def tone(peer, code=5, packets=5, rate=48_000):
    """One tone as a client tells it: all its packets with one timestamp, the end three times; 8 packets of time."""
    begun = None
    for number in [*range(1, packets + 1), packets, packets]:
        event = KeyPress(code, number == packets, 10, number * rate // 50)
        sent = peer.packet(event.payload(), Fields(payload_type=110, timestamp=begun, marker=begun is None))
        begun = int.from_bytes(sent[4:8], "big") if begun is None else begun
        peer.put(peer.protect(sent))


async def test_an_event_reaches_each_receiver_as_it_has_negotiated_it(house):
    ana = await house.join("ana", WIDE)
    ears = {name: await house.join(name, shape) for name, shape in (("w", WIDE), ("n", NARROW), ("x", NONE))}
    for peer in ears.values():
        await talk(ana, peer, slot_of(house, next(n for n in ears if ears[n] is peer), "ana"), [b"before"])
    tone(ana)
    ana.send(b"after")
    await house.told("tone", "ana", "5", 0.1)
    heard = {}
    for name, peer in ears.items():
        mid = slot_of(house, name, "ana")
        await peer.until(lambda peer=peer, mid=mid: hear_from(peer, mid)[-1:] == [b"after"])
        heard[name] = peer.heard[mid]
        sequences = [one.sequence for one in peer.heard[mid]]
        assert [(b - a) & 0xFFFF for a, b in pairwise(sequences)] == [1] * (len(sequences) - 1)
    for name, rate in (("w", 48_000), ("n", 8_000)):
        events = [one for one in heard[name] if one.payload_type == 110]
        expected = [KeyPress(5, n >= 5, 10, min(n, 5) * rate // 50).payload() for n in range(1, 8)]
        assert [one.payload for one in events] == expected
        assert [one.marker for one in events] == [True] + [False] * 6
        assert len({one.timestamp for one in events}) == 1
    assert {one.payload_type for one in heard["x"]} == {111}
    assert [told[2] for told in house.observer.told if told[0] == "tone"] == ["5"]


async def test_events_may_be_all_that_somebody_sends(house):
    ana, ben = await house.join("ana", WIDE), await house.join("ben", WIDE)
    tone(ana, code=11)
    await house.told("tone", "ana", "#", 0.1)
    mid = slot_of(house, "ben", "ana")
    await ben.until(lambda: len(ben.heard[mid]) == 7)
    assert not endpoint(house).streams


@pytest.mark.parametrize(
    "flags", [MuteFlags(self_mute=True), MuteFlags(mute=True), MuteFlags(suppressed=True), MuteFlags(held=True)]
)
async def test_events_of_the_muted_and_the_held_go_nowhere(house, flags):
    ana, ben = await house.join("ana", WIDE), await house.join("ben", WIDE)
    house.server.participants.set_flags("ana", flags)
    tone(ana)
    await house.counted("packets_in", 7)
    house.server.participants.set_flags("ana", MuteFlags())
    await talk(ana, ben, slot_of(house, "ben", "ana"), [b"again"])
    assert hear_from(ben, slot_of(house, "ben", "ana")) == [b"again"]
    assert not [told for told in house.observer.told if told[0] == "tone"]


@pytest.mark.parametrize("payload", [b"", b"\x05\x0a\x00", bytes([16, 10, 0, 160]), bytes([1, 10, 0, 0]), bytes(8)])
async def test_what_is_no_event_is_counted_as_malformed(house, payload):
    ana = await house.join("ana", WIDE)
    ana.send(payload, Fields(payload_type=110))
    await house.counted("dropped_malformed")
    assert not endpoint(house).streams


async def test_events_that_were_not_negotiated_are_no_payload_of_ours(house):
    ana = await house.join("ana", NONE)
    tone(ana)
    await house.counted("dropped_payload_type", 7)
    assert not endpoint(house).streams
