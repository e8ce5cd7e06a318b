from dataclasses import replace

from signaling.storage.message_record import Message as KeptMessage
from tests.signaling.fakes import House, pid


def test_a_message_to_the_room_reaches_all_and_comes_back_as_its_answer() -> None:
    house = House()
    ana, ben, cat = house.people("ana", "ben", "cat")
    house.say(ana, "message", {"topic": "chat", "body": "hello"})
    sent = {"from": pid(ana), "to": None, "topic": "chat", "body": "hello", "sent_at": "2026-01-01T00:00:00.000Z"}
    assert "id" in ana.frames[0]
    for line in (ana, ben, cat):
        assert line.take("message") == sent


def test_a_message_to_one_reaches_one() -> None:
    house = House()
    ana, ben, cat = house.people("ana", "ben", "cat")
    house.say(ana, "message", {"to": pid(ben), "topic": "chat", "body": "psst"})
    assert (ana.types, ben.types, cat.types) == (["message"], ["message"], [])
    ana.take()
    house.say(ana, "message", {"to": pid(ana), "topic": "chat", "body": "note"})
    assert ana.types == ["message"]


def test_nothing_passes_between_rooms() -> None:
    house = House()
    (ana,) = house.people("ana")
    eve = house.enter("eve", "other")
    eve.take()
    for kind, payload in (("message", {"topic": "t", "body": ""}), ("signal", {})):
        house.say(eve, kind, {"to": pid(ana), **payload})
        assert eve.take("error")["code"] == "no_such_participant"
    assert ana.frames == []


def test_a_signal_is_relayed_as_it_is_with_who_it_is_from() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    house.say(ana, "signal", {"to": pid(ben), "from": "somebody else", "kind": "offer", "at": [1, {"b": None}]})
    assert ben.take("signal") == {"from": pid(ana), "kind": "offer", "at": [1, {"b": None}]}
    assert ana.take("ok") == {}


def test_messages_need_their_grant() -> None:
    house = House()
    ana = house.enter("ana", can_publish_data=False)
    ana.take()
    house.say(ana, "message", {"topic": "t", "body": ""})
    house.say(ana, "signal", {"to": pid(ana)})
    assert [frame["payload"]["code"] for frame in ana.take()] == ["forbidden"] * 2


def test_a_ping_is_answered_and_lets_go_of_what_is_acknowledged() -> None:
    house = House()
    (ana,) = house.people("ana")
    assert ana.session is not None
    seq = ana.session.seq
    house.say(ana, "ping", {"seq_ack": seq})
    assert ana.take("pong") == {"seq_ack": seq}
    house.say(ana, "ping")
    assert ana.take("pong") == {"seq_ack": None}
    house.say(ana, "ping", {"seq_ack": seq + 100})
    assert ana.take("error")["code"] == "bad_message"


def keeping(house: House, room_id: str = "lobby") -> list[KeptMessage]:
    """What the room keeps from now on."""
    room = house.talk.rooms.find(room_id)
    assert room is not None
    room.policy = replace(room.policy, message_days=30)
    return house.audit.kept


def test_a_room_that_keeps_its_messages_keeps_them_by_identity() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    kept = keeping(house)
    house.say(ana, "message", {"topic": "chat", "body": "hello"})
    house.say(ana, "message", {"to": pid(ben), "topic": "chat", "body": "psst"})
    assert [(one.sender, one.recipient, one.body) for one in kept] == [("ana", None, "hello"), ("ana", "ben", "psst")]
    assert [frame["payload"]["id"] for frame in ben.take()] == [one.id for one in kept]
    assert {one.sent_at for one in kept} == {house.utc()}


def test_other_rooms_keep_nothing() -> None:
    house = House()
    (ana,) = house.people("ana")
    house.say(ana, "message", {"topic": "chat", "body": "hello"})
    assert "id" not in ana.take("message")
    assert house.audit.kept == []


def test_what_cannot_be_kept_is_refused_where_it_would_be_and_told_to_nobody() -> None:
    """16 KiB of JSON are kept; a message may be longer, in other characters than ASCII."""
    house = House()
    ana, ben = house.people("ana", "ben")
    wrong = {"topic": "chat", "body": "\N{SNOWMAN}" * 16_000}
    house.say(ana, "message", wrong)
    assert ana.take("message")["body"] == ben.take("message")["body"] == wrong["body"]
    kept = keeping(house)
    house.say(ana, "message", wrong)
    assert ana.take("error")["code"] == "bad_message"
    assert (ben.frames, kept) == ([], [])


def test_messages_and_signals_are_counted_against_one_rate() -> None:
    house = House(messages_per_second=1, message_burst=6)
    ana, ben = house.people("ana", "ben")
    for _ in range(4):
        house.say(ana, "signal", {"to": pid(ben)})
        house.say(ana, "message", {"to": pid(ben), "topic": "t", "body": ""})
    codes = {frame["payload"]["code"] for frame in ana.take() if frame["type"] == "error"}
    assert codes == {"rate_limited"}
    assert ben.types == ["signal", "message", "signal", "message", "signal"]


def test_who_comes_in_is_told_that_messages_are_kept() -> None:
    house = House()
    first = house.enter("ana").take("joined")
    assert "message_days" not in first["limits"]
    keeping(house)
    assert house.enter("ben").take("joined")["limits"]["message_days"] == 30
