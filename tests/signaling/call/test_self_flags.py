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


def test_a_hold_leaves_the_mutes_as_they_are_and_outlasts_them() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    house.say(ana, "mute")
    house.say(ana, "hold")
    for line in (ana, ben):
        *_, last = line.take()
        view = last["payload"]["participant"]
        assert (view["held"], view["self_mute"], view["self_deaf"]) == (True, True, False)
    flags = house.media.people[pid(ana)]
    assert not flags.may_speak
    assert not flags.may_hear
    house.say(ana, "unmute")
    flags = house.media.people[pid(ana)]
    assert (flags.held, flags.self_mute, flags.may_speak) == (True, False, False)
    house.say(ana, "unhold")
    assert house.media.people[pid(ana)].may_speak


def test_a_hold_is_seen_by_who_comes_and_outlasts_the_line_and_the_peer_connection() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "hold")
    ben = house.enter("ben")
    views = ben.take("joined")["participants"]
    assert [view["held"] for view in views if view["id"] == pid(ana)] == [True]
    assert ana.session is not None
    session, secret, seq = ana.session.id, ana.session.secret, ana.session.seq
    ana_id = pid(ana)
    house.talk.lost(ana, house.now)
    house.say(ben, "offer", {"sdp": "v=0"})
    line = house.line()
    house.say(line, "resume", {"session": session, "secret": secret, "seq_ack": seq})
    assert line.session is not None
    assert line.session.id == session
    house.say(line, "offer", {"sdp": "v=0 restart"})
    assert house.media.people[ana_id].held
