"""The receive side of one packet, from the wire to the inbound stream."""

import pytest

from bench.peer import Habits
from bench.peer_rtp import Fields
from bench.peer_sdp import Shape
from sfu.flags import MuteFlags
from sfu.voice import estimate_level
from tests.support.house import eventually, hear_from, talk


def endpoint(house, name="ana"):
    return house.server._connections[name].endpoint


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
    house.server.add_participant("hall", "ana", MuteFlags())
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
    house.server.set_flags("ana", MuteFlags(self_mute=True))
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
