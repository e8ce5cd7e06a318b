import pytest

from tests.signaling.fakes import House, pid


@pytest.mark.parametrize(("do", "undo", "flag"), [("mute", "unmute", "self_mute"), ("deafen", "undeafen", "self_deaf")])
def test_ones_own_flags(do: str, undo: str, flag: str) -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    for kind, value in ((do, True), (undo, False)):
        house.say(ana, kind)
        assert ana.take("participant-updated")["participant"][flag] is value
        assert ben.take("participant-updated")["participant"][flag] is value
        assert getattr(house.media.people[pid(ana)], flag) is value


def test_what_is_so_already_is_told_to_nobody_else() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    house.say(ana, "unmute")
    assert ana.types == ["participant-updated"]
    assert ben.frames == []


def test_ones_own_unmute_does_not_lift_a_moderators_mute() -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    (ana,) = house.people("ana")
    house.say(boss, "moderate", {"action": "mute", "target": pid(ana)})
    house.say(ana, "mute")
    house.say(ana, "unmute")
    assert house.media.people[pid(ana)].mute
    assert not house.media.people[pid(ana)].may_speak
