"""Who is in a room, who speaks and what each sends, as a probe reads it; in virtual time."""

import pytest

from sfu.observer import Speaker
from sfu.probe import Probe, Reading
from sfu.selection import MuteFlags
from tests.sfu.test_bad_network import Call
from tests.sfu.test_room import MUTED, OPEN, hall_of
from tests.support.ears import LOUD, QUIET

SILENT = 10 ** (-QUIET / 20)
SPOKEN = 10 ** (-LOUD / 20)


def read(hall):
    return hall.room.probe.read(hall.now)


def test_an_empty_room_has_nobody_in_it():
    assert Probe().read(1.0) == []
    assert (Probe().speakers(), Probe().levels()) == ([], {})


def test_who_is_there_without_a_stream_is_there_and_says_nothing():
    hall = hall_of("ab", speaks=False)
    assert read(hall) == [Reading("a", False, 0.0, 0.0), Reading("b", False, 0.0, 0.0)]
    hall.room.remove("a", hall.now)
    assert [one.participant for one in read(hall)] == ["b"]


def test_who_speaks_and_how_loudly_is_read_at_any_time():
    hall = hall_of("abc")
    hall.say("a", 100)
    ana, ben, _ = read(hall)
    assert (ana.speaking, ben.speaking) == (True, False)
    assert ana.level == pytest.approx(SPOKEN, rel=0.05)
    assert ben.level == pytest.approx(SILENT, rel=0.2)
    assert read(hall) == [ana, ben, read(hall)[2]], "reading changes nothing"


def test_packets_a_second_are_those_of_the_last_second_or_two():
    hall = hall_of("ab")
    hall.say("", 3)
    assert read(hall)[0].packets_per_second == pytest.approx(50), "from the first packets on"
    hall.say("", 300)
    assert [one.packets_per_second for one in read(hall)] == pytest.approx([50, 50], rel=0.02)
    silent = hall.mouths.pop("a")
    hall.say("", 50)
    assert 15 < read(hall)[0].packets_per_second < 35
    hall.say("", 60)
    assert (read(hall)[0].packets_per_second, read(hall)[0].level) == (0.0, 0.0)
    hall.mouths["a"] = silent
    hall.say("", 110)
    assert read(hall)[0].packets_per_second == pytest.approx(50, rel=0.05)


def test_what_a_muted_participant_sends_is_counted_and_never_heard():
    hall = hall_of("ab")
    hall.say("a", 100)
    hall.flags("a", MUTED)
    hall.say("a", 100)
    assert read(hall)[0] == Reading("a", False, 0.0, pytest.approx(50, rel=0.05))
    hall.flags("a", OPEN)
    hall.say("a", 5)
    assert read(hall)[0].speaking


def test_all_streams_of_a_participant_count():
    hall = hall_of("ab")
    older = hall.mouths["a"]
    hall.begin("a")
    hall.mouths["a, too"] = older
    hall.say(["a, too"], 100)
    ana, _ = read(hall)
    assert (ana.speaking, ana.packets_per_second) == (True, pytest.approx(100, rel=0.05))
    assert ana.level == pytest.approx(SPOKEN, rel=0.05)
    hall.room.remove_stream("a", older.stream, hall.now)
    del hall.mouths["a, too"]
    assert (read(hall)[0].speaking, read(hall)[0].packets_per_second) == (False, pytest.approx(50, rel=0.05))


def test_speakers_are_told_once_and_the_louder_of_two_streams_counts():
    hall = hall_of("abc")
    probe = hall.room.probe
    hall.say("", 30)
    older = hall.mouths["a"]
    hall.begin("a")
    hall.mouths["a, too"] = older
    for mouth, level in ((hall.mouths["a"], 50), (older, 20), (hall.mouths["b"], 35)):
        for _ in range(40):
            mouth.now = hall.now
            mouth.say(level)
    told = probe.speakers()
    assert told == [Speaker("a", pytest.approx(0.1, rel=0.05)), Speaker("b", pytest.approx(10 ** (-35 / 20), rel=0.05))]
    assert probe.speakers() == told
    assert probe.levels() == {"a": 36, "b": 31}
    hall.room.remove("b", hall.now)
    assert [speaker.participant for speaker in probe.speakers()] == ["a"]


def test_a_room_that_has_ended_has_nobody_in_it():
    hall = hall_of("ab")
    hall.room.close("empty", hall.now)
    assert read(hall) == []


def test_over_a_network_that_loses_packets_those_that_come_are_counted():
    call = Call(["ana", "ben"])
    call.play(10.0)
    probe = call.server.room.probe
    assert [one.packets_per_second for one in probe.read(10.0)] == pytest.approx([50, 50], rel=0.05)
    assert all(one.speaking and one.level == pytest.approx(SPOKEN, rel=0.1) for one in probe.read(10.0))
    call.wire.loss = 0.2
    call.play(20.0)
    assert [one.packets_per_second for one in probe.read(20.0)] == pytest.approx([40, 40], rel=0.25)
    call.server.room.set_flags("ana", MuteFlags(held=True), 20.0)
    call.play(22.0)
    assert [one.speaking for one in probe.read(22.0)] == [False, True]
