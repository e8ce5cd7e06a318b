"""Keys in a room, by RTP and by message: who sends, who hears, and what is told."""

from collections import defaultdict

import pytest

from sfu.dtmf import MOST_WAITING, SILENT_SECONDS, Event, EventFormat, Keys
from sfu.flags import MuteFlags
from tests.sfu.test_room import DEAF, HELD, MUTED, OPEN, Hall
from tests.support.ears import Ear

WIDE = EventFormat(110, 48_000)
QUICK = Keys("12", 0.04, 0.03)


def pressing(flags=OPEN):
    """Two people whose ears know telephone events; the second has these flags."""
    hall = Hall()
    for name, mutes in (("a", OPEN), ("b", flags)):
        hall.join(name, connected=False, flags=mutes)
        hall.numbers += 1
        ear = hall.ears[name] = Ear(hall.out, hall.numbers, 2, events=WIDE)
        ear.connect()
        hall.room.set_slots(name, ear.slots, hall.now)
    hall.say()
    return hall


def play(hall, seconds=0.4):
    """What is heard of events meanwhile: {listener: [event codes]}, and the tones that were told."""
    codes, tones = defaultdict(list), []
    for _ in range(round(seconds / 0.02)):
        for mouth in hall.mouths.values():
            mouth.now = hall.now
            mouth.say()
        hall.now += 0.02
        hall.room.advance(hall.now)
        hall.room.tones.advance(hall.now)
        tones += hall.room.take_changes().tones
        for listener, packet in hall.drain():
            if packet.payload_type == WIDE.payload_type:
                codes[listener].append(packet.payload[0])
    return dict(codes), [(tone.participant, tone.tone) for tone in tones]


def test_keys_that_are_pressed_are_heard_by_the_others_and_told_once_each():
    hall = pressing()
    assert hall.room.tones.press("a", QUICK, hall.now)
    assert hall.room.tones.deadline() == hall.now
    assert play(hall) == ({"b": [1] * 4 + [2] * 4}, [("a", "1"), ("a", "2")])
    assert hall.room.tones.deadline() == float("inf")
    assert hall.out.failed == 0


@pytest.mark.parametrize("flags", [MUTED, MuteFlags(self_mute=True), MuteFlags(suppressed=True), HELD])
def test_who_may_not_be_heard_presses_no_keys(flags):
    hall = pressing()
    hall.flags("a", flags)
    assert hall.room.tones.press("a", QUICK, hall.now)
    assert play(hall) == ({}, [])


@pytest.mark.parametrize("flags", [MUTED, HELD])
def test_a_mute_ends_what_is_being_sent(flags):
    hall = pressing()
    hall.room.tones.press("a", Keys("1" * 10, 0.04, 0.03), hall.now)
    play(hall, 0.1)
    hall.flags("a", flags)
    hall.flags("a", OPEN)
    assert play(hall) == ({}, [])


@pytest.mark.parametrize("flags", [DEAF, MuteFlags(self_deaf=True), HELD])
def test_who_may_not_hear_hears_no_keys(flags):
    hall = pressing(flags)
    hall.room.tones.press("a", QUICK, hall.now)
    assert play(hall) == ({}, [("a", "1"), ("a", "2")])


def test_who_leaves_presses_no_more():
    hall = pressing()
    hall.room.tones.press("a", QUICK, hall.now)
    hall.room.remove("a", hall.now)
    del hall.mouths["a"], hall.ears["a"]
    assert play(hall) == ({}, [])


def test_too_many_keys_are_not_taken():
    hall = pressing()
    assert hall.room.tones.press("a", Keys("1" * MOST_WAITING), hall.now)
    assert not hall.room.tones.press("a", Keys("1"), hall.now)


def send_tone(hall, name, code=5):
    """One tone as its sender tells it by RTP."""
    mouth = hall.mouths[name]
    for number in range(1, 4):
        mouth.now = hall.now
        mouth.press(Event(code, number == 3, 10, 960 * number), marker=0x80 if number == 1 else 0)
        hall.now += 0.02


def test_an_event_that_comes_is_forwarded_and_told_once():
    hall = pressing()
    send_tone(hall, "a")
    heard = [(listener, packet.payload[0]) for listener, packet in hall.drain()]
    assert heard == [("b", 5)] * 3
    assert hall.room.take_changes().tones == [("a", "5", 0.06)]
    assert hall.room.take_changes().tones == []


def test_an_event_whose_end_is_lost_is_told_after_a_while():
    hall = pressing()
    mouth = hall.mouths["a"]
    mouth.now = hall.now
    mouth.press(Event(9, False, 10, 960), marker=0x80)
    hall.room.advance(hall.now)
    assert hall.room.take_changes().tones == []
    hall.room.advance(hall.now + SILENT_SECONDS)
    assert hall.room.take_changes().tones == [("a", "9", 0.02)]


@pytest.mark.parametrize("flags", [MUTED, MuteFlags(self_mute=True), MuteFlags(suppressed=True), HELD])
def test_events_of_who_may_not_be_heard_are_dropped(flags):
    hall = pressing()
    hall.flags("a", flags)
    send_tone(hall, "a")
    assert list(hall.drain()) == []
    hall.room.advance(hall.now + 9)
    assert hall.room.take_changes().tones == []
