from unittest.mock import Mock, call

from signaling.call.chronicle import LoggedChronicle
from signaling.call.departure import depart
from signaling.call.records import Records
from tests.signaling.fakes import House, pid


def test_whoever_departs_is_out_of_the_room_and_off_the_media_server_and_the_others_know() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    who = pid(ana)
    assert ana.session is not None
    message = depart(house.talk, house.talk.person(ana.session), "idle", house.now)
    assert (message.type, ana.frames, ana.session.participant_id) == ("participant-left", [], None)
    assert ben.take("participant-left") == {"participant": who, "reason": "idle"}
    assert house.media.removed == [who]
    assert house.talk.rooms.participant(who) is None


def test_a_mute_for_a_time_is_forgotten_with_whoever_it_was_for() -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    (ana,) = house.people("ana")
    house.say(boss, "moderate", {"action": "mute", "target": pid(ana), "duration": 60})
    assert len(house.talk.timed_flags) == 1
    house.say(ana, "leave")
    assert len(house.talk.timed_flags) == 0


def test_coming_and_going_is_written_down() -> None:
    house = House()
    book = Mock(spec=LoggedChronicle)
    house.talk.records = Records(chronicle=book)
    ana = house.enter("ana")
    who = pid(ana)
    person, room = house.talk.rooms.participant(who), house.talk.rooms.find("lobby")
    assert room is not None
    house.say(ana, "leave")
    assert book.mock_calls == [
        call.joined(person, room.call, "192.0.2.1", "Tests/1.0"),
        call.left(who, "client_initiated", house.utc()),
    ]


def test_a_server_that_goes_down_writes_that_everybody_has_left() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    book = Mock(spec=LoggedChronicle)
    house.talk.records = Records(chronicle=book)
    house.talk.shut_down()
    utc = house.utc()
    assert book.mock_calls == [call.left(pid(one), "server_shutdown", utc) for one in (ana, ben)]


def test_the_hidden_depart_unseen() -> None:
    house = House()
    (ana,) = house.people("ana")
    spy = house.enter("spy", hidden=True)
    assert spy.session is not None
    depart(house.talk, house.talk.person(spy.session), "idle", house.now)
    assert ana.frames == []
