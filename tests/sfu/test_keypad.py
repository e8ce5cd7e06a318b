"""Tones that the server makes, octet by octet, for listeners who negotiated them differently."""

import itertools
import math

import pytest

from sfu.dtmf import LONGEST_DURATION, MOST_WAITING, Event, EventFormat, Keys
from sfu.keypad import Keypad
from sfu.rtp import parse
from sfu.slot_table import SlotTable
from tests.support.ears import FRAME, QUIET, Ear, Mouth, collecting_socket, stream_of

WIDE, NARROW = EventFormat(110, 48_000), EventFormat(101, 8_000)


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
    expected = [Event(11, n >= 5, 10, min(n, 5) * ticks) for n in range(1, 8)]
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
        assert events[4].payload == Event(1, True, 10, form.clock_rate * 6 // 100).payload()
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
    assert narrow[-1].payload == Event(15, True, 10, 24_000).payload()


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
