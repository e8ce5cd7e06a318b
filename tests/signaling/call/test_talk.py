from dataclasses import replace

import pytest

from sfu.dtmf import Keys
from signaling.call import talk
from signaling.storage.messages import Message as KeptMessage
from tests.signaling.fakes import FakeServer, pid


def test_a_message_to_the_room_reaches_all_and_comes_back_as_its_answer() -> None:
    server = FakeServer()
    ana, ben, cat = server.people("ana", "ben", "cat")
    server.say(ana, "message", {"topic": "chat", "body": "hello"})
    sent = {"from": pid(ana), "to": None, "topic": "chat", "body": "hello", "sent_at": "2026-01-01T00:00:00.000Z"}
    assert "id" in ana.frames[0]
    for line in (ana, ben, cat):
        assert line.take("message") == sent


def test_a_message_to_one_reaches_one() -> None:
    server = FakeServer()
    ana, ben, cat = server.people("ana", "ben", "cat")
    server.say(ana, "message", {"to": pid(ben), "topic": "chat", "body": "psst"})
    assert (ana.types, ben.types, cat.types) == (["message"], ["message"], [])
    ana.take()
    server.say(ana, "message", {"to": pid(ana), "topic": "chat", "body": "note"})
    assert ana.types == ["message"]


def test_nothing_passes_between_rooms() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    eve = server.enter("eve", "other")
    eve.take()
    for kind, payload in (("message", {"topic": "t", "body": ""}), ("signal", {})):
        server.say(eve, kind, {"to": pid(ana), **payload})
        assert eve.take("error")["code"] == "no_such_participant"
    assert ana.frames == []


def test_a_signal_is_relayed_as_it_is_with_who_it_is_from() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    server.say(ana, "signal", {"to": pid(ben), "from": "somebody else", "kind": "offer", "at": [1, {"b": None}]})
    assert ben.take("signal") == {"from": pid(ana), "kind": "offer", "at": [1, {"b": None}]}
    assert ana.take("ok") == {}


def test_messages_need_their_grant() -> None:
    server = FakeServer()
    ana = server.enter("ana", can_publish_data=False)
    ana.take()
    server.say(ana, "message", {"topic": "t", "body": ""})
    server.say(ana, "signal", {"to": pid(ana)})
    assert [frame["payload"]["code"] for frame in ana.take()] == ["forbidden"] * 2


def test_a_ping_is_answered_and_lets_go_of_what_is_acknowledged() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    assert ana.session is not None
    seq = ana.session.seq
    server.say(ana, "ping", {"seq_ack": seq})
    assert ana.take("pong") == {"seq_ack": seq}
    server.say(ana, "ping")
    assert ana.take("pong") == {"seq_ack": None}
    server.say(ana, "ping", {"seq_ack": seq + 100})
    assert ana.take("error")["code"] == "bad_message"


def keeping(server: FakeServer, room_id: str = "lobby") -> list[KeptMessage]:
    """What the room keeps from now on."""
    room = server.conversation.rooms.find(room_id)
    assert room is not None
    room.policy = replace(room.policy, message_days=30)
    return server.audit.kept


def test_a_room_that_keeps_its_messages_keeps_them_by_identity() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    kept = keeping(server)
    server.say(ana, "message", {"topic": "chat", "body": "hello"})
    server.say(ana, "message", {"to": pid(ben), "topic": "chat", "body": "psst"})
    assert [(one.sender, one.recipient, one.body) for one in kept] == [("ana", None, "hello"), ("ana", "ben", "psst")]
    assert [frame["payload"]["id"] for frame in ben.take()] == [one.id for one in kept]
    assert {one.sent_at for one in kept} == {server.utc()}


def test_other_rooms_keep_nothing() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "message", {"topic": "chat", "body": "hello"})
    assert "id" not in ana.take("message")
    assert server.audit.kept == []


def test_what_cannot_be_kept_is_refused_where_it_would_be_and_told_to_nobody() -> None:
    """16 KiB of JSON are kept; a message may be longer, in other characters than ASCII."""
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    wrong = {"topic": "chat", "body": "\N{SNOWMAN}" * 16_000}
    server.say(ana, "message", wrong)
    assert ana.take("message")["body"] == ben.take("message")["body"] == wrong["body"]
    kept = keeping(server)
    server.say(ana, "message", wrong)
    assert ana.take("error")["code"] == "bad_message"
    assert (ben.frames, kept) == ([], [])


def test_messages_and_signals_are_counted_against_one_rate() -> None:
    server = FakeServer(messages_per_second=1, message_burst=6)
    ana, ben = server.people("ana", "ben")
    for _ in range(4):
        server.say(ana, "signal", {"to": pid(ben)})
        server.say(ana, "message", {"to": pid(ben), "topic": "t", "body": ""})
    codes = {frame["payload"]["code"] for frame in ana.take() if frame["type"] == "error"}
    assert codes == {"rate_limited"}
    assert ben.types == ["signal", "message", "signal", "message", "signal"]


def test_who_comes_in_is_told_that_messages_are_kept() -> None:
    server = FakeServer()
    first = server.enter("ana").take("joined")
    assert "message_days" not in first["limits"]
    keeping(server)
    assert server.enter("ben").take("joined")["limits"]["message_days"] == 30


@pytest.mark.parametrize(("do", "undo", "flag"), [("mute", "unmute", "self_mute"), ("deafen", "undeafen", "self_deaf")])
def test_ones_own_flags(do: str, undo: str, flag: str) -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    for kind, value in ((do, True), (undo, False)):
        server.say(ana, kind)
        assert ana.take("participant-updated")["participant"][flag] is value
        assert ben.take("participant-updated")["participant"][flag] is value
        assert getattr(server.media.people[pid(ana)], flag) is value


def test_what_is_so_already_is_told_to_nobody_else() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    server.say(ana, "unmute")
    assert ana.types == ["participant-updated"]
    assert ben.frames == []


def test_ones_own_unmute_does_not_lift_a_moderators_mute() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    (ana,) = server.people("ana")
    server.say(boss, "moderate", {"action": "mute", "target": pid(ana)})
    server.say(ana, "mute")
    server.say(ana, "unmute")
    assert server.media.people[pid(ana)].mute
    assert not server.media.people[pid(ana)].may_speak


def test_a_hold_leaves_the_mutes_as_they_are_and_outlasts_them() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    server.say(ana, "mute")
    server.say(ana, "hold")
    for line in (ana, ben):
        *_, last = line.take()
        view = last["payload"]["participant"]
        assert (view["held"], view["self_mute"], view["self_deaf"]) == (True, True, False)
    flags = server.media.people[pid(ana)]
    assert not flags.may_speak
    assert not flags.may_hear
    server.say(ana, "unmute")
    flags = server.media.people[pid(ana)]
    assert (flags.held, flags.self_mute, flags.may_speak) == (True, False, False)
    server.say(ana, "unhold")
    assert server.media.people[pid(ana)].may_speak


def test_a_hold_is_seen_by_who_comes_and_outlasts_the_line_and_the_peer_connection() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "hold")
    ben = server.enter("ben")
    views = ben.take("joined")["participants"]
    assert [view["held"] for view in views if view["id"] == pid(ana)] == [True]
    assert ana.session is not None
    session, secret, seq = ana.session.id, ana.session.secret, ana.session.seq
    ana_id = pid(ana)
    server.conversation.lost(ana, server.now)
    server.say(ben, "offer", {"sdp": "v=0"})
    line = server.line()
    server.say(line, "resume", {"session": session, "secret": secret, "seq_ack": seq})
    assert line.session is not None
    assert line.session.id == session
    server.say(line, "offer", {"sdp": "v=0 restart"})
    assert server.media.people[ana_id].held


def test_keys_are_pressed_in_the_media_path_and_told_by_it() -> None:
    server = FakeServer()
    ana, ben, cat = server.people("ana", "ben", "cat")
    server.say(ana, "dtmf", {"tones": "12a#", "duration_ms": 200, "gap_ms": 50})
    assert ana.take("ok") == {}
    assert server.media.pressed == [(pid(ana), Keys("12A#", 0.2, 0.05))]
    talk.heard(server.conversation, pid(ana), "1", 0.2)
    for line in (ben, cat):
        assert line.take("dtmf") == {"from": pid(ana), "tone": "1", "duration_ms": 200}
    assert ana.frames == []


def test_without_times_they_are_those_of_the_w3c() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.say(ana, "dtmf", {"tones": "1,2"})
    assert server.media.pressed == [(pid(ana), Keys("1,2", 0.1, 0.07))]


@pytest.mark.parametrize("silenced", ["mute", "hold", "moderator", "suppressed"])
def test_the_muted_and_the_held_press_none(silenced: str) -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    ana = server.enter("ana", can_publish=silenced != "suppressed")
    if silenced == "moderator":
        server.say(boss, "moderate", {"action": "mute", "target": pid(ana)})
    elif silenced != "suppressed":
        server.say(ana, silenced)
    ana.take()
    server.say(ana, "dtmf", {"tones": "1"})
    assert ana.take("error")["code"] == "muted"
    assert server.media.pressed == []


def test_more_than_can_wait_is_refused() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    server.media.most_pressed = 1
    server.say(ana, "dtmf", {"tones": "1"})
    ana.take()
    server.say(ana, "dtmf", {"tones": "2"})
    assert ana.take("error")["code"] == "rate_limited"


def test_who_hears_nobody_is_told_of_no_keys_and_nobody_of_those_of_the_hidden() -> None:
    server = FakeServer()
    ana, ben, cat = server.people("ana", "ben", "cat")
    ghost = server.enter("ghost", hidden=True)
    server.say(ben, "deafen")
    server.say(cat, "hold")
    for line in (ana, ben, cat):
        line.take()
    talk.heard(server.conversation, pid(ana), "5", 0.1)
    talk.heard(server.conversation, pid(ghost), "6", 0.1)
    talk.heard(server.conversation, "nobody", "7", 0.1)
    assert [line.types for line in (ana, ben, cat)] == [[], [], []]
