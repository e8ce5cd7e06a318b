from signaling.call.mute_memory import MuteMemory
from tests.signaling.fakes import House, pid


def test_flags_are_taken_back_once_and_only_where_they_were_set():
    memory = MuteMemory()
    memory.keep("lobby", "ana", {"mute": None, "deaf": 20.0})
    assert memory.take("hall", "ana", 10.0) == {}
    assert memory.take("lobby", "ben", 10.0) == {}
    assert memory.take("lobby", "ana", 10.0) == {"mute": None, "deaf": 20.0}
    assert memory.take("lobby", "ana", 10.0) == {}


def test_the_end_of_a_call_leaves_only_what_has_an_end():
    memory = MuteMemory()
    memory.keep("lobby", "ana", {"mute": None, "deaf": 20.0})
    memory.keep("lobby", "ben", {"mute": None})
    memory.keep("hall", "cem", {"mute": None})
    memory.call_ended("lobby")
    assert len(memory) == 2
    assert memory.take("lobby", "ana", 19.0) == {"deaf": 20.0}
    assert memory.take("hall", "cem", 19.0) == {"mute": None}


def test_what_has_ended_is_forgotten():
    memory = MuteMemory()
    memory.keep("lobby", "ana", {"mute": 20.0})
    assert memory.take("lobby", "ana", 20.0) == {}
    memory.keep("lobby", "ana", {"mute": 20.0})
    memory.keep("lobby", "ben", {"mute": 30.0, "deaf": 10.0})
    memory.forget_expired(20.0)
    assert len(memory) == 1


def test_past_the_bound_whoever_left_first_is_let_go():
    memory = MuteMemory(most=2)
    for identity in ("ana", "ben", "cem"):
        memory.keep("lobby", identity, {"mute": None})
    assert len(memory) == 2
    assert memory.take("lobby", "ana", 0.0) == {}
    memory.keep("lobby", "ben", {})
    assert memory.take("lobby", "ben", 0.0) == {}


def muted(house, boss, line, **more):
    house.say(boss, "moderate", {"action": "mute", "target": pid(line), **more})
    line.take()


def flags_of(house, line):
    return house.media.people[pid(line)]


def test_leaving_and_coming_back_undoes_no_mute():
    house = House()
    boss, (ana,) = house.enter("boss", room_admin=True), house.people("ana")
    muted(house, boss, ana)
    house.say(boss, "moderate", {"action": "deafen", "target": pid(ana)})
    house.say(ana, "leave")
    again = house.enter("ana")
    joined = again.take("joined")
    assert (joined["participant"]["mute"], joined["participant"]["deaf"]) == (True, True)
    assert (flags_of(house, again).mute, flags_of(house, again).deaf) == (True, True)
    house.say(boss, "moderate", {"action": "unmute", "target": pid(again)})
    house.say(again, "leave")
    assert not flags_of(house, house.enter("ana")).mute


def test_a_mute_for_a_time_ends_when_it_was_to_end_whoever_comes_and_goes():
    house = House()
    boss, (ana,) = house.enter("boss", room_admin=True), house.people("ana")
    muted(house, boss, ana, duration=60)
    for line in (ana, boss):
        house.say(line, "leave")
    house.tick(30)
    again = house.enter("ana")
    assert flags_of(house, again).mute
    again.take()
    house.tick(29)
    assert again.frames == []
    house.tick(2)
    assert again.types == ["moderated", "participant-updated"]
    assert not flags_of(house, again).mute


def test_a_mute_whose_time_is_over_does_not_wait_for_its_person():
    house = House()
    boss, (ana,) = house.enter("boss", room_admin=True), house.people("ana")
    muted(house, boss, ana, duration=60)
    house.say(ana, "leave")
    house.tick(61)
    assert len(house.talk.mutes_of_absent) == 0
    assert not flags_of(house, house.enter("ana")).mute


def test_a_mute_without_an_end_lasts_as_long_as_the_call():
    house = House()
    boss, (ana,) = house.enter("boss", room_admin=True), house.people("ana")
    muted(house, boss, ana)
    house.say(ana, "leave")
    house.say(boss, "leave")
    assert not flags_of(house, house.enter("ana")).mute


def test_who_comes_in_from_elsewhere_meanwhile_stays_muted():
    house = House()
    boss, (ana,) = house.enter("boss", room_admin=True), house.people("ana")
    muted(house, boss, ana)
    assert flags_of(house, house.enter("ana")).mute
