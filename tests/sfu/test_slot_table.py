import itertools

import pytest

from quality.delivery import Delivery
from sfu.dtmf import EventFormat, KeyPress
from sfu.opus import OPUS_CLOCK
from sfu.rtp import parse
from sfu.slot_table import PREROLL_PACKETS, PREROLL_SECONDS, REPORT_AGE, SlotTable
from sfu.voice import SILENCE
from tests.support.ears import FRAME, LOUD, QUIET, Ear, Mouth, collecting_socket, stream_of


class Stage:
    """Some sources with their tables, and ears on one collecting socket."""

    def __init__(self, ears=1, slots=1, *, level_id=None):
        self.out, self.batch = collecting_socket()
        self.ears = [Ear(self.out, number, slots, level_id=level_id) for number in range(ears)]
        for ear in self.ears:
            ear.connect()

    def source(self, name, number=1, *, first=0xFFF0, now=0.0):
        stream = stream_of(name, number, first=first, now=now)
        table = SlotTable(stream)
        stream.handlers = (table.packet,)
        return table, Mouth(stream, now)

    def heard(self, ear=0):
        """(sequence, timestamp, marker, payload) of what went to one ear since the last call, in order."""
        sent = self.batch.take()
        packets = [parse(data) for data in self.ears[ear].hear(sent)]
        return [(packet.sequence, packet.rtp_timestamp, packet.marker, packet.payload.decode()) for packet in packets]


def texts(heard):
    return [text.rpartition(":")[2] for _, _, _, text in heard]


def speak(table, mouth, slot, packets=1):
    """Begin to speak, and be put into `slot` in that moment, as the room does it."""
    stream = table.stream
    stream.on_voice = lambda who, now: who.voice.voiced and table.add_speaking(slot, now)
    mouth.say(LOUD, packets)
    stream.on_voice = lambda who, now: None if who.voice.voiced else table.pause()


def test_a_stream_goes_to_all_its_slots_from_the_next_packet_on():
    stage = Stage(ears=3)
    table, mouth = stage.source("ana", first=20)
    mouth.say()
    for ear in stage.ears:
        table.add(ear.slots[0])
    mouth.say(packets=3)
    sent = stage.batch.take()
    assert len(sent) == 9
    for ear in stage.ears:
        packets = [parse(data) for data in ear.hear(sent)]
        assert [packet.payload for packet in packets] == [b"ana:1:21", b"ana:1:22", b"ana:1:23"]
        assert [packet.sequence for packet in packets] == [0x7FF0, 0x7FF1, 0x7FF2]
        assert [packet.marker for packet in packets] == [True, False, False]
    assert stage.out.failed == 0


def test_the_level_goes_where_it_was_negotiated():
    stage = Stage(level_id=5)
    table, mouth = stage.source("ana")
    table.add(stage.ears[0].slots[0])
    mouth.say(42, 2)
    packets = [parse(data) for data in stage.ears[0].hear(stage.batch.take())]
    assert [packet.extensions for packet in packets] == [((5, bytes([42])),)] * 2


def test_late_packets_keep_their_number_and_those_of_before_the_switch_are_dropped():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say()
    mouth.skip()
    mouth.say()
    table.add(stage.ears[0].slots[0])
    mouth.say()
    mouth.skip()
    mouth.say()
    stage_heard = stage.heard()
    assert [sequence for sequence, _, _, _ in stage_heard] == [0x7FF0, 0x7FF2]
    mouth.send(21, 0xFFFFF000 + FRAME)
    assert stage.heard() == []
    mouth.send(24, 0xFFFFF000 + 4 * FRAME)
    ((sequence, timestamp, marker, text),) = stage.heard()
    assert (sequence, marker, text) == (0x7FF1, False, "ana:1:24")
    assert timestamp == (stage_heard[0][1] + FRAME) & 0xFFFFFFFF
    mouth.say()
    assert [sequence for sequence, _, _, _ in stage.heard()] == [0x7FF3]
    assert stage.ears[0].slots[0].tally.totals()[0] == 4
    assert (table.packets, stage.out.sent, stage.out.failed) == (7, 4, 0)


def test_the_first_to_come_of_two_after_a_switch_bears_the_marker():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say()
    table.add(stage.ears[0].slots[0])
    mouth.skip()
    mouth.say()
    mouth.send(21, 0xFFFFF000 + FRAME)
    assert [(sequence, marker) for sequence, _, marker, _ in stage.heard()] == [(0x7FF1, True), (0x7FF0, False)]


def test_a_speaker_who_begins_is_sent_with_the_first_syllable():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say(QUIET, 10)
    slot = stage.ears[0].slots[0]
    speak(table, mouth, slot)
    heard = stage.heard()
    assert texts(heard) == ["25", "26", "27", "28", "29", "30"]
    assert len(heard) == PREROLL_PACKETS + 1
    assert [sequence for sequence, _, _, _ in heard] == list(range(0x7FF0, 0x7FF6))
    assert [(timestamp - heard[0][1]) & 0xFFFFFFFF for _, timestamp, _, _ in heard] == [FRAME * n for n in range(6)]
    assert [marker for _, _, marker, _ in heard] == [True] + [False] * 5
    assert slot.owed == PREROLL_PACKETS * FRAME <= PREROLL_SECONDS * OPUS_CLOCK
    assert slot.tally.totals()[0] == 6


def test_the_delay_is_given_back_at_the_pause():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say(QUIET, 10)
    slot = stage.ears[0].slots[0]
    speak(table, mouth, slot, 10)
    mouth.say(QUIET, 50)
    heard = stage.heard()
    assert [sequence for sequence, _, _, _ in heard] == list(range(0x7FF0, 0x7FF0 + len(heard)))
    steps = [(b[1] - a[1]) & 0xFFFFFFFF for a, b in itertools.pairwise(heard)]
    assert set(steps) == {FRAME}
    # Five packets of the pause are left out, and no other.
    numbers = [int(text) for text in texts(heard)]
    left_out = sorted(set(range(25, 90)) - set(numbers))
    assert left_out == list(range(left_out[0], left_out[0] + 5))
    assert left_out[0] > 40 + 15
    assert slot.owed == 0
    assert slot.tally.totals()[0] == len(heard)


def test_a_speaker_who_goes_on_ends_the_rest_and_owes_what_is_left():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say(QUIET, 10)
    slot = stage.ears[0].slots[0]
    speak(table, mouth, slot)
    while table.stream.voice.voiced:
        mouth.say(QUIET)
    stage.batch.take()
    mouth.skip()
    mouth.say(QUIET)
    assert stage.heard() == []
    # A late voiced packet is not where it goes on: the one after it has been left out already.
    mouth.send(mouth.sequence - 2, mouth.timestamp - 2 * FRAME, LOUD)
    assert stage.heard() == []
    mouth.say(LOUD, 3)
    heard = stage.heard()
    assert texts(heard) == [str(mouth.sequence - left) for left in (3, 2, 1)]
    assert [sequence - heard[0][0] for sequence, _, _, _ in heard] == [0, 1, 2]
    assert 0 < slot.owed < PREROLL_PACKETS * FRAME
    assert slot.rested is None


def test_after_dtx_the_first_syllable_is_not_seconds_old():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    for number in range(20, 26):
        mouth.send(number, 19_200 * (number - 20), SILENCE)
        mouth.now += 0.4
    mouth.sequence, mouth.timestamp = 26, 19_200 * 5 + 2880
    speak(table, mouth, stage.ears[0].slots[0])
    assert texts(stage.heard()) == ["25", "26"]
    assert stage.ears[0].slots[0].owed == 2880


def test_a_first_syllable_that_came_out_of_order_is_sent_in_order():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say(QUIET, 6)
    mouth.skip()
    mouth.say()
    mouth.send(26, (0xFFFFF000 + 6 * FRAME) & 0xFFFFFFFF)
    speak(table, mouth, stage.ears[0].slots[0])
    heard = stage.heard()
    assert texts(heard) == ["23", "24", "25", "26", "27", "28"]
    assert [sequence for sequence, _, _, _ in heard] == list(range(0x7FF0, 0x7FF6))


def test_a_voice_that_begins_with_a_late_packet():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say(QUIET, 6)
    mouth.skip()
    mouth.say()
    slot = stage.ears[0].slots[0]
    table.stream.on_voice = lambda who, now: table.add_speaking(slot, now)
    mouth.send(26, (0xFFFFF000 + 6 * FRAME) & 0xFFFFFFFF, LOUD)
    heard = stage.heard()
    assert sorted(texts(heard)) == ["22", "23", "24", "25", "26", "27"]
    assert sorted(sequence for sequence, _, _, _ in heard) == list(range(0x7FF0, 0x7FF6))


def test_a_speaker_of_whom_nothing_is_kept_begins_with_this_packet():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    mouth.say()
    table.stream.ring.clear()
    speak(table, mouth, stage.ears[0].slots[0], 2)
    assert [(sequence, text) for sequence, _, _, text in stage.heard()] == [(0x7FF0, "ana:1:21"), (0x7FF1, "ana:1:22")]
    assert stage.ears[0].slots[0].owed == 0


def test_what_is_owed_already_leaves_less_for_the_next_syllable():
    stage = Stage()
    (one, ana), (other, ben) = stage.source("ana", first=20), stage.source("ben", 2, first=500)
    ana.say(QUIET, 10)
    ben.say(QUIET, 10)
    slot = stage.ears[0].slots[0]
    speak(one, ana, slot, 2)
    one.remove(slot)
    ben.now = ana.now
    speak(other, ben, slot, 2)
    heard = stage.heard()
    assert [sequence for sequence, _, _, _ in heard] == list(range(0x7FF0, 0x7FF0 + len(heard)))
    assert slot.owed <= PREROLL_SECONDS * OPUS_CLOCK + FRAME
    steps = [(b[1] - a[1]) & 0xFFFFFFFF for a, b in itertools.pairwise(heard)]
    assert min(steps) >= FRAME


def test_a_switch_in_the_middle_of_a_packet_leaves_no_gap():
    stage = Stage()
    (one, ana), (other, ben) = stage.source("ana", first=20), stage.source("ben", 2, first=500)
    slot = stage.ears[0].slots[0]
    one.add(slot)
    ana.say(LOUD, 3)

    def displaced(stream, now):
        one.remove(slot)
        other.add(slot)

    one.stream.on_voice = displaced
    ana.say(QUIET, 30)
    ben.say(LOUD, 3)
    heard = stage.heard()
    assert [sequence for sequence, _, _, _ in heard] == list(range(0x7FF0, 0x7FF0 + len(heard)))
    assert texts(heard)[-3:] == ["500", "501", "502"]


def test_without_a_route_a_slot_gets_nothing_and_counts_nothing():
    stage = Stage(ears=2)
    table, mouth = stage.source("ana", first=20)
    slot, later = stage.ears[0].slots[0], stage.ears[1].slots[0]
    later.route = None
    table.add(slot)
    table.add(later)
    mouth.say(packets=3)
    assert (slot.tally.totals()[0], later.tally.totals()) == (3, (0, 0))
    speak(table, mouth, Ear(stage.out, 9).slots[0])
    stage.batch.take()
    later.route = stage.ears[1].route
    table.rebuild()
    mouth.say(packets=2)
    heard = stage.heard(1)
    assert [marker for _, _, marker, _ in heard] == [True, False]
    assert later.tally.totals()[0] == 2


def test_removal_is_idempotent_and_clear_empties_the_table():
    stage = Stage(ears=2)
    table, mouth = stage.source("ana")
    for ear in stage.ears:
        table.add(ear.slots[0])
    mouth.say()
    table.remove(stage.ears[0].slots[0])
    table.remove(stage.ears[0].slots[0])
    table.clear()
    mouth.say()
    assert table.slots == []
    assert [ear.slots[0].tally.totals()[0] for ear in stage.ears] == [1, 1]
    assert [ear.slots[0].stream for ear in stage.ears] == [None, None]


def test_a_pause_in_which_nothing_is_owed_leaves_nothing_out():
    stage = Stage()
    table, mouth = stage.source("ana", first=20)
    table.add(stage.ears[0].slots[0])
    table.pause()
    mouth.say(QUIET, 5)
    table.pause()
    mouth.say(QUIET, 5)
    assert len(stage.heard()) == 10


@pytest.mark.parametrize(
    ("losses", "percentile"),
    [
        ([], 0.0),
        ([0.2], 0.2),
        ([0.0, 0.5], 0.5),
        ([0.1] * 9 + [0.9], 0.1),
        ([0.1] * 18 + [0.9] * 2, 0.1),
        ([0.1] * 17 + [0.9] * 3, 0.9),
    ],
)
def test_nine_in_ten_listeners_lose_no_more(losses, percentile):
    stage = Stage()
    table, _ = stage.source("ana")
    for number, lost in enumerate(losses):
        slot = Ear(stage.out, number).slots[0]
        slot.assign("ana", Delivery())
        table.add(slot)
        slot.attribution.delivery.fraction_lost, slot.attribution.delivery.reported_at = lost, 100.0
    silent, unassigned = Ear(stage.out, 98).slots[0], Ear(stage.out, 99).slots[0]
    silent.assign("ana", Delivery())
    table.add(silent)
    table.add(unassigned)
    assert table.loss_percentile(101.0) == percentile
    assert table.loss_percentile(100.0 + REPORT_AGE) == 0.0


# -- telephone events (RFC 4733) ------------------------------------------------------------------------------------

EVENTS = {"wide": EventFormat(110, 48_000), "narrow": EventFormat(101, 8_000), "none": None}


def keyed(table, mouth, packets=5, code=5):
    """One tone as a sender tells it: updates, and the end three times."""
    table.stream.on_event = lambda _, event, clock_rate, now: table.event(event, clock_rate)
    for number in range(1, packets):
        mouth.press(KeyPress(code, False, 10, 960 * number), marker=0x80 if number == 1 else 0)
    for _ in range(3):
        mouth.press(KeyPress(code, True, 10, 960 * packets))


def received(stage, ear):
    return [parse(data) for data in ear.hear(stage.sent)]


def test_rfc4733_an_event_goes_to_who_negotiated_it_and_nobody_misses_a_number():
    stage = Stage(ears=0)
    ears = {name: Ear(stage.out, number, events=form) for number, (name, form) in enumerate(EVENTS.items())}
    table, mouth = stage.source("ana", first=20)
    mouth.say()
    for ear in ears.values():
        ear.connect()
        table.add(ear.slots[0])
    mouth.say(packets=3)
    begun = mouth.timestamp
    keyed(table, mouth)
    mouth.say(packets=3)
    stage.sent = stage.batch.take()
    heard = {name: received(stage, ear) for name, ear in ears.items()}
    for name, form in EVENTS.items():
        packets = heard[name]
        assert [p.sequence for p in packets] == [(0x7FF0 + n) & 0xFFFF for n in range(13 if form else 6)]
        voice = [p for p in packets if p.payload_type == 96]
        assert [p.payload.decode().rpartition(":")[2] for p in voice] == ["21", "22", "23", "31", "32", "33"]
        steps = [(b.rtp_timestamp - a.rtp_timestamp) & 0xFFFFFFFF for a, b in itertools.pairwise(voice)]
        assert steps == [FRAME, FRAME, 8 * FRAME, FRAME, FRAME]
        assert ears[name].slots[0].tally.totals()[0] == len(packets)
        if form is None:
            continue
        events = [p for p in packets if p.payload_type == form.payload_type]
        assert len(events) == 7
        assert {(p.rtp_timestamp - voice[0].rtp_timestamp) & 0xFFFFFFFF for p in events} == {3 * FRAME}
        assert [p.marker for p in events] == [True] + [False] * 6
        ticks = form.clock_rate // 50
        ends = [bytes([5, 0x80 | 10, *(5 * ticks).to_bytes(2, "big")])] * 3
        updates = [bytes([5, 10, *(n * ticks).to_bytes(2, "big")]) for n in range(1, 5)]
        assert [p.payload for p in events] == [*updates, *ends]
    assert begun == mouth.pressed_at
    assert stage.out.failed == 0


def test_an_event_may_be_the_first_that_goes_through_a_slot():
    stage = Stage(ears=0)
    ear = Ear(stage.out, 0, events=EVENTS["wide"])
    ear.connect()
    table, mouth = stage.source("ana", first=20)
    table.add(ear.slots[0])
    keyed(table, mouth)
    mouth.say()
    stage.sent = stage.batch.take()
    packets = received(stage, ear)
    assert [p.sequence for p in packets] == [(0x7FF0 + n) & 0xFFFF for n in range(8)]
    assert (packets[0].marker, packets[0].rtp_timestamp) == (True, 0xFFFFF000)
    assert packets[-1].rtp_timestamp == (0xFFFFF000 + 7 * FRAME) & 0xFFFFFFFF


def test_an_event_ends_a_rest_and_a_late_one_of_before_it_is_dropped():
    stage = Stage(ears=0)
    ear = Ear(stage.out, 0, events=EVENTS["wide"])
    ear.connect()
    table, mouth = stage.source("ana", first=20)
    mouth.say(QUIET, 10)
    slot = ear.slots[0]
    speak(table, mouth, slot)
    while table.stream.voice.voiced:
        mouth.say(QUIET)
    assert slot.rested is not None
    mouth.say(QUIET)
    keyed(table, mouth)
    assert slot.rested is None
    mouth.say(QUIET, 3)
    stage.sent = stage.batch.take()
    packets = received(stage, ear)
    assert [p.sequence for p in packets] == [(0x7FF0 + n) & 0xFFFF for n in range(len(packets))]
    assert len({p.rtp_timestamp for p in packets if p.payload_type == 110}) == 1
    assert stage.out.failed == 0
