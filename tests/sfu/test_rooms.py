"""When a room is made and closed, and what the observer is told of it."""

from itertools import pairwise
from random import Random

import pytest

from sfu.dtmf import SILENT_SECONDS, KeyPress, Keys
from sfu.errors import UnknownParticipant
from sfu.listener import ParticipantJoined, RoomClosed
from sfu.room import LOSS_REVIEW_SECONDS, REVIEW_SECONDS
from sfu.rooms import Rooms
from sfu.selection import MuteFlags
from sfu.slot import Slot, SlotFormat
from sfu.slot_table import REPORT_AGE
from sfu.voice import HANGOVER
from tests.sfu.test_listener import Broken, Meter
from tests.support.clock import VirtualClock
from tests.support.ears import LOUD, QUIET, Mouth, stream_of
from tests.support.house import Recorder


@pytest.fixture
def observer():
    return Recorder()


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def rooms(observer, clock):
    return Rooms(observer, clock)


def test_a_room_is_made_once_and_closed_for_all_who_listen(rooms, clock):
    room, meter = rooms.make("hall"), Meter()
    assert rooms.make("hall") is room
    assert (len(rooms), list(rooms)) == (1, [room])
    clock.advance_to(1.0)
    rooms.attach("hall", meter)
    clock.advance_to(2.0)
    rooms.close(room, "empty")
    assert (len(rooms), meter.told) == (0, [(RoomClosed("empty"), 2.0)])
    assert rooms.make("hall") is not room


def test_a_room_without_participants_lasts_as_long_as_something_is_attached(rooms, clock):
    one, other = Meter(), Meter()
    clock.advance_to(1.0)
    rooms.attach("hall", one)
    clock.advance_to(1.0)
    rooms.attach("hall", other)
    clock.advance_to(2.0)
    rooms.detach("hall", one)
    assert len(rooms) == 1
    rooms.make("hall").add("ana", MuteFlags(), 3.0)
    clock.advance_to(4.0)
    rooms.detach("hall", other)
    assert len(rooms) == 1
    rooms.make("hall").remove("ana", 5.0)
    clock.advance_to(6.0)
    rooms.attach("hall", one)
    clock.advance_to(7.0)
    rooms.detach("hall", one)
    clock.advance_to(8.0)
    rooms.detach("hall", one)
    assert (len(rooms), one.told, other.told) == (0, [], [(ParticipantJoined("ana"), 3.0)])


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


def test_listeners_that_raise_are_counted(rooms, clock):
    clock.advance_to(0.0)
    rooms.attach("hall", Broken(ParticipantJoined))
    clock.advance_to(0.0)
    rooms.attach("cellar", Broken(RoomClosed))
    rooms.make("hall").add("ana", MuteFlags(), 1.0)
    rooms.tell_changed()
    clock.advance_to(2.0)
    rooms.close(rooms.make("cellar"), "empty")
    assert rooms.listener_failures == 2


# -- time -----------------------------------------------------------------------------------------------------------

TICK = 0.05


class Evening:
    """Rooms whose time goes by ticks of 50 ms, as that of the server, with a stream for each talker."""

    def __init__(self):
        self.observer = SpeakerLog()
        self.clock = VirtualClock()
        self.rooms = Rooms(self.observer, self.clock)
        self.visits = 0
        self.mouths = {}

    def join(self, room_id, name, *, slots=1, sends=True):
        room = self.rooms.make(room_id)
        room.add(name, MuteFlags(), self.now)
        room.set_slots(name, [Slot(SlotFormat(str(one), 111), one, 0, 0) for one in range(slots)], self.now)
        if sends:
            self.mouths[name] = Mouth(stream_of(name, len(self.mouths) + 1, now=self.now), self.now)
            room.add_stream(name, self.mouths[name].stream, self.now)
        self.rooms.tell_changed()
        return room

    @property
    def now(self):
        return self.clock.now

    def say(self, name, level=LOUD):
        """One packet of this talker now, as in a batch of datagrams."""
        self.mouths[name].now = self.now
        self.mouths[name].say(level)
        self.rooms.tell_changed()

    def wait(self, seconds, said=lambda now: None):
        """Let time pass; `said` is called every 10 ms."""
        for step in range(round(seconds * 100)):
            self.clock.advance_to(round(self.now + 0.01, 9))
            said(self.now)
            if step % 5 == 4:
                self.observer.now = self.now
                self.visits += sum(1 for _ in self.rooms.advance(self.now))


class SpeakerLog(Recorder):
    """Keeps each list of speakers, with its time."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.log = []

    def speakers_changed(self, room_id, speakers):
        self.log.append((self.now, room_id, [speaker.participant for speaker in speakers]))


def test_a_room_in_which_nobody_sends_is_not_visited():
    evening = Evening()
    for number in range(50):
        evening.join(f"room-{number}", f"ana-{number}", sends=False)
        evening.join(f"room-{number}", f"ben-{number}", sends=False)
    evening.wait(30.0)
    assert evening.visits == 0


def test_a_room_whose_streams_are_silent_is_visited_once_a_second_and_no_other():
    evening = Evening()
    evening.join("hall", "ana")
    evening.join("cellar", "ben", sends=False)
    evening.wait(30.0, lambda now: evening.say("ana", QUIET))
    assert 29 <= evening.visits <= 31


def test_a_speaker_is_silent_when_the_hangover_is_over_though_no_packet_comes():
    evening = Evening()
    room = evening.join("hall", "ana")
    evening.wait(1.0)
    evening.say("ana")
    spoken = evening.now
    evening.wait(0.1)
    assert evening.observer.log[-1][2] == ["ana"]
    evening.wait(HANGOVER - 0.1 - TICK)
    assert evening.mouths["ana"].stream.voice.voiced
    evening.wait(2 * TICK)
    assert not evening.mouths["ana"].stream.voice.voiced
    evening.wait(2.0)
    last, _, speakers = evening.observer.log[-1]
    assert speakers == []
    assert last - spoken <= HANGOVER + TICK + REVIEW_SECONDS
    assert [one.speaking for one in room.probe.read(evening.now)] == [False]


@pytest.mark.parametrize("end", ["mute", "leave", "stream"])
def test_a_speaker_who_is_muted_leaves_or_stops_speaks_no_longer(end):
    evening = Evening()
    room = evening.join("hall", "ana")
    evening.join("hall", "ben", sends=False)
    evening.wait(0.5, lambda now: evening.say("ana"))
    assert evening.observer.log[-1][2] == ["ana"]
    match end:
        case "mute":
            room.set_flags("ana", MuteFlags(mute=True), evening.now)
        case "leave":
            room.remove("ana", evening.now)
        case _:
            room.remove_stream("ana", evening.mouths["ana"].stream, evening.now)
    evening.rooms.tell(room)
    evening.wait(0.5)
    assert evening.observer.log[-1][2] == []


def test_speakers_are_told_at_most_five_times_a_second_however_levels_move():
    evening = Evening()
    evening.join("hall", "ana")
    chance = Random(1)
    evening.wait(10.0, lambda now: evening.say("ana", chance.randrange(20, 60)))
    times = [at for at, _, _ in evening.observer.log]
    assert 25 <= len(times) <= 10 / REVIEW_SECONDS + 1
    assert min(after - before for before, after in pairwise(times)) >= REVIEW_SECONDS - 0.001


def test_what_listeners_lose_is_reviewed_though_nobody_speaks():
    evening = Evening()
    evening.join("hall", "ana")
    room = evening.join("hall", "ben", sends=False)
    evening.wait(2.0, lambda now: evening.say("ana", QUIET))
    delivery = room.participants["ben"].deliveries["ana"]
    delivery.fraction_lost, delivery.reported_at = 0.25, evening.now
    room.participants["ana"].tables[evening.mouths["ana"].stream.id].add(room.participants["ben"].slots[0])
    evening.wait(LOSS_REVIEW_SECONDS + TICK)
    assert evening.mouths["ana"].stream.downlink_loss == 0.25
    evening.wait(REPORT_AGE + LOSS_REVIEW_SECONDS)
    assert evening.mouths["ana"].stream.downlink_loss == 0.0


def test_a_tone_whose_end_is_lost_is_told_though_nothing_more_comes():
    evening = Evening()
    evening.join("hall", "ana")
    evening.mouths["ana"].now = evening.now
    evening.mouths["ana"].press(KeyPress(5, False, 10, 960), marker=0x80)
    evening.rooms.tell_changed()
    evening.wait(SILENT_SECONDS + TICK)
    assert evening.observer.told == [("tone", "ana", "5", 0.02)]


def test_a_room_that_has_ended_is_visited_no_more():
    evening = Evening()
    room = evening.join("hall", "ana")
    evening.say("ana")
    room.remove("ana", evening.now)
    evening.rooms.tell(room)
    evening.rooms.close(room, "empty")
    evening.wait(3.0)
    assert evening.visits == 0


def test_a_participant_joins_one_room_and_leaves_it_and_the_last_one_ends_it(rooms):
    hall = rooms.join("hall", "ana", MuteFlags())
    assert (rooms.of("ana"), list(hall.participants)) == (hall, ["ana"])
    assert rooms.join("hall", "ben", MuteFlags()) is hall
    rooms.leave("ana")
    assert (list(rooms.participants), len(rooms)) == (["ben"], 1)
    rooms.leave("ben")
    assert (len(rooms.participants), len(rooms)) == (0, 0)
    for call in (rooms.of, rooms.leave):
        with pytest.raises(UnknownParticipant):
            call("ana")
