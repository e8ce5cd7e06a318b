from signaling.call.audience import Audience
from signaling.protocol.server_messages import OK
from tests.signaling.fakes import House, pid


def test_nobody_is_told_for_nobody() -> None:
    audience = Audience()
    audience.vacate("nobody")
    audience.tell("nobody", OK)
    assert audience.session("nobody") is None


def test_a_room_is_told_but_one() -> None:
    house = House()
    ana, ben, cat = house.people("ana", "ben", "cat")
    room = house.talk.rooms.find("lobby")
    assert room is not None
    house.talk.audience.tell_room(room, OK, but=room.get(pid(ben)))
    assert (ana.types, ben.types, cat.types) == (["ok"], [], ["ok"])
    house.talk.audience.tell_room(room, OK)
    assert ben.types == ["ok"]


def test_the_hidden_are_not_announced() -> None:
    house = House()
    (ana,) = house.people("ana")
    spy = house.enter("spy", hidden=True)
    room = house.talk.rooms.find("lobby")
    assert room is not None
    house.talk.audience.announce(room, room.get(pid(spy)), OK)
    assert ana.frames == []
