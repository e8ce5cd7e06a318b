from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sfu.selection import MuteFlags
from signaling.call.leaving import empty_room, end_call
from signaling.call.rooms import LiveCall, Participant, RoomDirectory, RoomPolicy
from signaling.errors import ClientMistake
from signaling.identity.grants import Role
from signaling.protocol.server_messages import EarlyEnd
from tests.signaling.fakes import START, FakeCarrier, FakeServer

PLAIN = RoomPolicy()


def test_a_room_that_nobody_keeps_is_open_to_every_token() -> None:
    assert (PLAIN.version, PLAIN.needs_key, PLAIN.needs_floor, PLAIN.has_ended(START)) == (0, False, False, False)


def test_private_rooms_and_those_with_a_password_need_a_key() -> None:
    assert replace(PLAIN, is_private=True).needs_key
    assert replace(PLAIN, has_password=True).needs_key


@pytest.mark.parametrize("policy", [replace(PLAIN, is_moderated=True), replace(PLAIN, room_type="global")])
def test_in_moderated_rooms_and_announcements_members_wait_for_the_floor(policy: RoomPolicy) -> None:
    roles: tuple[Role, ...] = ("member", "moderator", "owner", "operator")
    assert [policy.gives_floor(role) for role in roles] == [False, True, True, True]
    assert all(PLAIN.gives_floor(role) for role in roles)


def test_a_room_ends_at_its_time() -> None:
    policy = replace(PLAIN, scheduled_end=START)
    assert not policy.has_ended(START - timedelta(seconds=1))
    assert policy.has_ended(START)


@pytest.mark.parametrize(
    ("identity", "role", "invited_as", "told"),
    [
        ("ana", "member", None, "member"),
        ("ana", "member", "moderator", "moderator"),
        ("ana", "owner", "member", "owner"),
        ("owen", "member", None, "owner"),
        ("owen", "operator", None, "operator"),
    ],
)
def test_the_highest_role_counts(identity: str, role: Role, invited_as: Role | None, told: Role) -> None:
    assert replace(PLAIN, owner="owen").role_of(identity, role, invited_as) == told


ON: dict[str, Any] = {"id": "one", "state": "active", "started_at": "2026-01-01T00:00:00.000Z"}


def test_a_call_is_told_as_it_stands() -> None:
    """Times are RFC 3339, UTC."""
    call = LiveCall("one", START)
    assert call.view() == ON
    assert call.end("scheduled_end", START + timedelta(seconds=90))
    over = {**ON, "state": "ended", "ended_at": "2026-01-01T00:01:30.000Z", "reason": "scheduled_end"}
    assert call.view() == over
    assert not call.end("server_shutdown", START + timedelta(seconds=91)), "the first end counts"
    assert call.view() == over


def call_of(line: FakeCarrier, kind: str = "joined") -> Any:
    return line.take(kind)["call"]


def test_whoever_joins_is_told_of_the_call_that_is_on() -> None:
    server = FakeServer()
    first = call_of(server.enter("ana"))
    server.tick(1)
    ben = server.enter("ben")
    assert call_of(ben) == first
    assert first == {**ON, "id": first["id"]}
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    assert room.call.id == first["id"]
    assert call_of(server.enter("cem", "hall"))["id"] != first["id"]


def test_a_room_that_was_empty_has_another_call() -> None:
    server = FakeServer()
    ana = server.enter("ana")
    first = call_of(ana)
    server.say(ana, "leave")
    assert ana.types == ["participant-left"], "whoever has left hears nothing of an end that was theirs"
    server.tick(1)
    assert call_of(server.enter("ana")) != first


def test_the_hidden_are_in_a_call_that_is_on_and_others_come_into_it() -> None:
    server = FakeServer()
    spy = server.enter("spy", hidden=True)
    first = call_of(spy)
    server.tick(5)
    assert call_of(server.enter("ana")) == first
    assert spy.types == ["participant-joined"], "nothing has changed about the call"


def test_whoever_has_missed_too_much_is_told_anew() -> None:
    server = FakeServer()
    ana = server.enter("ana")
    first, seat = call_of(ana), ana.session
    assert seat is not None
    server.conversation.lost(ana, server.now)
    again = server.line()
    server.say(again, "resume", {"session": seat.id, "secret": seat.secret, "seq_ack": seat.seq + 1})
    assert call_of(again) == first


@pytest.mark.parametrize("reason", ["room_deleted", "scheduled_end", "server_shutdown"])
def test_the_end_of_a_call_is_told_once_before_anybody_is_sent_away(reason: EarlyEnd) -> None:
    server = FakeServer()
    ana, spy = server.enter("ana"), server.enter("spy", hidden=True)
    elsewhere = server.enter("cem", "hall")
    first = call_of(ana)
    for line in (spy, elsewhere):
        line.take()
    server.now += 90
    if reason == "room_deleted":
        empty_room(server.conversation, "lobby", server.now)
    elif reason == "scheduled_end":
        room = server.conversation.rooms.find("lobby")
        assert room is not None
        room.policy = RoomPolicy(version=1, scheduled_end=START)
        server.tick(0)
    else:
        server.conversation.shut_down()
    over = {**first, "state": "ended", "ended_at": "2026-01-01T00:01:30.000Z", "reason": reason}
    for line in (ana, spy):
        types = [kind for kind in line.types if kind != "participant-left"]
        assert types[:2] == ["call-state-changed", "reconnect"]
        assert line.types[0] == "call-state-changed"
        assert call_of(line, "call-state-changed") == over
    assert ("call-state-changed" in elsewhere.types) == (reason == "server_shutdown")


def test_an_end_that_was_told_is_not_told_again() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    end_call(server.conversation, room, "room_deleted")
    end_call(server.conversation, room, "server_shutdown")
    assert call_of(ana, "call-state-changed")["reason"] == "room_deleted"


def person(identity: str, room: str = "lobby", **changes: object) -> Participant:
    fields: dict[str, object] = {"id": f"id-{identity}", "name": identity.title(), "role": "member", "joined_at": START}
    return Participant(identity=identity, room_id=room, **(fields | changes))  # type: ignore[arg-type]


def test_a_room_begins_with_its_first_and_ends_with_its_last() -> None:
    rooms = RoomDirectory()
    ana = person("ana")
    assert rooms.find("lobby") is None
    room = rooms.admit(ana)
    assert (ana.state, rooms.find("lobby"), rooms.participant(ana.id), rooms.population) == ("joined", room, ana, 1)
    rooms.remove(ana)
    rooms.remove(ana)
    assert (ana.state, len(rooms), rooms.population) == ("disconnected", 0, 0)


def test_a_call_is_on_from_the_first_to_the_last_whoever_is_first_and_last() -> None:
    rooms = RoomDirectory()
    spy, ana = person("spy", hidden=True), person("ana", joined_at=START + timedelta(seconds=5))
    assert rooms.prospect("lobby") is not rooms.admit(spy)
    room = rooms.admit(ana)
    call = room.call
    assert (call.started_at, call.ended_at) == (START, None)
    rooms.remove(spy)
    assert room.call is call
    rooms.remove(ana)
    assert rooms.admit(person("ana")).call.id != call.id


def test_whoever_comes_after_the_end_of_a_call_begins_another() -> None:
    rooms = RoomDirectory()
    room = rooms.admit(person("ana"))
    first = room.call
    first.end("server_shutdown", START)
    rooms.admit(person("ben"))
    assert (room.call.id != first.id, room.call.ended_at) == (True, None)


def test_whoever_is_taken_elsewhere_comes_into_the_call_there_or_begins_one() -> None:
    rooms = RoomDirectory()
    ana, ben = person("ana"), person("ben")
    former = rooms.admit(ana).call
    rooms.admit(ben)
    then = START + timedelta(seconds=9)
    attic = rooms.transfer(ana, "attic", RoomPolicy(), then)
    assert (attic.call.started_at, ana.joined_at) == (then, then)
    assert rooms.transfer(ben, "attic", RoomPolicy(), then + timedelta(seconds=1)).call is attic.call
    assert former.id != attic.call.id
    assert [room.id for room in rooms] == ["attic"]


def test_a_full_room_takes_nobody() -> None:
    rooms = RoomDirectory(RoomPolicy(max_participants=1))
    rooms.admit(person("ana"))
    with pytest.raises(ClientMistake) as caught:
        rooms.admit(person("ben"))
    assert caught.value.code == "room_full"
    assert rooms.admit(person("ben", "other"))


def test_an_older_self_makes_room_or_keeps_it() -> None:
    rooms = RoomDirectory(RoomPolicy(max_participants=1))
    ana = person("ana")
    room = rooms.admit(ana)
    assert room.check_place("ana") is ana
    with pytest.raises(ClientMistake):
        rooms.admit(person("ana", id="second"))
    strict = RoomDirectory(RoomPolicy(duplicate_identity="reject_new"))
    with pytest.raises(ClientMistake) as caught:
        strict.admit(ana := person("ana")).check_place("ana")
    assert caught.value.code == "duplicate_identity"


def test_nobody_is_found_by_a_name_of_another_room() -> None:
    rooms = RoomDirectory()
    room = rooms.admit(person("ana"))
    rooms.admit(person("ben", "other"))
    with pytest.raises(ClientMistake) as caught:
        room.get("id-ben")
    assert caught.value.code == "no_such_participant"
    assert [found.id for found in rooms] == ["lobby", "other"]


def test_a_view_has_the_words_of_the_protocol() -> None:
    """Times are RFC 3339, UTC."""
    ana = person("ana", role="operator")
    RoomDirectory().admit(ana)
    assert ana.view() == {
        "id": "id-ana", "identity": "ana", "name": "Ana", "role": "owner", "state": "joined", "self_mute": False,
        "self_deaf": False, "mute": False, "deaf": False, "suppressed": False, "held": False,
        "joined_at": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip


def test_the_hidden_are_seen_by_themselves_only() -> None:
    rooms = RoomDirectory()
    ana, spy = person("ana"), person("spy", hidden=True)
    room = rooms.admit(ana)
    rooms.admit(spy)
    assert [view["identity"] for view in room.views(ana)] == ["ana"]
    assert [view["identity"] for view in room.views(spy)] == ["ana", "spy"]


def test_flags_change_by_name_and_a_listener_without_the_grant_is_deaf() -> None:
    ana = person("ana")
    assert ana.change_flags(mute=True)
    assert not ana.change_flags(mute=True)
    assert ana.media_flags == MuteFlags(mute=True)
    assert person("ben", may_hear=False).media_flags == MuteFlags(deaf=True)


def test_a_deletion_is_remembered_for_those_who_were_on_the_way() -> None:
    rooms = RoomDirectory()
    assert not rooms.closed_since("lobby", 10.0)
    rooms.close("lobby", 11.0)
    assert rooms.closed_since("lobby", 10.0)
    assert not rooms.closed_since("lobby", 12.0)
    rooms.forget_closed(50.0)
    assert rooms.closed_since("lobby", 10.0)
    rooms.forget_closed(80.0)
    assert not rooms.closed_since("lobby", 10.0)


def test_the_floor_is_the_rules_until_somebody_gives_or_takes_it() -> None:
    rooms = RoomDirectory()
    ana = person("ana")
    room = rooms.admit(ana, RoomPolicy(is_moderated=True))
    assert ana.flags.suppressed
    room.set_floor("ana", True)
    assert not room.suppresses(ana)
    room.set_floor("ana", None)
    assert room.suppresses(ana)
    assert not room.suppresses(person("max", role="moderator"))
    assert room.suppresses(person("mia", role="moderator", may_publish=False))
