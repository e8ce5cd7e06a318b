import pytest

from tests.signaling.fakes import House, pid


@pytest.mark.parametrize(("do", "undo", "flag"), [("mute", "unmute", "mute"), ("deafen", "undeafen", "deaf")])
def test_a_moderators_flags_are_enforced_told_and_seen(do: str, undo: str, flag: str) -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    ana, ben = house.people("ana", "ben")
    boss.take()
    for action, value in ((do, True), (undo, False)):
        house.say(boss, "moderate", {"action": action, "target": pid(ana), "reason": "noise"})
        assert getattr(house.media.people[pid(ana)], flag) is value
        notice, update = ana.take()
        assert notice["payload"] == {"action": action, "by": pid(boss), "reason": "noise"}
        assert update["payload"]["participant"][flag] is value
        assert ben.take("participant-updated")["participant"][flag] is value
        assert [frame["type"] for frame in boss.take()] == ["participant-updated", "ok"]


def test_what_is_so_already_changes_nothing_for_the_others() -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    ana, ben = house.people("ana", "ben")
    house.say(boss, "moderate", {"action": "unmute", "target": pid(ana)})
    assert (ana.types, ben.types) == (["moderated"], [])


def test_a_kick_ends_the_session_and_says_so() -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    ana, ben = house.people("ana", "ben")
    who = pid(ana)
    house.say(boss, "moderate", {"action": "kick", "target": who})
    assert ana.types == ["moderated", "participant-left", "reconnect"]
    assert ana.frames[-1]["payload"] == {"action": "disconnect", "reason": "removed"}
    assert ana.closed == "forbidden"
    assert ben.take("participant-left") == {"participant": who, "reason": "removed"}
    assert who not in house.media.people
    assert len(house.talk.sessions) == 2


def test_a_seat_without_a_line_can_be_kicked_too_and_so_can_oneself() -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    (ana,) = house.people("ana")
    who = pid(ana)
    house.talk.lost(ana, house.now)
    house.say(boss, "moderate", {"action": "kick", "target": who})
    house.say(boss, "moderate", {"action": "kick", "target": pid(boss)})
    assert boss.closed == "forbidden"
    assert (len(house.talk.sessions), house.talk.rooms.population) == (0, 0)


def test_it_takes_a_moderator_of_no_lower_role() -> None:
    house = House()
    boss = house.enter("boss", role="owner")
    helper = house.enter("mod", role="moderator")
    (ana,) = house.people("ana")
    helper.take()
    for line, target in ((ana, pid(helper)), (helper, pid(boss))):
        house.say(line, "moderate", {"action": "kick", "target": target})
        assert line.frames[-1]["payload"]["code"] == "forbidden"
    house.say(helper, "moderate", {"action": "mute", "target": "nobody"})
    assert helper.frames[-1]["payload"]["code"] == "no_such_participant"
    assert house.talk.rooms.population == 3
