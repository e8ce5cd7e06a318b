"""Participants of a real server: who is muted, moved, or leaves, and what the others hear."""

import pytest

from sfu.errors import UnknownParticipant
from sfu.selection import MuteFlags
from tests.support.house import eventually, hear_from, joined, slot_of, talk, words


@pytest.mark.parametrize("flags", [MuteFlags(self_mute=True), MuteFlags(mute=True), MuteFlags(suppressed=True)])
async def test_a_mute_is_enforced_from_the_next_packet_on(house, flags):
    ana, ben = await joined(house, "ana", "ben")
    await talk(ana, ben, "1", [b"before"])
    house.server.participants.set_flags("ana", flags)
    for _ in range(5):
        ana.send(b"secret")
    await house.counted("packets_in", 6)
    house.server.participants.set_flags("ana", MuteFlags())
    await talk(ana, ben, "1", [b"after"])
    assert hear_from(ben, "1") == [b"before", b"after"]
    first, second = ben.heard["1"]
    assert (second.sequence - first.sequence) & 0xFFFF == 1


async def test_who_joins_muted_is_not_heard_until_the_mute_is_lifted(house):
    ana, ben = await joined(house, "ana", "ben")
    house.server.participants.set_flags("ana", MuteFlags(mute=True))
    ana.send(b"secret")
    await house.counted("packets_in", 1)
    house.server.participants.set_flags("ana", MuteFlags())
    await talk(ana, ben, "1", [b"open"])
    assert hear_from(ben, "1") == [b"open"]


@pytest.mark.parametrize("flags", [MuteFlags(self_deaf=True), MuteFlags(deaf=True)])
async def test_the_deaf_hear_nobody_and_the_others_hear_all(house, flags):
    ana, ben, cleo = await joined(house, "ana", "ben", "cleo")
    await talk(ana, ben, slot_of(house, "ben", "ana"), [b"one"])
    house.server.participants.set_flags("ben", flags)
    await talk(ana, cleo, slot_of(house, "cleo", "ana"), [b"two"])
    house.server.participants.set_flags("ben", MuteFlags())
    await talk(ana, ben, slot_of(house, "ben", "ana"), [b"three"])
    assert hear_from(ben, slot_of(house, "ben", "ana")) == [b"one", b"three"]
    assert hear_from(cleo, slot_of(house, "cleo", "ana")) == [b"one", b"two", b"three"]


async def test_who_is_moved_is_heard_in_the_other_room_only_over_the_same_connection(house):
    ana, ben = await joined(house, "ana", "ben")
    cleo = await house.join("cleo", room="attic")
    await talk(ana, ben, slot_of(house, "ben", "ana"), [b"one"])
    house.server.participants.move("ana", "attic", MuteFlags())
    await talk(ana, cleo, slot_of(house, "cleo", "ana"), [b"two"])
    await talk(cleo, ana, slot_of(house, "ana", "cleo"), [b"three"])
    assert hear_from(ben, "1") == [b"one"]
    assert hear_from(cleo, slot_of(house, "cleo", "ana")) == [b"two"]
    assert "ana" not in house.observer.slots["ben"].values()
    assert [told for told in house.observer.told if told[0] == "media_gone"] == []
    assert {stat["type"] for stat in house.server.observation.statistics("ana")} >= {"transport", "inbound-rtp"}


async def test_the_slots_of_who_is_moved_go_on_without_a_gap(house):
    """The SSRC, the sequence and the time of a slot are the connection's, not the room's."""
    ana, ben = await joined(house, "ana", "ben")
    cleo = await house.join("cleo", room="attic")
    await talk(ben, ana, slot_of(house, "ana", "ben"), words("ben"))
    house.server.participants.move("ana", "attic", MuteFlags())
    assert slot_of(house, "ana", "cleo") == "1"
    await talk(cleo, ana, "1", words("cleo"))
    heard = ana.heard["1"]
    assert [packet.payload for packet in heard] == words("ben") + words("cleo")
    assert len({packet.ssrc for packet in heard}) == 1
    first = heard[0].sequence
    assert [(packet.sequence - first) % 65536 for packet in heard] == list(range(len(heard)))


async def test_who_has_no_connection_yet_is_moved_too_and_the_last_leaves_an_empty_room(house):
    house.server.participants.add("hall", "ana", MuteFlags())
    house.server.participants.move("ana", "attic", MuteFlags(mute=True))
    assert (house.server.observation.gauges()["rooms"], house.server.observation.gauges()["participants"]) == (1, 1)
    with pytest.raises(UnknownParticipant):
        house.server.participants.move("nobody", "hall", MuteFlags())


async def test_who_leaves_is_told_goodbye_and_their_slot_is_free(house):
    ana, ben = await joined(house, "ana", "ben")
    house.server.participants.remove("ana")
    house.server.participants.remove("ana")
    await ana.until(lambda: ana.dtls.state == "closed")
    await eventually(lambda: "ana" not in house.observer.slots["ben"].values())
    assert house.server.observation.gauges()["participants"] == 1
    assert ("media_gone", "ana", "closed_by_peer") not in house.observer.told
    assert ben.dtls.state == "connected"
