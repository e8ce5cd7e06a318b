"""One peer connection through its whole life: restarts, moves, changed offers, silence, the end of consent."""

import pytest

from bench.peer import Habits
from bench.peer_dtls import Identity
from bench.peer_rtp import Fields
from bench.peer_sdp import Line, Shape, browser_lines
from sfu.errors import BadOffer
from sfu.rtcp import Goodbye, ReceiverReport, SenderReport
from sfu.selection import MuteFlags
from tests.support.house import eventually, hear_from, slot_of, talk


async def pair(house, **options):
    return await house.join("ana", **options), await house.join("ben")


def ours(house, name):
    return house.server.connections._connections[name]


# -- ICE ------------------------------------------------------------------------------------------------------------


async def test_an_ice_restart_keeps_keys_slots_and_audio(house):
    # RFC 8445 section 9: new credentials on both sides, everything else goes on.
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    await talk(ben, ana, "1", [b"uno"])
    before, connection = ana.answer, ours(house, "ana")
    session, slots = connection.dtls, list(connection.endpoint.slots)
    ana.restart_ice()
    await ana.negotiate(house.signal("ana"))
    assert ana.answer.credentials.ufrag != before.credentials.ufrag
    assert ana.answer.credentials.pwd != before.credentials.pwd
    assert {mid: line.ssrc for mid, line in ana.answer.lines.items()} == {
        mid: line.ssrc for mid, line in before.lines.items()
    }
    await talk(ana, ben, "1", [b"two"])
    responses = ana.responses
    ana.check()
    await ana.until(lambda: ana.responses > responses)
    await talk(ana, ben, "1", [b"three"])
    await talk(ben, ana, "1", [b"dos"])
    assert hear_from(ben, "1") == [b"one", b"two", b"three"]
    assert hear_from(ana, "1") == [b"uno", b"dos"]
    assert ours(house, "ana") is connection
    assert (connection.dtls, connection.endpoint.slots) == (session, slots)
    assert house.observer.told.count(("media_connected", "ana")) == 1


async def test_the_old_credentials_hold_until_a_check_on_the_new(house):
    ana, _ = await pair(house)
    old = ana.answer.credentials
    ana.restart_ice()
    await ana.negotiate(house.signal("ana"))
    seen = ana.responses
    await ana.until(lambda: ana.responses >= seen)
    assert set(house.server.switchboard.names) >= {old.ufrag, ana.answer.credentials.ufrag}
    ana.check()
    await eventually(lambda: old.ufrag not in house.server.switchboard.names)
    refused = house.count("dropped_unknown_username")
    ana.check(ufrag=old.ufrag, pwd=old.pwd)
    await house.counted("dropped_unknown_username", refused + 1)


async def test_a_restart_from_another_port_moves_the_audio(house):
    ana, ben = await pair(house)
    await talk(ben, ana, "1", [b"one"])
    ana.restart_ice()
    ana.move().close()
    await ana.negotiate(house.signal("ana"))
    responses = ana.responses
    ana.check()
    await ana.until(lambda: ana.responses > responses)
    await talk(ben, ana, "1", [b"two"])
    await talk(ana, ben, "1", [b"back"])
    assert hear_from(ana, "1") == [b"one", b"two"]


async def test_another_fingerprint_is_a_new_endpoint(house):
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    connection = ours(house, "ana")
    again = house.peer(habits=Habits(identity=Identity()))
    await again.connect(house.signal("ana"))
    assert ours(house, "ana") is not connection
    assert again.answer.credentials.ufrag != ana.answer.credentials.ufrag
    await ana.until(lambda: ana.dtls.state == "closed")
    await talk(again, ben, "1", [b"two"])
    await talk(ben, again, "1", [b"welcome"])
    assert hear_from(ben, "1") == [b"one", b"two"]
    assert ("media_gone", "ana", "closed_by_peer") not in house.observer.told
    # One stream for the listener, whatever happened behind it.
    first, second = ben.heard["1"]
    assert first.ssrc == second.ssrc
    assert (second.sequence - first.sequence) & 0xFFFF == 1


# -- NAT ------------------------------------------------------------------------------------------------------------


async def test_audio_goes_on_from_another_port_after_one_nominated_check(house):
    ana, ben = await pair(house)
    await talk(ben, ana, "1", [b"one"])
    switchboard = house.server.switchboard
    (sock,), (peers,) = switchboard.sockets, switchboard.peers
    old = sock.name_of(*ana.socket.getsockname())
    ana.move().close()
    ana.send(b"from nowhere")
    await house.counted("dropped_unknown_address")
    responses = ana.responses
    ana.check()
    await ana.until(lambda: ana.responses > responses)
    await talk(ana, ben, "1", [b"two"])
    await talk(ben, ana, "1", [b"three"])
    assert hear_from(ben, "1") == [b"two"]
    assert hear_from(ana, "1") == [b"one", b"three"]
    new = sock.name_of(*ana.socket.getsockname())
    assert peers[new].selected
    assert not peers[old].selected


async def test_without_nomination_sending_moves_once_the_old_address_is_silent(house):
    # Firefox's and aioice's later checks carry no USE-CANDIDATE.
    ana, ben = await pair(house)
    await talk(ben, ana, "1", [b"one"])
    ana.move().close()
    ana.check(nominate=False)
    responses = ana.responses
    await ana.until(lambda: ana.responses > responses)
    assert ours(house, "ana").endpoint.ice.selected.address[1] != ana.socket.getsockname()[1]
    house.clock.skip(3.1)
    await eventually(lambda: ours(house, "ana").endpoint.ice.selected.address[1] == ana.socket.getsockname()[1])
    await talk(ben, ana, "1", [b"two"])
    await talk(ana, ben, "1", [b"three"])
    assert hear_from(ana, "1") == [b"one", b"two"]


async def test_only_the_last_addresses_are_remembered(house):
    ana, _ = await pair(house)
    (peers,) = house.server.switchboard.peers
    for _ in range(12):
        ana.move().close()
        responses = ana.responses
        ana.check()
        await ana.until(lambda responses=responses: ana.responses > responses)
        house.clock.skip(0.1)
    mine = [peer for peer in peers.values() if peer.connection.participant == "ana"]
    assert len(mine) == 8
    assert sum(peer.selected for peer in mine) == 1


async def test_a_new_endpoint_may_use_the_port_of_the_old_one(house):
    ana, ben = await pair(house)
    again = house.peer(habits=Habits(identity=Identity()))
    again.move(ana.socket).close()
    await again.connect(house.signal("ana"))
    await talk(again, ben, "1", [b"hello"])
    await talk(ben, again, "1", [b"welcome"])
    assert hear_from(again, "1") == [b"welcome"]


async def test_nobody_takes_the_address_at_which_another_is_spoken_to(house):
    # A participant with keys of their own sends checks under somebody else's source address.
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    eve = house.peer()
    house.server.participants.add("hall", "eve", MuteFlags())
    await eve.negotiate(house.signal("eve"))
    own, eve.socket = eve.socket, ana.socket
    eve.check()
    eve.socket = own
    await house.counted("dropped_address_taken")
    await talk(ana, ben, "1", [b"two"])
    await talk(ben, ana, "1", [b"three"])
    assert hear_from(ben, "1") == [b"one", b"two"]


async def test_an_address_that_was_left_may_become_another_persons(house):
    ana, ben = await pair(house)
    left = ana.move()
    ana.check()
    await ana.until(lambda: ana.responses > 1)
    cleo = house.peer()
    house.server.participants.add("hall", "cleo", MuteFlags())
    cleo.move(left).close()
    await cleo.connect(house.signal("cleo"))
    house.server.participants.remove("ana")
    # What ana had bound is not undone under cleo's feet.
    await talk(cleo, ben, slot_of(house, "ben", "cleo"), [b"mine"])
    await talk(ben, cleo, slot_of(house, "cleo", "ben"), [b"yours"])


async def test_who_comes_back_to_an_address_that_another_had_meanwhile_is_heard(house):
    ana, ben = await pair(house)
    left = ana.move()
    ana.check()
    await ana.until(lambda: ana.responses > 1)
    cleo = house.peer(habits=Habits(dtls=False))
    house.server.participants.add("hall", "cleo", MuteFlags())
    await cleo.negotiate(house.signal("cleo"))
    cleo.move(left).close()
    cleo.check()
    await cleo.until(lambda: cleo.responses == 1)
    house.server.participants.remove("cleo")
    left = cleo.move()
    ana.move(left).close()
    responses = ana.responses
    ana.check()
    await ana.until(lambda: ana.responses > responses)
    await talk(ana, ben, "1", [b"home"])
    await talk(ben, ana, "1", [b"hello"])


# -- consent --------------------------------------------------------------------------------------------------------


async def test_thirty_seconds_without_a_check_end_it(house):
    # RFC 7675 section 5.1. Media alone is no consent.
    ana, ben = await pair(house, habits=Habits(silent=True))
    ana.send(b"hello")
    await house.counted("packets_in")
    house.clock.skip(29)
    ben.check()
    ana.send(b"still here")
    await house.counted("packets_in", 2)
    assert ("media_gone", "ana", "consent_expired") not in house.observer.told
    house.clock.skip(1.1)
    await house.told("media_gone", "ana", "consent_expired")
    assert ("media_gone", "ben", "consent_expired") not in house.observer.told
    ana.send(b"too late")
    await house.counted("dropped_unknown_address")
    assert house.server.observation.gauges() | {"loop_lag_seconds": 0} == {
        "rooms": 1,
        "participants": 2,
        "endpoints": 1,
        "endpoints_connected": 1,
        "loop_lag_seconds": 0,
    }


async def test_a_blackout_of_ten_seconds_is_survived(house):
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    house.clock.skip(10)
    ana.check()
    ben.check()
    await talk(ana, ben, "1", [b"two"])
    assert hear_from(ben, "1") == [b"one", b"two"]
    assert not [event for event in house.observer.told if event[0] == "media_gone"]


async def test_checks_keep_it_alive(house):
    ana, _ = await pair(house)
    for _ in range(12):
        house.clock.skip(20)
        responses = ana.responses
        ana.check(nominate=False)
        house.peers[1].check()
        await ana.until(lambda responses=responses: ana.responses > responses)
        await house.peers[1].until(lambda: True)
    assert ours(house, "ana").connected
    assert ("media_gone", "ana", "consent_expired") not in house.observer.told


async def test_after_the_end_the_participant_may_come_back(house):
    ana, ben = await pair(house, habits=Habits(silent=True))
    house.clock.skip(29)
    ben.check()
    await ben.until(lambda: ben.responses >= 2)
    house.clock.skip(1.1)
    await house.told("media_gone", "ana", "consent_expired")
    # Browsers keep their certificate: it is the same fingerprint.
    again = house.peer()
    await again.connect(house.signal("ana"))
    await talk(again, ben, "1", [b"back"])
    assert hear_from(ben, "1") == [b"back"]
    ana.close(politely=False)


# -- changed offers -------------------------------------------------------------------------------------------------


async def test_a_re_offer_that_changes_nothing_changes_nothing(house):
    ana, ben = await pair(house)
    await talk(ben, ana, "1", [b"one"])
    before = ana.answer
    await ana.negotiate(house.signal("ana"))
    assert ana.answer.lines == before.lines
    assert ana.answer.credentials == before.credentials
    assert ana.answer.setup == before.setup
    # RFC 3264 section 8: the same session, the next version.
    origins = [answer.text.split("\r\n")[1].split()[1:3] for answer in (before, ana.answer)]
    assert origins[0][0] == origins[1][0]
    assert int(origins[1][1]) == int(origins[0][1]) + 1
    await talk(ben, ana, "1", [b"two"])
    assert hear_from(ana, "1") == [b"one", b"two"]


async def test_lines_that_are_added_are_slots(house):
    ana = await house.join("ana", Shape(lines=browser_lines(1)))
    ben = await house.join("ben")
    cleo = await house.join("cleo")
    ssrc = ana.answer.lines["1"].ssrc
    ana.shape = ana.shape.with_line("new", "recvonly")
    await ana.negotiate(house.signal("ana"))
    assert ana.answer.lines["1"].ssrc == ssrc
    assert set(house.observer.slots["ana"].values()) == {"ben", "cleo"}
    await talk(ben, ana, slot_of(house, "ana", "ben"), [b"ben"])
    await talk(cleo, ana, slot_of(house, "ana", "cleo"), [b"cleo"])
    assert sorted(hear_from(ana, "1") + hear_from(ana, "new")) == [b"ben", b"cleo"]


@pytest.mark.parametrize("change", [{"direction": "recvonly", "stopped": True}, {"direction": "inactive"}])
async def test_a_line_that_is_stopped_is_no_slot_any_more(house, change):
    ana, ben = await pair(house)
    await talk(ben, ana, "1", [b"one"])
    ana.shape = ana.shape.with_line("1", **change)
    await ana.negotiate(house.signal("ana"))
    assert ana.answer.lines["1"].ssrc is None
    assert (ana.answer.lines["1"].port == 0) is change.get("stopped", False)
    assert "1" not in house.observer.slots["ana"]
    mid = slot_of(house, "ana", "ben")
    await talk(ben, ana, mid, [b"two"])
    assert (hear_from(ana, "1"), hear_from(ana, mid)) == ([b"one"], [b"two"])


async def test_a_line_may_be_stopped_and_taken_up_again(house):
    ana, ben = await pair(house)
    for direction, stopped in (("recvonly", True), ("recvonly", False)):
        ana.shape = ana.shape.with_line("1", direction, stopped=stopped)
        await ana.negotiate(house.signal("ana"))
    assert len(house.observer.slots["ana"]) == 8
    await talk(ben, ana, slot_of(house, "ana", "ben"), [b"still"])


async def test_a_microphone_that_is_withdrawn_is_not_heard(house):
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    ana.shape = ana.shape.with_line("0", "inactive")
    await ana.negotiate(house.signal("ana"))
    ana.send(b"not offered")
    await house.counted("dropped_payload_type")
    ana.shape = ana.shape.with_line("0", "sendonly")
    await ana.negotiate(house.signal("ana"))
    await talk(ana, ben, "1", [b"two"])
    assert hear_from(ben, "1") == [b"one", b"two"]


async def test_a_line_may_be_reversed(house):
    # A microphone line turns into one to hear on, and a slot into the microphone.
    ana, ben = await pair(house, shape=Shape(lines=(Line("0", "sendonly"), Line("1", "recvonly"))))
    await talk(ben, ana, "1", [b"one"])
    ana.shape = Shape(lines=(Line("0", "recvonly"), Line("1", "sendonly")))
    await ana.negotiate(house.signal("ana"))
    assert {mid: line.direction for mid, line in ana.answer.lines.items()} == {"0": "sendonly", "1": "recvonly"}
    assert house.observer.slots["ana"] == {"0": "ben"}
    await talk(ben, ana, "0", [b"two"])
    await talk(ana, ben, "1", [b"three"])


async def test_payload_types_may_change(house):
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    await talk(ben, ana, "1", [b"uno"])
    ana.shape = Shape(payload_type=98)
    await ana.negotiate(house.signal("ana"))
    await talk(ana, ben, "1", [b"two"])
    await talk(ben, ana, "1", [b"dos"])
    assert [heard.payload_type for heard in ana.heard["1"]][-1] == 98
    assert [heard.payload_type for heard in ben.heard["1"]] == [111, 111]


async def test_the_dtls_roles_of_a_living_association_stay(house):
    ana, ben = await pair(house, shape=Shape(setup="passive"))
    assert ana.answer.setup == "active"
    ana.shape = Shape(setup="actpass")
    await ana.negotiate(house.signal("ana"))
    assert ana.answer.setup == "active"
    ana.shape = Shape(setup="active")
    with pytest.raises(BadOffer, match="roles"):
        await ana.negotiate(house.signal("ana"))
    await talk(ana, ben, "1", [b"on"])
    assert hear_from(ben, "1") == [b"on"]


async def test_slots_are_limited_by_setting(house):
    ana = await house.join("ana", Shape(lines=browser_lines(60)))
    assert sum(line.ssrc is not None for line in ana.answer.lines.values()) == 60
    house.server.connections.most_slots = 3
    ben = await house.join("ben")
    assert sum(line.ssrc is not None for line in ben.answer.lines.values()) == 3


# -- RTCP -----------------------------------------------------------------------------------------------------------


async def test_reports_go_both_ways(house):
    # RFC 3550 section 6.4: receiver reports to publishers, sender reports to slots.
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    await talk(ben, ana, "1", [b"two"])
    await ana.until(lambda: any(isinstance(packet, SenderReport) for packet in ana.reports))
    await ana.until(lambda: any(block.ssrc == ana.ssrc for packet in ana.reports for block in blocks(packet)))
    report = next(packet for packet in ana.reports if isinstance(packet, SenderReport))
    assert report.ssrc == ana.answer.lines["1"].ssrc
    assert (report.packet_count, report.octet_count) == (1, 3)
    ana.report()
    await eventually(lambda: ours(house, "ana").endpoint.slots[0].remote.reports_received)


def blocks(packet):
    return packet.blocks if isinstance(packet, SenderReport | ReceiverReport) else ()


async def test_a_goodbye_ends_the_stream_and_a_new_ssrc_takes_its_place(house):
    # RFC 3550 section 6.6.
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    ana.report(ReceiverReport(ana.ssrc), Goodbye((ana.ssrc,)))
    await eventually(lambda: not ours(house, "ana").endpoint.streams)
    ana.send(b"two", Fields(ssrc=(ana.ssrc + 1) & 0xFFFFFFFF))
    await ben.until(lambda: len(ben.heard["1"]) == 2)
    assert hear_from(ben, "1") == [b"one", b"two"]
    assert len({heard.ssrc for heard in ben.heard["1"]}) == 1


async def test_who_leaves_says_goodbye_to_their_streams(house):
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    house.server.participants.remove("ben")
    await ben.until(lambda: any(isinstance(packet, Goodbye) for packet in ben.reports))
    goodbye = next(packet for packet in ben.reports if isinstance(packet, Goodbye))
    assert ben.answer.lines["1"].ssrc in goodbye.ssrcs


async def test_the_mid_is_sent_until_the_receiver_knows_it(house):
    # RFC 8843 section 9.2.
    ana, ben = await pair(house)
    await talk(ana, ben, "1", [b"one"])
    assert ben.heard["1"][0].extensions[4] == b"1"
    ben.report()
    await eventually(lambda: ours(house, "ben").endpoint.slots[0].remote.reports_received)
    await talk(ana, ben, "1", [b"two"])
    assert set(ben.heard["1"][-1].extensions) == {1}


async def test_a_participant_without_media_is_muted_like_any_other(house):
    house.server.participants.add("hall", "dan", MuteFlags())
    house.server.participants.set_flags("dan", MuteFlags(mute=True))
    house.server.participants.remove("dan")
    assert house.server.observation.gauges()["rooms"] == 0
