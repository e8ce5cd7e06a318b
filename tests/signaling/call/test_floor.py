from dataclasses import replace

from sfu.selection import MuteFlags
from signaling.call.floor import adopt, set_floor
from signaling.call.room_policy import RoomPolicy
from tests.signaling.fakes import House, pid

MODERATED = RoomPolicy(version=1, is_moderated=True)


def test_the_floor_is_given_and_taken_in_the_media_path_at_once() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    adopt(house.talk, "lobby", MODERATED)
    assert [frame["payload"]["participant"]["suppressed"] for frame in ana.take()] == [True, True]
    room = house.talk.rooms.find("lobby")
    assert room is not None
    set_floor(house.talk, room, "ana", True)
    assert not ana.take("participant-updated")["participant"]["suppressed"]
    assert house.media.people[pid(ana)] == MuteFlags()
    assert house.media.people[pid(ben)] == MuteFlags(suppressed=True)
    set_floor(house.talk, room, "ana", False)
    assert house.media.people[pid(ana)] == MuteFlags(suppressed=True)


def test_the_floor_waits_for_who_left_and_comes_back() -> None:
    house = House()
    ana, _ = house.people("ana", "ben")
    adopt(house.talk, "lobby", MODERATED)
    room = house.talk.rooms.find("lobby")
    assert room is not None
    house.say(ana, "leave")
    set_floor(house.talk, room, "ana", True)
    ana.take()
    house.say(ana, "join", {"room": "lobby"})
    assert not ana.take("joined")["participant"]["suppressed"]
    set_floor(house.talk, room, "ana", None)
    assert house.media.people[pid(ana)].suppressed


def test_whom_the_token_silences_nobody_gives_the_floor() -> None:
    house = House()
    ana = house.enter("ana", can_publish=False)
    room = house.talk.rooms.find("lobby")
    assert room is not None
    set_floor(house.talk, room, "ana", True)
    assert house.media.people[pid(ana)].suppressed


def test_only_newer_rules_are_adopted_and_an_empty_room_has_none() -> None:
    house = House()
    (ana,) = house.people("ana")
    adopt(house.talk, "elsewhere", MODERATED)
    adopt(house.talk, "lobby", replace(MODERATED, version=2))
    adopt(house.talk, "lobby", replace(MODERATED, version=2, is_moderated=False))
    assert house.media.people[pid(ana)].suppressed
    adopt(house.talk, "lobby", replace(MODERATED, version=3, is_moderated=False))
    assert not house.media.people[pid(ana)].suppressed


def test_moderators_give_and_take_the_floor_and_the_person_is_told() -> None:
    house = House()
    ana = house.enter("ana")
    max_ = house.enter("max", role="moderator")
    ana.take()
    house.say(max_, "moderate", {"action": "take_floor", "target": pid(ana), "reason": "enough"})
    assert [frame["type"] for frame in ana.frames] == ["moderated", "participant-updated"]
    assert ana.take("moderated")["action"] == "take_floor"
    assert house.media.people[pid(ana)] == MuteFlags(suppressed=True)
    house.say(max_, "moderate", {"action": "give_floor", "target": pid(ana)})
    assert house.media.people[pid(ana)] == MuteFlags()
    house.say(ana, "moderate", {"action": "take_floor", "target": pid(max_)})
    assert ana.take("error")["code"] == "forbidden"


def test_a_floor_that_was_given_for_a_time_ends_by_itself_and_so_does_a_silence() -> None:
    house = House()
    ana = house.enter("ana")
    max_ = house.enter("max", role="moderator")
    house.say(max_, "moderate", {"action": "take_floor", "target": pid(ana), "duration": 60})
    ana.take()
    house.tick(59)
    assert house.media.people[pid(ana)].suppressed
    house.tick(2)
    assert not house.media.people[pid(ana)].suppressed
    assert ana.take("moderated") == {"action": "give_floor", "by": None, "reason": None}
    adopt(house.talk, "lobby", MODERATED)
    house.say(max_, "moderate", {"action": "give_floor", "target": pid(ana), "duration": 60})
    ana.take()
    house.tick(61)
    assert ana.take("moderated")["action"] == "take_floor"
    assert house.media.people[pid(ana)].suppressed


def test_the_end_of_a_floor_of_who_has_left_is_nobodys_business() -> None:
    house = House()
    ana = house.enter("ana")
    max_ = house.enter("max", role="moderator")
    house.say(max_, "moderate", {"action": "take_floor", "target": pid(ana), "duration": 60})
    house.say(ana, "leave")
    house.tick(61)
    house.say(ana, "join", {"room": "lobby"})
    assert not house.media.people[pid(ana)].suppressed


def test_who_owns_the_room_is_its_owner_at_once_and_who_did_is_what_the_token_says() -> None:
    house = House()
    owned = RoomPolicy(version=1, owner="ana", is_moderated=True)
    ana, ben = house.people("ana", "ben")
    mia = house.enter("mia", role="moderator")
    adopt(house.talk, "lobby", owned)
    house.say(ana, "mute")
    (told,) = {frame["payload"]["participant"]["role"] for frame in mia.take() if frame["type"] == "participant-updated"
               and frame["payload"]["participant"]["identity"] == "ana"}  # fmt: skip
    assert told == "owner"
    assert not house.media.people[pid(ana)].suppressed
    assert house.media.people[pid(ben)].suppressed
    adopt(house.talk, "lobby", replace(owned, version=2, owner="mia"))
    assert house.media.people[pid(ana)].suppressed
    ana.take()
    house.say(ana, "moderate", {"action": "kick", "target": pid(ben)})
    assert ana.take("error")["code"] == "forbidden"
    adopt(house.talk, "lobby", replace(owned, version=3, owner=None))
    roles = {person.identity: person.role for room in house.talk.rooms for person in room}
    assert roles == {"ana": "member", "ben": "member", "mia": "moderator"}
