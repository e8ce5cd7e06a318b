"""Tones on the wire of a real server, and the timer that paces them."""

import math
from itertools import pairwise

import pytest

from bench.peer_sdp import Shape
from sfu.dtmf import INTERVAL, Event, Keys
from sfu.errors import UnknownParticipant
from sfu.flags import MuteFlags
from sfu.room import Room
from sfu.tone_timer import ToneTimer
from tests.support.house import eventually, hear_from, slot_of, talk

WIDE, NARROW = Shape(event_clock=48_000), Shape(event_clock=8_000)


@pytest.mark.parametrize("rate", [48_000, 8_000])
async def test_the_packets_of_a_tone_one_by_one(house, rate):
    # RFC 4733 sections 2.2, 2.3 and 2.5.1.
    ana, ben = await house.join("ana", WIDE), await house.join("ben", Shape(event_clock=rate))
    mid = slot_of(house, "ben", "ana")
    await talk(ana, ben, mid, [b"before"])
    assert house.server.press_keys("ana", Keys("9", 0.1))
    await house.told("tone", "ana", "9", 0.1)
    await ben.until(lambda: len(ben.heard[mid]) == 8)
    await talk(ana, ben, mid, [b"after"])
    heard = ben.heard[mid]
    assert {one.ssrc for one in heard} == {ben.answer.lines[mid].ssrc}
    assert [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(heard)] == [1] * 8
    events = heard[1:-1]
    assert {one.payload_type for one in events} == {110}
    assert [one.marker for one in events] == [True] + [False] * 6
    assert len({one.timestamp for one in events}) == 1
    # In the voice's clock, also where durations are in another one: between the packets before and after it.
    assert 0 < (events[0].timestamp - heard[0].timestamp) & 0xFFFFFFFF < 48_000
    expected = [Event(9, n >= 5, 10, min(n, 5) * rate // 50) for n in range(1, 8)]
    assert [one.payload for one in events] == [event.payload() for event in expected]
    assert house.count("packets_failed") == 0


async def test_who_has_no_peer_connection_presses_keys_too(house):
    ben = await house.join("ben", NARROW)
    house.server.add_participant("hall", "bot", MuteFlags())
    assert house.server.press_keys("bot", Keys("1", 0.04))
    mid = slot_of(house, "ben", "bot")
    await ben.until(lambda: len(ben.heard[mid]) == 4)
    assert {payload[0] for payload in hear_from(ben, mid)} == {1}
    await house.told("tone", "bot", "1", 0.04)
    house.server.remove_participant("bot")
    await eventually(lambda: not len(house.server._tones))


async def test_nobody_presses_keys_who_is_not_here(house):
    with pytest.raises(UnknownParticipant):
        house.server.press_keys("ghost", Keys("1"))


class Metronome:
    """A room's turns: how many are left, and what was asked."""

    def __init__(self, turns):
        self.left = turns
        self.room = Room("hall")

    def advance(self, room):
        assert room is self.room
        self.left -= 1
        return INTERVAL if self.left > 0 else math.inf


async def test_a_room_is_woken_as_long_as_there_is_more():
    metronome = Metronome(4)
    timer = ToneTimer(metronome.advance)
    timer.wind(metronome.room)
    assert (metronome.left, len(timer)) == (3, 1)
    timer.wind(metronome.room)
    assert len(timer) == 1
    await eventually(lambda: metronome.left == 0)
    assert len(timer) == 0


async def test_a_closed_timer_wakes_nobody():
    metronome = Metronome(9)
    timer = ToneTimer(metronome.advance)
    timer.wind(metronome.room)
    timer.close()
    assert (metronome.left, len(timer)) == (8, 0)
