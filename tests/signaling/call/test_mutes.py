from signaling.call.mutes import MuteMemory, TimedFlags
from tests.signaling.fakes import FakeServer, pid


def test_each_flag_is_due_once_and_in_order() -> None:
    flags = TimedFlags()
    flags.set("ana", "mute", 20.0)
    flags.set("ana", "deaf", 10.0)
    flags.set("ben", "mute", 30.0)
    assert list(flags.take_due(9.9)) == []
    assert list(flags.take_due(20.0)) == [("ana", "deaf"), ("ana", "mute")]
    assert list(flags.take_due(20.0)) == []
    assert len(flags) == 1


def test_when_a_flag_ends_can_be_asked() -> None:
    flags = TimedFlags()
    flags.set("ana", "mute", 20.0)
    assert (flags.ends("ana", "mute"), flags.ends("ana", "deaf")) == (20.0, None)


def test_what_is_set_again_forgets_its_former_time() -> None:
    flags = TimedFlags()
    flags.set("ana", "mute", 10.0)
    flags.set("ana", "mute", 20.0)
    assert list(flags.take_due(10.0)) == []
    assert list(flags.take_due(20.0)) == [("ana", "mute")]
    flags.set("ana", "mute", 30.0)
    flags.set("ana", "mute", None)
    flags.set("ben", "deaf", None)
    assert list(flags.take_due(40.0)) == []
    assert len(flags) == 0


def test_of_those_who_left_nothing_is_due_and_nothing_is_kept() -> None:
    flags = TimedFlags()
    for number in range(1000):
        flags.set(f"p{number}", "mute", 1000.0 + number)
        flags.set(f"p{number}", "deaf", 10.0)
        flags.forget(f"p{number}")
    assert len(flags) == 0
    assert len(flags._order) <= 70
    assert list(flags.take_due(5000.0)) == []


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


def muted(server, boss, line, **more):
    server.say(boss, "moderate", {"action": "mute", "target": pid(line), **more})
    line.take()


def flags_of(server, line):
    return server.media.people[pid(line)]


def test_leaving_and_coming_back_undoes_no_mute():
    server = FakeServer()
    boss, (ana,) = server.enter("boss", room_admin=True), server.people("ana")
    muted(server, boss, ana)
    server.say(boss, "moderate", {"action": "deafen", "target": pid(ana)})
    server.say(ana, "leave")
    again = server.enter("ana")
    joined = again.take("joined")
    assert (joined["participant"]["mute"], joined["participant"]["deaf"]) == (True, True)
    assert (flags_of(server, again).mute, flags_of(server, again).deaf) == (True, True)
    server.say(boss, "moderate", {"action": "unmute", "target": pid(again)})
    server.say(again, "leave")
    assert not flags_of(server, server.enter("ana")).mute


def test_a_mute_for_a_time_ends_when_it_was_to_end_whoever_comes_and_goes():
    server = FakeServer()
    boss, (ana,) = server.enter("boss", room_admin=True), server.people("ana")
    muted(server, boss, ana, duration=60)
    for line in (ana, boss):
        server.say(line, "leave")
    server.tick(30)
    again = server.enter("ana")
    assert flags_of(server, again).mute
    again.take()
    server.tick(29)
    assert again.frames == []
    server.tick(2)
    assert again.types == ["moderated", "participant-updated"]
    assert not flags_of(server, again).mute


def test_a_mute_whose_time_is_over_does_not_wait_for_its_person():
    server = FakeServer()
    boss, (ana,) = server.enter("boss", room_admin=True), server.people("ana")
    muted(server, boss, ana, duration=60)
    server.say(ana, "leave")
    server.tick(61)
    assert len(server.conversation.mutes_of_absent) == 0
    assert not flags_of(server, server.enter("ana")).mute


def test_a_mute_without_an_end_lasts_as_long_as_the_call():
    server = FakeServer()
    boss, (ana,) = server.enter("boss", room_admin=True), server.people("ana")
    muted(server, boss, ana)
    server.say(ana, "leave")
    server.say(boss, "leave")
    assert not flags_of(server, server.enter("ana")).mute


def test_who_comes_in_from_elsewhere_meanwhile_stays_muted():
    server = FakeServer()
    boss, (ana,) = server.enter("boss", room_admin=True), server.people("ana")
    muted(server, boss, ana)
    assert flags_of(server, server.enter("ana")).mute
