"""Peer connections of a real server: offers, candidates, beginnings and ends."""

import pytest

from bench.peer import Habits
from bench.peer_dtls import Identity
from bench.peer_sdp import Line, Shape, browser_lines
from sfu.errors import BadOffer, UnknownParticipant
from sfu.selection import MuteFlags
from tests.support.house import hear_from, joined, talk, words


async def test_by_which_kind_of_candidate_a_client_is_reached(house):
    # RFC 8445 section 7.3.1.3: what no candidate names is peer-reflexive.
    for name, kind in (("ana", "srflx"), ("ben", None)):
        peer = house.peer()
        address, port = peer.socket.getsockname()
        house.server.participants.add("hall", name, MuteFlags())
        await peer.negotiate(house.signal(name))
        if kind:
            house.server.connections.add_candidate(name, f"candidate:2 1 udp 1 {address} {port} typ {kind}")
        await peer.connect(house.signal(name))
        await house.told("media_connected", name)
    assert house.observer.candidate_types == {"ana": "srflx", "ben": "prflx"}


async def test_the_candidates_of_an_offer_are_known(house):
    peer = house.peer()
    address, port = peer.socket.getsockname()
    house.server.participants.add("hall", "ana", MuteFlags())
    await peer.connect(
        lambda sdp: house.server.connections.answer("ana", f"{sdp}a=candidate:1 1 udp 1 {address} {port} typ relay\r\n")
    )
    await house.told("media_connected", "ana")
    assert house.observer.candidate_types["ana"] == "relay"


async def test_a_candidate_without_a_connection_is_passed_over_and_a_bad_one_is_refused(house):
    house.server.participants.add("hall", "ana", MuteFlags())
    house.server.connections.add_candidate("ana", "candidate:1 1 udp 1 192.0.2.1 9 typ host")
    with pytest.raises(BadOffer):
        house.server.connections.add_candidate("ana", "candidate:1 1 udp 1 192.0.2.1 99999 typ host")
    with pytest.raises(UnknownParticipant):
        house.server.connections.add_candidate("ben", "candidate:1 1 udp 1 192.0.2.1 9 typ host")


async def test_a_client_that_says_close_notify_is_gone_and_may_come_back(house):
    ana, ben = await joined(house, "ana", "ben")
    ana.close()
    await house.told("media_gone", "ana", "closed_by_peer")
    again = house.peer(habits=Habits(identity=Identity()))
    await again.connect(house.signal("ana"))
    await talk(again, ben, "1", words("ana"))
    assert hear_from(ben, "1") == words("ana")


async def test_each_peer_connection_is_told_from_its_offer_to_its_end_with_its_octets(house):
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", words("ana"))
    sent, received = next(
        (entry["bytes_sent"], entry["bytes_received"])
        for entry in house.server.observation.statistics("ben")
        if entry["type"] == "transport"
    )
    other = house.peer(habits=Habits(identity=Identity()))
    await other.connect(house.signal("ben"))
    other.close()
    await house.told("media_gone", "ben", "closed_by_peer")
    house.server.participants.remove("ana")
    house.server.participants.remove("ben")
    told = [(name, what) for name, what, _ in house.observer.connections]
    assert told == [
        ("ana", "began"),
        ("ben", "began"),
        ("ben", "replaced"),
        ("ben", "began"),
        ("ben", "closed_by_peer"),
        ("ana", "left"),
    ]
    assert house.observer.connections[2][2] == (sent, received)
    assert sent > 0
    assert house.observer.connections[5][2][1] > 0


async def test_a_changed_offer_begins_no_other_connection(house):
    ana = await house.join("ana")
    await ana.negotiate(house.signal("ana"))
    assert [what for _, what, _ in house.observer.connections] == ["began"]


async def test_nobody_answers_for_a_stranger(house):
    ana = house.peer()
    with pytest.raises(UnknownParticipant):
        await ana.negotiate(house.signal("ana"))
    with pytest.raises(UnknownParticipant):
        house.server.participants.set_flags("ana", MuteFlags())
    assert house.server.observation.statistics("ana") == []


async def test_a_bad_offer_leaves_everything_as_it_was(house):
    ana, ben = await joined(house, "ana", "ben")
    for offer in ("", "v=0\r\n", "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"):
        with pytest.raises(BadOffer):
            house.server.connections.answer("ana", offer)
    await talk(ana, ben, "1", words("ana"))
    assert hear_from(ben, "1") == words("ana")


async def test_a_new_endpoint_that_cannot_be_answered_leaves_the_old_one(house):
    ana, ben = await joined(house, "ana", "ben")
    other = house.peer(Shape(setup="holdconn"), Habits(identity=Identity()))
    with pytest.raises(BadOffer):
        await other.negotiate(house.signal("ana"))
    await talk(ana, ben, "1", words("ana"))
    assert hear_from(ben, "1") == words("ana")


@pytest.mark.parametrize(("direction", "stopped"), [("recvonly", False), ("inactive", False), ("sendrecv", True)])
async def test_rfc8829_an_offer_that_ends_a_sender_ends_its_stream_and_one_that_begins_it_again_is_heard(
    house, direction, stopped
):
    shape = Shape(lines=(*browser_lines(2), Line("9", "recvonly")))
    ana, ben = await joined(house, "ana", "ben", shape=shape)
    streams = house.server.connections.get("ana").endpoint.streams
    await talk(ana, ben, "1", [b"one"])
    (before,) = [stream.id for stream in streams.values()]
    ana.shape = shape.with_line("0", direction, stopped=stopped)
    await ana.negotiate(house.signal("ana"))
    assert streams == {}
    ana.send(b"not agreed any more")
    await house.counted("dropped_payload_type")
    ana.shape = shape
    await ana.negotiate(house.signal("ana"))
    await talk(ana, ben, "1", [b"two"])
    assert hear_from(ben, "1") == [b"one", b"two"]
    (after,) = [stream.id for stream in streams.values()]
    assert after != before


async def test_a_stream_of_another_peer_connection_has_another_id_though_the_ssrc_is_the_same(house):
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", [b"one"])
    (before,) = house.server.connections.get("ana").endpoint.streams.values()
    again = house.peer(habits=Habits(identity=Identity()))
    again.ssrc = ana.ssrc
    await again.connect(house.signal("ana"))
    await talk(again, ben, "1", [b"two"])
    (after,) = house.server.connections.get("ana").endpoint.streams.values()
    assert before.ssrc == after.ssrc
    assert before.id != after.id
    assert list(house.server.rooms.of("ana").participants["ana"].tables) == [after.id]
    assert hear_from(ben, "1") == [b"one", b"two"]
