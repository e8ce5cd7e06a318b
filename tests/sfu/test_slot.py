import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.forward import NO_EXTENSION, extension_block
from sfu.rtcp import ReportBlock
from sfu.slot import Route, Slot, SlotFormat
from sfu.stream import InboundPacket
from tests.support.ears import FRAME, collecting_socket, stream_of

FORM = SlotFormat("0", 111, level_id=1, mid_id=2)
REPORT = ReportBlock(0xCAFE, 0, 0, 0, 0, 0, 0)


def slot_of(form=FORM, sequence=100, timestamp=5000):
    slot = Slot(form, 0xCAFE, sequence, timestamp)
    slot.route = Route("session", collecting_socket()[0], 77)
    return slot


def carried(slot, packet_sequence, packet_timestamp):
    """(sequence, timestamp, marker) under which a source's packet goes out."""
    _, _, target = slot.target()
    return (
        (packet_sequence + target.sequence_offset) & 0xFFFF,
        (packet_timestamp + target.timestamp_offset) & 0xFFFFFFFF,
        target.type_and_marker >> 7,
    )


def sent(slot, stream, sequence, timestamp, arrival):
    """Do as the slot table does with the newest packet of a stream; what goes out."""
    stream.highest, stream.highest_timestamp, stream.highest_arrival = sequence, timestamp, arrival
    if slot.fresh:
        slot.begin(sequence, timestamp, arrival)
    out = carried(slot, sequence, timestamp)
    slot.fresh = False
    return out


def packet(sequence, timestamp):
    return InboundPacket(sequence, timestamp)


def test_rfc3550_5_1_the_first_numbers_are_the_slot_s_own():
    slot, stream = slot_of(), stream_of("ana", first=9)
    slot.bind(stream, 9)
    assert sent(slot, stream, 9, 777, 1.0) == (100, 5000, 1)
    assert sent(slot, stream, 10, 777 + FRAME, 1.02) == (101, 5000 + FRAME, 0)
    assert slot.owed == 0


def test_rfc3551_4_1_a_switch_continues_the_sequence_and_moves_the_timestamp_by_the_time_between():
    slot, ana, ben = slot_of(), stream_of("ana", first=9), stream_of("ben", 2, first=60_000)
    slot.bind(ana, 9)
    sent(slot, ana, 9, 777, 1.0)
    slot.unbind()
    slot.bind(ben, 60_000)
    assert sent(slot, ben, 60_000, 123, 3.5) == (101, 5000 + 120_000, 1)
    assert slot.owed == 0


@pytest.mark.parametrize("after", [0.0, 0.005, 0.0199])
def test_a_switch_is_never_so_near_that_two_frames_overlap(after):
    slot, ana, ben = slot_of(), stream_of("ana", first=9), stream_of("ben", 2, first=60_000)
    slot.bind(ana, 9)
    sent(slot, ana, 9, 777, 1.0)
    slot.unbind()
    slot.bind(ben, 60_000)
    assert sent(slot, ben, 60_000, 123, 1.0 + after) == (101, 5000 + FRAME, 1)
    assert slot.owed == FRAME - round(after * 48000)


def test_what_is_owed_at_a_switch_is_given_back_by_it():
    slot, ana, ben = slot_of(), stream_of("ana", first=9), stream_of("ben", 2, first=60_000)
    slot.bind(ana, 9)
    sent(slot, ana, 9, 777, 1.0)
    slot.owed = 4 * FRAME
    slot.unbind()
    slot.bind(ben, 60_000)
    # 60 ms: one frame of them, and the other two are given back.
    assert sent(slot, ben, 60_000, 123, 1.06)[1] == 5000 + FRAME
    assert slot.owed == 2 * FRAME
    slot.unbind()
    slot.bind(ana, 10)
    assert sent(slot, ana, 10, 777 + FRAME, 2.06)[1] == 5000 + FRAME + 48_000 - 2 * FRAME
    assert slot.owed == 0


def test_a_binding_through_which_nothing_went_leaves_no_trace():
    slot, ana, ben = slot_of(), stream_of("ana", first=9), stream_of("ben", 2, first=60_000)
    slot.bind(ana, 9)
    sent(slot, ana, 9, 777, 1.0)
    slot.unbind()
    slot.bind(ben, 60_000)
    slot.unbind()
    slot.unbind()
    slot.bind(ana, 50)
    assert sent(slot, ana, 50, 777 + 48_000, 2.0) == (101, 5000 + 48_000, 1)


def owing(owed=4 * FRAME):
    """A slot whose speaker has just sent packet 20, and now pauses."""
    slot, ana = slot_of(), stream_of("ana", first=20)
    slot.bind(ana, 20)
    sent(slot, ana, 20, 0xFFFFFFF0, 1.0)
    slot.owed = owed
    slot.rest()
    return slot, ana


@pytest.mark.parametrize(
    ("frames", "voiced", "enough"), [(1, False, False), (4, False, False), (5, False, True), (1, True, True)]
)
def test_a_rest_lasts_until_all_is_given_back_or_the_speaker_goes_on(frames, voiced, enough):
    slot, _ = owing()
    later = packet(20 + frames, (0xFFFFFFF0 + frames * FRAME) & 0xFFFFFFFF)
    slot.resume(later, voiced=voiced)
    assert (slot.rested is None) is enough


@pytest.mark.parametrize(("frames", "owed", "step"), [(1, 4, 1), (3, 2, 1), (5, 0, 1), (20, 0, 16)])
def test_a_pause_gives_the_delay_back_without_a_gap_and_without_an_overlap(frames, owed, step):
    slot, _ = owing()
    timestamp = (0xFFFFFFF0 + frames * FRAME) & 0xFFFFFFFF
    slot.resume(packet(20 + frames, timestamp))
    assert (slot.rested, slot.base, slot.owed) == (None, 20 + frames, owed * FRAME)
    assert carried(slot, 20 + frames, timestamp) == (101, 5000 + step * FRAME, 0)


def test_a_late_packet_does_not_end_a_rest_but_is_sent_under_its_own_number():
    slot, ana = owing()
    slot.resume(packet(19, 0))
    slot.resume(packet(20, 0))
    assert slot.rested is not None
    assert slot.takes(20)
    assert not slot.takes(21)
    assert not slot.takes(19)
    ana.highest = 25
    slot.resume(packet(25, (0xFFFFFFF0 + 5 * FRAME) & 0xFFFFFFFF))
    assert [number for number in range(19, 28) if slot.takes(number)] == [25, 26, 27]


def test_a_timestamp_from_before_the_rest_gives_nothing_back():
    slot, _ = owing()
    slot.resume(packet(21, 0xFFFFF000), voiced=False)
    assert slot.rested is not None
    slot.resume(packet(21, 0xFFFFF000))
    assert slot.owed == 4 * FRAME


def test_outside_a_rest_there_is_nothing_to_end():
    slot = slot_of()
    slot.rest()
    slot.resume(packet(5, 5))
    assert (slot.rested, slot.base) == (None, 0)


def test_a_switch_in_a_rest_continues_from_before_it():
    slot, ana = owing()
    ana.highest, ana.highest_timestamp, ana.highest_arrival = 22, 2 * FRAME, 1.04
    slot.unbind()
    ben = stream_of("ben", 2, first=1)
    slot.bind(ben, 1)
    assert sent(slot, ben, 1, 1, 1.2) == (101, 5000 + 10 * FRAME - 4 * FRAME, 1)
    assert slot.owed == 0


def test_without_a_route_nothing_goes_through():
    slot, stream = Slot(FORM, 1, 2, 3), stream_of("ana", first=9)
    slot.bind(stream, 9)
    assert slot.target() is None
    assert not slot.takes(9)


def test_rfc8843_9_2_the_mid_is_sent_until_a_report_shows_that_it_is_known():
    slot, stream = slot_of(), stream_of("ana", first=9)
    slot.bind(stream, 9)
    assert slot.target()[1] == extension_block("0", 2, 1)
    assert slot.sends_mid
    slot.reported(REPORT, 0, 1.0)
    assert slot.target()[1] == extension_block(None, None, 1)
    assert not slot.sends_mid


@pytest.mark.parametrize(
    ("form", "before", "after"),
    [
        (SlotFormat("0", 96), NO_EXTENSION, NO_EXTENSION),
        (SlotFormat("0", 96, level_id=3), extension_block(None, None, 3), extension_block(None, None, 3)),
        (SlotFormat("0", 96, mid_id=4), extension_block("0", 4, None), NO_EXTENSION),
    ],
)
def test_only_what_was_negotiated_is_sent(form, before, after):
    slot, stream = slot_of(form), stream_of("ana", first=9)
    slot.bind(stream, 9)
    assert slot.target()[1] == before
    assert slot.sends_mid is (form.mid_id is not None)
    slot.reported(REPORT, 0, 1.0)
    assert slot.target()[1] == after
    assert slot.target()[2].type_and_marker == 96 | 0x80


def test_rfc3550_6_4_1_the_timestamp_of_a_sender_report_is_that_of_its_moment():
    slot, ana = slot_of(), stream_of("ana", first=9)
    assert slot.timestamp_at(50.0) == 5000
    slot.bind(ana, 9)
    assert slot.timestamp_at(50.0) == 5000
    sent(slot, ana, 9, 0xFFFFFFFF, 50.0)
    assert slot.timestamp_at(50.5) == 5000 + 24_000
    slot.unbind()
    assert slot.timestamp_at(51.0) == 5000 + 48_000


@dataclass
class Count:
    packets: int = 0
    octets: int = 0


def test_rfc3550_6_4_1_what_was_sent_is_counted_over_all_switches():
    slot = slot_of()
    assert slot.tally.totals() == (0, 0)
    one, other = Count(1000, 80_000), Count(7, 70)
    slot.tally.begin(one)
    one.packets, one.octets = 1003, 80_240
    slot.tally.correct(-1, -80)
    assert slot.tally.totals() == (2, 160)
    slot.tally.end()
    one.packets = 5000
    assert slot.tally.totals() == (2, 160)
    slot.tally.begin(other)
    other.packets, other.octets = 8, 90
    assert slot.tally.totals() == (3, 180)


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.floats(0, 10), st.integers(1, 30)), max_size=12
    )
)
def test_one_stream_that_never_restarts_whatever_the_sources_number(talks):
    slot, now, out = slot_of(), 1.0, []
    for number, (first, timestamp, pause, packets) in enumerate(talks):
        stream = stream_of("x", number, first=first)
        slot.bind(stream, first)
        now += pause
        for step in range(packets):
            out.append(sent(slot, stream, first + step, (timestamp + step * FRAME) & 0xFFFFFFFF, now))
            now += 0.02
        slot.unbind()
    assert [sequence for sequence, _, _ in out] == [(100 + number) & 0xFFFF for number in range(len(out))]
    steps = [(later - earlier) & 0xFFFFFFFF for (_, earlier, _), (_, later, _) in itertools.pairwise(out)]
    assert all(FRAME <= step <= 11 * 48_000 for step in steps)
    assert sum(marker for _, _, marker in out) == len(talks)


def test_a_packet_that_is_not_for_this_receiver_leaves_no_gap():
    slot, ana = slot_of(), stream_of("ana", first=9)
    slot.bind(ana, 9)
    sent(slot, ana, 9, 777, 1.0)
    for number in (10, 11):
        ana.highest = number
        slot.skip(number)
    assert sent(slot, ana, 12, 777 + 3 * FRAME, 1.06) == (101, 5000 + 3 * FRAME, 0)
    assert not slot.takes(9)
    slot.unbind()
    slot.bind(ana, 13)
    assert sent(slot, ana, 13, 777 + 4 * FRAME, 1.08)[0] == 102


def test_what_is_not_for_this_receiver_may_come_first():
    slot, ana = slot_of(), stream_of("ana", first=9)
    slot.bind(ana, 9)
    slot.skip(11)
    assert sent(slot, ana, 12, 777, 1.0) == (100, 5000, 1)


def test_in_a_rest_what_is_not_for_this_receiver_changes_nothing():
    slot, ana = owing()
    before = carried(slot, 0, 0)
    slot.skip(ana.highest + 1)
    assert carried(slot, 0, 0) == before


def test_rfc4733_2_5_1_6_packets_of_our_own_stand_between_those_of_the_stream():
    slot, ana = slot_of(), stream_of("ana", first=9)
    slot.bind(ana, 9)
    sent(slot, ana, 9, 777, 1.0)
    assert [slot.insert(5100, 1.01), slot.insert(5100, 1.01)] == [101, 102]
    assert sent(slot, ana, 10, 777 + FRAME, 1.02) == (103, 5000 + FRAME, 0)
    assert slot.insert(5100, 1.01) == 104
    assert not slot.takes(10), "its number is another's now"
    assert slot.takes(11)
    slot.unbind()
    slot.bind(ana, 11)
    assert sent(slot, ana, 11, 777 + 2 * FRAME, 1.04)[0] == 105


def test_packets_of_our_own_go_through_a_slot_that_has_no_stream_or_has_just_got_one():
    slot, ana = slot_of(), stream_of("ana", first=9)
    assert slot.timestamp_at(1.0) == 5000
    assert [slot.insert(5000, 1.0), slot.insert(5000, 1.0)] == [100, 101]
    assert slot.timestamp_at(1.5) == 5000 + 24_000
    slot.bind(ana, 9)
    assert slot.insert(29_000, 1.5) == 102
    assert sent(slot, ana, 9, 777, 1.6) == (103, 29_000 + 4800, 1)


def test_packets_of_our_own_go_through_a_slot_in_a_rest():
    slot, ana = owing()
    newest, _, _ = slot.rested
    number = slot.insert(1, 1.0)
    assert number & 0xFFFF == (carried(slot, newest, 0)[0]), "the offset has moved on with it"
    assert not slot.takes(newest)
    ana.highest = newest + 3
    slot.resume(packet(newest + 3, slot.rested[1] + 3 * FRAME))
    assert carried(slot, newest + 3, 0)[0] == (number + 1) & 0xFFFF
