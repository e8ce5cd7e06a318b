from dataclasses import replace

from sfu.selection import MuteFlags
from signaling.call.floor import adopt, set_floor
from signaling.call.rooms import RoomPolicy
from tests.signaling.fakes import FakeServer, pid

MODERATED = RoomPolicy(version=1, is_moderated=True)


def test_the_floor_is_given_and_taken_in_the_media_path_at_once() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    adopt(server.conversation, "lobby", MODERATED)
    assert [frame["payload"]["participant"]["suppressed"] for frame in ana.take()] == [True, True]
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    set_floor(server.conversation, room, "ana", True)
    assert not ana.take("participant-updated")["participant"]["suppressed"]
    assert server.media.people[pid(ana)] == MuteFlags()
    assert server.media.people[pid(ben)] == MuteFlags(suppressed=True)
    set_floor(server.conversation, room, "ana", False)
    assert server.media.people[pid(ana)] == MuteFlags(suppressed=True)


def test_the_floor_waits_for_who_left_and_comes_back() -> None:
    server = FakeServer()
    ana, _ = server.people("ana", "ben")
    adopt(server.conversation, "lobby", MODERATED)
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    server.say(ana, "leave")
    set_floor(server.conversation, room, "ana", True)
    ana.take()
    server.say(ana, "join", {"room": "lobby"})
    assert not ana.take("joined")["participant"]["suppressed"]
    set_floor(server.conversation, room, "ana", None)
    assert server.media.people[pid(ana)].suppressed


def test_whom_the_token_silences_nobody_gives_the_floor() -> None:
    server = FakeServer()
    ana = server.enter("ana", can_publish=False)
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    set_floor(server.conversation, room, "ana", True)
    assert server.media.people[pid(ana)].suppressed


def test_only_newer_rules_are_adopted_and_an_empty_room_has_none() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    adopt(server.conversation, "elsewhere", MODERATED)
    adopt(server.conversation, "lobby", replace(MODERATED, version=2))
    adopt(server.conversation, "lobby", replace(MODERATED, version=2, is_moderated=False))
    assert server.media.people[pid(ana)].suppressed
    adopt(server.conversation, "lobby", replace(MODERATED, version=3, is_moderated=False))
    assert not server.media.people[pid(ana)].suppressed


def test_moderators_give_and_take_the_floor_and_the_person_is_told() -> None:
    server = FakeServer()
    ana = server.enter("ana")
    max_ = server.enter("max", role="moderator")
    ana.take()
    server.say(max_, "moderate", {"action": "take_floor", "target": pid(ana), "reason": "enough"})
    assert [frame["type"] for frame in ana.frames] == ["moderated", "participant-updated"]
    assert ana.take("moderated")["action"] == "take_floor"
    assert server.media.people[pid(ana)] == MuteFlags(suppressed=True)
    server.say(max_, "moderate", {"action": "give_floor", "target": pid(ana)})
    assert server.media.people[pid(ana)] == MuteFlags()
    server.say(ana, "moderate", {"action": "take_floor", "target": pid(max_)})
    assert ana.take("error")["code"] == "forbidden"


def test_a_floor_that_was_given_for_a_time_ends_by_itself_and_so_does_a_silence() -> None:
    server = FakeServer()
    ana = server.enter("ana")
    max_ = server.enter("max", role="moderator")
    server.say(max_, "moderate", {"action": "take_floor", "target": pid(ana), "duration": 60})
    ana.take()
    server.tick(59)
    assert server.media.people[pid(ana)].suppressed
    server.tick(2)
    assert not server.media.people[pid(ana)].suppressed
    assert ana.take("moderated") == {"action": "give_floor", "by": None, "reason": None}
    adopt(server.conversation, "lobby", MODERATED)
    server.say(max_, "moderate", {"action": "give_floor", "target": pid(ana), "duration": 60})
    ana.take()
    server.tick(61)
    assert ana.take("moderated")["action"] == "take_floor"
    assert server.media.people[pid(ana)].suppressed


def test_the_end_of_a_floor_of_who_has_left_is_nobodys_business() -> None:
    server = FakeServer()
    ana = server.enter("ana")
    max_ = server.enter("max", role="moderator")
    server.say(max_, "moderate", {"action": "take_floor", "target": pid(ana), "duration": 60})
    server.say(ana, "leave")
    server.tick(61)
    server.say(ana, "join", {"room": "lobby"})
    assert not server.media.people[pid(ana)].suppressed


def test_who_owns_the_room_is_its_owner_at_once_and_who_did_is_what_the_token_says() -> None:
    server = FakeServer()
    owned = RoomPolicy(version=1, owner="ana", is_moderated=True)
    ana, ben = server.people("ana", "ben")
    mia = server.enter("mia", role="moderator")
    adopt(server.conversation, "lobby", owned)
    server.say(ana, "mute")
    (told,) = {frame["payload"]["participant"]["role"] for frame in mia.take() if frame["type"] == "participant-updated"
               and frame["payload"]["participant"]["identity"] == "ana"}  # fmt: skip
    assert told == "owner"
    assert not server.media.people[pid(ana)].suppressed
    assert server.media.people[pid(ben)].suppressed
    adopt(server.conversation, "lobby", replace(owned, version=2, owner="mia"))
    assert server.media.people[pid(ana)].suppressed
    ana.take()
    server.say(ana, "moderate", {"action": "kick", "target": pid(ben)})
    assert ana.take("error")["code"] == "forbidden"
    adopt(server.conversation, "lobby", replace(owned, version=3, owner=None))
    roles = {person.identity: person.role for room in server.conversation.rooms for person in room}
    assert roles == {"ana": "member", "ben": "member", "mia": "moderator"}
