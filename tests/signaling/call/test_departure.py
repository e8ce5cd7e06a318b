from signaling.call.departure import depart
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


def test_the_hidden_depart_unseen() -> None:
    house = House()
    (ana,) = house.people("ana")
    spy = house.enter("spy", hidden=True)
    assert spy.session is not None
    depart(house.talk, house.talk.person(spy.session), "idle", house.now)
    assert ana.frames == []
