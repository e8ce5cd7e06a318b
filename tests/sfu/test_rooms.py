"""When a room is made and closed, and what the observer is told of it."""

import pytest

from sfu.dtmf import Keys
from sfu.listener import ParticipantJoined, RoomClosed
from sfu.rooms import Rooms
from sfu.selection import MuteFlags
from sfu.slot import Slot, SlotFormat
from tests.sfu.test_listener import Broken, Meter
from tests.support.ears import LOUD, QUIET, Mouth, stream_of
from tests.support.house import Recorder


@pytest.fixture
def observer():
    return Recorder()


@pytest.fixture
def rooms(observer):
    return Rooms(observer)


def test_a_room_is_made_once_and_closed_for_all_who_listen(rooms):
    room, meter = rooms.make("hall"), Meter()
    assert rooms.make("hall") is room
    assert (len(rooms), list(rooms)) == (1, [room])
    rooms.attach("hall", meter, 1.0)
    rooms.close(room, "empty", 2.0)
    assert (len(rooms), meter.told) == (0, [(RoomClosed("empty"), 2.0)])
    assert rooms.make("hall") is not room


def test_a_room_without_participants_lasts_as_long_as_something_is_attached(rooms):
    one, other = Meter(), Meter()
    rooms.attach("hall", one, 1.0)
    rooms.attach("hall", other, 1.0)
    rooms.detach("hall", one, 2.0)
    assert len(rooms) == 1
    rooms.make("hall").add("ana", MuteFlags(), 3.0)
    rooms.detach("hall", other, 4.0)
    assert len(rooms) == 1
    rooms.make("hall").remove("ana", 5.0)
    rooms.attach("hall", one, 6.0)
    rooms.detach("hall", one, 7.0)
    rooms.detach("hall", one, 8.0)
    assert (len(rooms), one.told, other.told) == (0, [], [(ParticipantJoined("ana"), 3.0)])


def test_who_is_in_a_room_is_read_at_any_time_and_of_a_room_that_is_not_there_nobody(rooms):
    assert rooms.live("hall", 1.0) == []
    rooms.make("hall").add("ana", MuteFlags(), 1.0)
    assert [one.participant for one in rooms.live("hall", 2.0)] == ["ana"]
    assert len(rooms) == 1


def test_the_observer_is_told_of_slots_speakers_and_keys_once(rooms, observer):
    room = rooms.make("hall")
    for name in ("ana", "ben"):
        room.add(name, MuteFlags(), 0.0)
    room.set_slots("ben", [Slot(SlotFormat("7", 111), 1, 0, 0)], 0.0)
    mouth = Mouth(stream_of("ana"), 0.0)
    room.add_stream("ana", mouth.stream, 0.0)
    mouth.say(QUIET, 20)
    mouth.say(LOUD, 10)
    room.advance(0.7)
    room.tones.press("ana", Keys("5", 0.02), 0.7)
    room.tones.advance(0.8)
    rooms.tell_changed()
    assert (observer.slots, observer.speaking) == ({"ben": {"7": "ana"}}, ["ana"])
    assert observer.told == [("tone", "ana", "5", 0.02)]
    observer.slots.clear()
    rooms.tell_changed()
    assert (observer.slots, len(observer.told)) == ({}, 1)


def test_listeners_that_raise_are_counted(rooms):
    rooms.attach("hall", Broken(ParticipantJoined), 0.0)
    rooms.attach("cellar", Broken(RoomClosed), 0.0)
    rooms.make("hall").add("ana", MuteFlags(), 1.0)
    rooms.tell_changed()
    rooms.close(rooms.make("cellar"), "empty", 2.0)
    assert rooms.listener_failures == 2
