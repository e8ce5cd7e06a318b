from datetime import timedelta

import pytest

from sfu.selection import MuteFlags
from signaling.call.room_policy import RoomPolicy
from signaling.call.rooms import Participant, RoomDirectory
from signaling.errors import ClientMistake
from tests.signaling.fakes import START


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
