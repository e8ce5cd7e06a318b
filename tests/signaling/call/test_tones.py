import pytest

from sfu.dtmf import Keys
from signaling.call import tones
from tests.signaling.fakes import House, pid


def test_keys_are_pressed_in_the_media_path_and_told_by_it() -> None:
    house = House()
    ana, ben, cat = house.people("ana", "ben", "cat")
    house.say(ana, "dtmf", {"tones": "12a#", "duration_ms": 200, "gap_ms": 50})
    assert ana.take("ok") == {}
    assert house.media.pressed == [(pid(ana), Keys("12A#", 0.2, 0.05))]
    tones.heard(house.talk, pid(ana), "1", 0.2)
    for line in (ben, cat):
        assert line.take("dtmf") == {"from": pid(ana), "tone": "1", "duration_ms": 200}
    assert ana.frames == []


def test_without_times_they_are_those_of_the_w3c() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "dtmf", {"tones": "1,2"})
    assert house.media.pressed == [(pid(ana), Keys("1,2", 0.1, 0.07))]


@pytest.mark.parametrize("silenced", ["mute", "hold", "moderator", "suppressed"])
def test_the_muted_and_the_held_press_none(silenced: str) -> None:
    house = House()
    boss = house.enter("boss", room_admin=True)
    ana = house.enter("ana", can_publish=silenced != "suppressed")
    if silenced == "moderator":
        house.say(boss, "moderate", {"action": "mute", "target": pid(ana)})
    elif silenced != "suppressed":
        house.say(ana, silenced)
    ana.take()
    house.say(ana, "dtmf", {"tones": "1"})
    assert ana.take("error")["code"] == "muted"
    assert house.media.pressed == []


def test_more_than_can_wait_is_refused() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.media.most_pressed = 1
    house.say(ana, "dtmf", {"tones": "1"})
    ana.take()
    house.say(ana, "dtmf", {"tones": "2"})
    assert ana.take("error")["code"] == "rate_limited"


def test_who_hears_nobody_is_told_of_no_keys_and_nobody_of_those_of_the_hidden() -> None:
    house = House()
    ana, ben, cat = house.people("ana", "ben", "cat")
    ghost = house.enter("ghost", hidden=True)
    house.say(ben, "deafen")
    house.say(cat, "hold")
    for line in (ana, ben, cat):
        line.take()
    tones.heard(house.talk, pid(ana), "5", 0.1)
    tones.heard(house.talk, pid(ghost), "6", 0.1)
    tones.heard(house.talk, "nobody", "7", 0.1)
    assert [line.types for line in (ana, ben, cat)] == [[], [], []]
