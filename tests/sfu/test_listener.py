"""The port through which a room is heard: all that it carries, and what a listener that raises does to the others."""

import logging

import pytest

from sfu.dtmf import KeyPress, Keys
from sfu.listener import (
    ClockReported,
    KeyPressed,
    ParticipantJoined,
    ParticipantLeft,
    RoomClosed,
    StreamBegan,
    StreamEnded,
    StreamMuted,
    StreamUnmuted,
)
from sfu.room import MediaRoom
from sfu.rtcp import SenderReport
from sfu.selection import MuteFlags
from sfu.slot_table import SlotTable
from tests.sfu.test_reports import reports
from tests.sfu.test_room import hall_of, speakers
from tests.support.ears import Mouth, stream_of

MUTED = MuteFlags(mute=True)


class Meter:
    """Only the two members of the port, and slots that allow no other attribute."""

    __slots__ = ("told",)

    def __init__(self):
        self.told = []

    def event(self, event, now):
        self.told.append((event, now))

    def packet(self, stream, packet, arrival):
        self.told.append((stream.id, packet.sequence, packet.payload, arrival))

    def take(self):
        told, self.told = self.told, []
        return told


class Deaf:
    """Wants events only."""

    packet = None

    def __init__(self):
        self.told = []

    def event(self, event, now):
        self.told.append(event)


class Broken:
    """Raises at what it is told to, and counts how often it was called."""

    def __init__(self, at):
        self.at = at
        self.calls = 0

    def event(self, event, now):
        self.calls += 1
        if type(event) is self.at:
            raise ValueError("no")

    def packet(self, stream, packet, arrival):
        self.calls += 1
        if self.at is Mouth:
            raise ValueError("no")


def attached(*listeners):
    room = MediaRoom("lobby")
    for listener in listeners:
        room.attach(listener, 0.0)
    return room


# -- what it carries ------------------------------------------------------------------------------------------------


def test_a_listener_is_told_of_people_streams_packets_and_mutes_in_order():
    meter = Meter()
    room = attached(meter)
    room.add("ana", MuteFlags(), 0.0)
    stream = stream_of("ana", first=5)
    room.add_stream("ana", stream, 1.0)
    Mouth(stream, now=2.0).say()
    room.set_flags("ana", MUTED, 3.0)
    Mouth(stream, now=3.5).say()
    room.set_flags("ana", MuteFlags(held=True), 3.6)
    room.set_flags("ana", MuteFlags(), 4.0)
    room.remove("ana", 5.0)
    room.close("empty", 6.0)
    assert meter.told == [
        (ParticipantJoined("ana"), 0.0),
        (StreamBegan(stream), 1.0),
        (1, 5, b"ana:1:5", 2.0),
        (StreamMuted(stream), 3.0),
        (StreamUnmuted(stream), 4.0),
        (StreamEnded(stream), 5.0),
        (ParticipantLeft("ana"), 5.0),
        (RoomClosed("empty"), 6.0),
    ]


def test_a_stream_says_whose_it_is_and_of_which_kind():
    stream = stream_of("ana")
    stream.payload_type = 111
    assert (stream.participant, stream.kind, stream.payload_type, stream.clock_rate) == ("ana", "audio", 111, 48_000)


def test_a_stream_of_a_muted_participant_begins_and_is_muted():
    meter = Meter()
    room = attached(meter)
    room.add("ana", MUTED, 0.0)
    stream = stream_of("ana")
    room.add_stream("ana", stream, 1.0)
    Mouth(stream, now=2.0).say()
    assert meter.told[1:] == [(StreamBegan(stream), 1.0), (StreamMuted(stream), 1.0)]
    assert stream.handlers == ()


def test_a_stream_that_takes_over_is_heard_from_its_first_packet_on():
    hall, meter = hall_of("ab"), Meter()
    hall.room.attach(meter, hall.now)
    hall.say()
    del meter.told[:]
    older = hall.mouths["a"].stream
    newer = hall.begin("a")
    heard = hall.say(packets=5)["b"]
    begun, *packets = [entry for entry in meter.told if entry[0] != hall.mouths["b"].stream.id]
    assert begun[0] == StreamBegan(newer)
    assert {stream_id for stream_id, *_ in packets} == {newer.id}
    assert len(packets) == 5, "each once, with those from before the takeover"
    assert (newer.active, older.active, len(heard)) == (True, False, 5)


def test_who_attaches_late_is_told_how_things_are():
    room, meter = MediaRoom("lobby"), Meter()
    streams = {}
    for name, flags in (("ana", MuteFlags()), ("ben", MUTED), ("cleo", MuteFlags())):
        room.add(name, flags, 0.0)
        if name != "cleo":
            streams[name] = stream_of(name)
            room.add_stream(name, streams[name], 0.0)
    room.attach(meter, 7.0)
    assert meter.take() == [
        (ParticipantJoined("ana"), 7.0),
        (StreamBegan(streams["ana"]), 7.0),
        (ParticipantJoined("ben"), 7.0),
        (StreamBegan(streams["ben"]), 7.0),
        (StreamMuted(streams["ben"]), 7.0),
        (ParticipantJoined("cleo"), 7.0),
    ]
    Mouth(streams["ana"], now=8.0).say()
    room.detach(meter)
    Mouth(streams["ana"], now=9.0).say()
    room.close("empty", 9.0)
    assert [arrival for *_, arrival in meter.take()] == [8.0]


def test_keys_are_told_once_when_they_are_over_by_rtp_and_by_message():
    meter = Meter()
    room = attached(meter)
    room.add("ana", MuteFlags(), 0.0)
    stream = stream_of("ana")
    room.add_stream("ana", stream, 0.0)
    mouth = Mouth(stream, now=1.0)
    for number, duration in enumerate((960, 1920, 2880)):
        mouth.press(KeyPress(5, end=number == 2, volume=10, duration=duration), marker=0x80 if not number else 0)
    room.tones.press("ana", Keys("#", 0.04), 2.0)
    for now in (2.0, 2.02, 2.04, 2.06):
        room.tones.advance(now)
    keys = [(event, now) for event, now in meter.told if isinstance(event, KeyPressed)]
    assert keys == [(KeyPressed("ana", "5", 0.06), pytest.approx(1.04)), (KeyPressed("ana", "#", 0.04), 2.04)]


@pytest.mark.parametrize("flags", [MuteFlags(), MUTED])
def test_rfc3550_6_4_1_each_pair_of_clocks_of_a_sender_report_is_told(flags):
    meter = Meter()
    room = attached(meter)
    room.add("ana", flags, 0.0)
    stream = stream_of("ana")
    room.add_stream("ana", stream, 0.0)
    rtcp, meter.told = reports(), []
    for second in (1, 2):
        report = SenderReport(stream.ssrc, second << 32, 48_000 * second, 1, 80)
        rtcp.take([report], {stream.ssrc: stream}, {}, second + 0.5)
    assert meter.take() == [(ClockReported(stream, s << 32, 48_000 * s), s + 0.5) for s in (1, 2)]
    room.remove_stream("ana", stream, 3.0)
    rtcp.take([report], {stream.ssrc: stream}, {}, 4.0)
    assert meter.told == [(StreamEnded(stream), 3.0)]


# -- what it costs --------------------------------------------------------------------------------------------------


def test_nothing_but_the_slots_takes_packets_where_nothing_is_attached_that_wants_them():
    hall = hall_of("ab")
    deaf, meter = Deaf(), Meter()
    hall.room.attach(deaf, hall.now)
    (handler,) = hall.mouths["a"].stream.handlers
    assert isinstance(handler.__self__, SlotTable)
    hall.room.attach(meter, hall.now)
    assert len(hall.mouths["a"].stream.handlers) == 2
    hall.begin("a")
    assert [type(event) for event in deaf.told] == [ParticipantJoined, StreamBegan] * 2 + [StreamBegan]


# -- a listener that raises -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "calls"),
    [(ParticipantJoined, 1), (StreamBegan, 2), (Mouth, 5), (StreamMuted, 9), (StreamEnded, 19)],
)
def test_a_listener_that_raises_is_detached_and_logged_and_nobody_else_notices(at, calls, caplog):
    hall = hall_of("ab")
    before, broken, after = Meter(), Broken(at), Meter()
    for listener in (before, broken, after):
        hall.room.attach(listener, hall.now)
    with caplog.at_level(logging.ERROR):
        assert speakers(hall.say(packets=2)) == {"a": "b", "b": "a"}
        hall.flags("a", MUTED)
        assert speakers(hall.say()) == {"a": "b"}
        hall.flags("a", MuteFlags())
        hall.begin("a")
        # Her second stream takes over with its third packet.
        assert speakers(hall.say(packets=3)) == {"a": "b", "b": "a"}
        hall.room.remove("a", hall.now)
    assert before.told == after.told
    assert [event for event, *_ in before.told][-1] == ParticipantLeft("a")
    assert broken.calls == calls
    assert list(hall.room.listeners) == [before, after]
    assert hall.room.take_changes().failures == 1
    ((_, level, text),) = caplog.record_tuples
    assert (level, text) == (logging.ERROR, "Broken raised and is detached from its room")
    assert caplog.records[0].exc_info[0] is ValueError


def test_a_listener_that_raises_as_the_room_ends_keeps_no_other_from_hearing_of_it():
    broken, meter = Broken(RoomClosed), Meter()
    room = attached(broken, meter)
    room.close("empty", 1.0)
    assert (meter.told, len(room.listeners)) == ([(RoomClosed("empty"), 1.0)], 0)


def test_a_listener_may_detach_itself_while_it_is_told():
    room = MediaRoom("lobby")

    class Once(Meter):
        __slots__ = ()

        def event(self, event, now):
            super().event(event, now)
            room.detach(self)

    one, other = Once(), Meter()
    room.attach(one, 0.0)
    room.attach(other, 0.0)
    room.add("ana", MuteFlags(), 1.0)
    room.add("ben", MuteFlags(), 2.0)
    assert (len(one.told), len(other.told), room.take_changes().failures) == (1, 2, 0)
