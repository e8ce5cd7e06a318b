"""Keys in a room, by RTP and by message: who sends, who hears, what is announced, and the packets octet by octet."""

import itertools
import math
from collections import defaultdict
from itertools import pairwise

import pytest

from bench.peer_sdp import Shape
from sfu.dtmf import LONGEST_DURATION, MOST_WAITING, SILENT_SECONDS, EventFormat, KeyPress, Keys
from sfu.errors import UnknownParticipant
from sfu.room_tones import Keypad
from sfu.rtp import parse
from sfu.selection import MuteFlags
from sfu.slot_table import SlotTable
from tests.sfu.test_room import DEAF, HELD, MUTED, OPEN, Hall
from tests.support.ears import FRAME, QUIET, Ear, Mouth, collecting_socket, stream_of
from tests.support.house import eventually, hear_from, slot_of, talk

WIDE, NARROW = EventFormat(110, 48_000), EventFormat(101, 8_000)
WIDE_OFFER, NARROW_OFFER = Shape(event_clock=48_000), Shape(event_clock=8_000)
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
        mouth.press(KeyPress(code, number == 3, 10, 960 * number), marker=0x80 if number == 1 else 0)
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
    mouth.press(KeyPress(9, False, 10, 960), marker=0x80)
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


# the keypad, packet by packet


class Stage:
    """Ana talks into the slots of her listeners every 20 ms, and presses keys meanwhile."""

    def __init__(self, *forms, talks=True):
        self.out, self.batch = collecting_socket()
        self.ears = [Ear(self.out, number, events=form) for number, form in enumerate(forms)]
        self.stream = stream_of("ana", first=20, now=0.0)
        self.table = SlotTable(self.stream)
        self.stream.handlers = (self.table.packet,)
        self.mouth = Mouth(self.stream)
        self.keypad = Keypad("ana")
        self.slots = [ear.slots[0] for ear in self.ears]
        self.talks = talks
        self.told = []
        self.sent = []
        self.read = [0] * len(forms)
        for ear in self.ears:
            ear.connect()
            if talks:
                self.table.add(ear.slots[0])

    def run(self, seconds, offset=0.005):
        """Her packets, and `offset` seconds after each what is due of the tones."""
        for _ in range(round(seconds * 50)):
            if self.talks:
                self.mouth.say(QUIET)
            else:
                self.mouth.now += 0.02
            for at in (offset, offset + 0.01):
                self.told += self.keypad.advance(self.slots, self.mouth.now - 0.02 + at)
            self.table.rebuild()

    def press(self, keys, offset=0.005):
        self.keypad.press(keys, self.mouth.now - 0.02 + offset)

    def heard(self, ear=0):
        """The packets that one ear has heard since it was asked."""
        self.sent += self.batch.take()
        fresh, self.read[ear] = self.sent[self.read[ear] :], len(self.sent)
        return [parse(data) for data in self.ears[ear].hear(fresh)]


@pytest.mark.parametrize("form", [WIDE, NARROW])
def test_rfc4733_a_tone_in_the_sequence_of_the_voice(form):
    stage = Stage(form)
    stage.run(0.1)
    stage.press(Keys("#", 0.1))
    stage.run(0.4)
    packets = stage.heard()
    assert [p.sequence for p in packets] == [(0x7FF0 + n) & 0xFFFF for n in range(25 + 7)], "no gap around the event"
    assert {p.ssrc for p in packets} == {1}, "the slot's"
    voice = [p for p in packets if p.payload_type == 96]
    assert {(b.rtp_timestamp - a.rtp_timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(voice)} == {FRAME}
    events = [p for p in packets if p.payload_type == form.payload_type]
    ticks = form.clock_rate // 50
    expected = [KeyPress(11, n >= 5, 10, min(n, 5) * ticks) for n in range(1, 8)]
    assert [p.payload for p in events] == [event.payload() for event in expected]
    assert [p.marker for p in events] == [True] + [False] * 6
    # Pressed 5 ms after the fifth packet, in the voice's clock whatever that of the durations is (section 2.1).
    assert {(p.rtp_timestamp - voice[4].rtp_timestamp) & 0xFFFFFFFF for p in events} == {240}
    assert stage.told == [("ana", "#", 0.1)]
    assert stage.slots[0].tally.totals()[0] == len(packets)
    assert stage.out.failed == 0


def test_each_listener_has_its_own_and_who_knows_no_events_misses_nothing():
    stage = Stage(WIDE, NARROW, None)
    stage.run(0.1)
    stage.press(Keys("12", 0.06, 0.05))
    stage.run(0.5)
    wide, narrow, none = (stage.heard(ear) for ear in range(3))
    assert len(none) == 30
    assert {p.payload_type for p in none} == {96}
    for packets, form in ((wide, WIDE), (narrow, NARROW)):
        assert [p.sequence for p in packets] == [(0x7FF0 + n) & 0xFFFF for n in range(30 + 10)]
        events = [p for p in packets if p.payload_type == form.payload_type]
        assert [p.payload[0] for p in events] == [1] * 5 + [2] * 5
        assert events[4].payload == KeyPress(1, True, 10, form.clock_rate * 6 // 100).payload()
        assert {p.rtp_timestamp for p in events[:5]} == {events[0].rtp_timestamp}
        assert {(p.rtp_timestamp - events[0].rtp_timestamp) & 0xFFFFFFFF for p in events[5:]} == {5280}
    assert [tone.tone for tone in stage.told] == ["1", "2"]


def test_who_sends_no_rtp_presses_keys_all_the_same():
    stage = Stage(WIDE, talks=False)
    stage.press(Keys("7"))
    stage.run(0.3)
    packets = stage.heard()
    assert [p.payload[0] for p in packets] == [7] * 7
    assert [p.sequence for p in packets] == [(0x7FF0 + n) & 0xFFFF for n in range(7)]
    assert {p.rtp_timestamp for p in packets} == {0xFFFFF000}
    stage.table.add(stage.slots[0])
    stage.talks = True
    stage.run(0.02)
    (first,) = stage.heard()
    assert (first.payload_type, first.sequence, first.marker) == (96, 0x7FF7, True)


def test_rfc4733_2_5_1_3_a_long_tone_has_a_new_timestamp_for_each_segment():
    stage = Stage(WIDE, NARROW)
    stage.press(Keys("D", 3.0))
    stage.run(3.2)
    wide = [p for p in stage.heard(0) if p.payload_type == 110]
    begun = wide[0].rtp_timestamp
    offsets = [(p.rtp_timestamp - begun) & 0xFFFFFFFF for p in wide]
    assert sorted(set(offsets)) == [0, LONGEST_DURATION, 2 * LONGEST_DURATION]
    assert offsets == sorted(offsets)
    assert sum(p.marker for p in wide) == 1
    assert [bool(p.payload[1] & 0x80) for p in wide] == [False] * (len(wide) - 3) + [True] * 3
    narrow = [p for p in stage.heard(1) if p.payload_type == 101]
    assert len({p.rtp_timestamp for p in narrow}) == 1
    assert narrow[-1].payload == KeyPress(15, True, 10, 24_000).payload()


def test_a_slot_that_goes_to_somebody_else_hears_no_more_of_it():
    stage = Stage(WIDE, WIDE)
    stage.press(Keys("1", 0.2))
    stage.run(0.1)
    gone = stage.slots.pop()
    stage.table.remove(gone)
    stage.run(0.4)
    stayed, went = ([p.payload for p in stage.heard(ear) if p.payload_type == 110] for ear in range(2))
    assert len(went) < len(stayed)
    assert not any(payload[1] & 0x80 for payload in went)


def test_a_slot_that_comes_meanwhile_hears_of_the_next_tone():
    stage = Stage(WIDE, WIDE)
    late = stage.slots.pop()
    stage.press(Keys("12", 0.1, 0.1))
    stage.run(0.06)
    stage.slots.append(late)
    stage.run(0.5)
    assert {p.payload[0] for p in stage.heard(1) if p.payload_type == 110} == {2}


def test_a_slot_without_a_way_to_its_receiver_takes_no_number():
    stage = Stage(WIDE)
    stage.slots[0].route = None
    stage.press(Keys("1"))
    stage.run(0.3)
    assert stage.heard() == []
    assert stage.out.failed == 0
    assert [tone.tone for tone in stage.told] == ["1"]


def test_only_so_many_may_wait():
    keypad = Keypad("ana")
    assert keypad.deadline() == math.inf
    keypad.press(Keys("1" * (MOST_WAITING - 2)), 0.0)
    assert keypad.has_room_for(Keys("12"))
    assert not keypad.has_room_for(Keys("123"))
    assert keypad.deadline() == 0.0


# on the wire of a real server


@pytest.mark.parametrize("rate", [48_000, 8_000])
async def test_the_packets_of_a_tone_one_by_one(house, rate):
    # RFC 4733 sections 2.2, 2.3 and 2.5.1.
    ana, ben = await house.join("ana", WIDE_OFFER), await house.join("ben", Shape(event_clock=rate))
    mid = slot_of(house, "ben", "ana")
    await talk(ana, ben, mid, [b"before"])
    assert house.server.participants.press_keys("ana", Keys("9", 0.1))
    await house.told("tone", "ana", "9", 0.1)
    last = KeyPress(9, True, 10, 5 * rate // 50).payload()
    await ben.until(lambda: hear_from(ben, mid).count(last) == 3)
    await talk(ana, ben, mid, [b"after"])
    heard = ben.heard[mid]
    assert {one.ssrc for one in heard} == {ben.answer.lines[mid].ssrc}
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(heard)} == {1}
    events = heard[1:-1]
    assert {one.payload_type for one in events} == {110}
    assert [one.marker for one in events] == [True] + [False] * (len(events) - 1)
    assert len({one.timestamp for one in events}) == 1
    # In the voice's clock, also where durations are in another one: between the packets before and after it.
    assert 0 < (events[0].timestamp - heard[0].timestamp) & 0xFFFFFFFF < 10 * 48_000
    # A loop that is late leaves updates out, never the first packet nor the three ends.
    expected = [KeyPress(9, n >= 5, 10, min(n, 5) * rate // 50).payload() for n in range(1, 8)]
    payloads = [one.payload for one in events]
    assert payloads == [expected[0], *(update for update in expected[1:4] if update in payloads), *expected[4:]]
    assert house.count("packets_failed") == 0


async def test_who_has_no_peer_connection_presses_keys_too(house):
    ben = await house.join("ben", NARROW_OFFER)
    house.server.participants.add("hall", "bot", MuteFlags())
    assert house.server.participants.press_keys("bot", Keys("1", 0.04))
    mid = slot_of(house, "ben", "bot")
    await ben.until(lambda: hear_from(ben, mid).count(KeyPress(1, True, 10, 320).payload()) == 3)
    assert {payload[0] for payload in hear_from(ben, mid)} == {1}
    await house.told("tone", "bot", "1", 0.04)
    house.server.participants.remove("bot")
    await eventually(lambda: not len(house.server.participants._tones))


async def test_nobody_presses_keys_who_is_not_here(house):
    with pytest.raises(UnknownParticipant):
        house.server.participants.press_keys("ghost", Keys("1"))
