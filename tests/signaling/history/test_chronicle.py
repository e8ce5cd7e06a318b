from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from signaling.call.chronicle import AuditEvent, Chronicle, SentMessage, SilentChronicle
from signaling.call.rooms import LiveCall, LiveRoom, Participant, RoomDirectory
from signaling.history import chronicle
from signaling.history.chronicle import KeptChronicle
from signaling.protocol.server_messages import EarlyEnd, LeaveReason
from signaling.storage.pages import values_of
from signaling.storage.spool import Change, decode_lines, encode_line
from tests.signaling.fakes import START


class Book:
    """A chronicle of real rooms, and the batches that it gave away."""

    def __init__(self) -> None:
        self.batches: list[list[Change]] = []
        random = Random(1)
        self.rooms = RoomDirectory(random=random.randbytes)
        self.chronicle = KeptChronicle(lambda batch: self.batches.append(list(batch)), "one", random.randbytes)

    def joined(self, somebody: Participant, address: str, user_agent: str) -> LiveRoom:
        """As `entry` has it."""
        room = self.rooms.admit(somebody)
        self.chronicle.joined(somebody, room.call, address, user_agent)
        return room

    def left(self, participant_id: str, reason: LeaveReason, utc: datetime) -> None:
        """As `departure` has it."""
        somebody = self.rooms.participant(participant_id)
        if somebody is not None:
            self.rooms.remove(somebody)
        self.chronicle.left(participant_id, reason, utc)

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """The only batch since the last call; an event goes by its name."""
        (batch,) = self.batches
        self.batches = []
        assert list(decode_lines(encode_line(batch)).lines[0]) == batch, "every batch can wait in a file"
        return [(change.values.get("event", change.kind), dict(change.values)) for change in batch]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.take()]


@pytest.fixture
def book() -> Book:
    return Book()


def person(identity: str = "ana", room: str = "lobby", seconds: float = 0, **more: Any) -> Participant:
    joined = START + timedelta(seconds=seconds)
    fields = {"id": f"id-{identity}", "identity": identity, "name": identity.title(), "role": "member"}
    return Participant(**{**fields, "room_id": room, "joined_at": joined, **more})


def act(target: str = "ana", room: str | None = "lobby", **more: Any) -> AuditEvent:
    fields: dict[str, Any] = {"at": START, "action": "participant.kick", "room": room, "actor": "boss"}
    return AuditEvent(**{**fields, "actor_role": "owner", "address": "192.0.2.9", "target": target, **more})


def test_a_call_starts_with_the_first_and_ends_with_the_last(book: Book) -> None:
    book.joined(person(), "192.0.2.1", "Tests/1.0")
    start, told, joined, event = book.take()
    call_id = start[1]["id"]
    assert [start[0], told[0], joined[0], event[0]] == [
        "call.start",
        "call.started",
        "participant.join",
        "participant.joined",
    ]
    assert (start[1]["room_id"], start[1]["node"], start[1]["started_at"]) == ("lobby", "one", START)
    assert told[1]["payload"] == {"call": call_id, "started_at": "2026-01-01T00:00:00.000Z"}
    assert {name: joined[1][name] for name in ("id", "call_id", "address", "user_agent", "role")} == {
        "id": "id-ana",
        "call_id": call_id,
        "address": "192.0.2.1",
        "user_agent": "Tests/1.0",
        "role": "member",
    }
    assert "192.0.2.1" not in str(event)
    assert (event[1]["id"], told[1]["id"]) == ("id-ana", call_id)

    book.joined(person("ben", seconds=1), "", "")
    joined, event = book.take()
    assert (joined[1]["call_id"], joined[1]["address"], joined[1]["user_agent"]) == (call_id, None, None)

    book.left("id-ana", "client_initiated", START)
    assert book.kinds() == ["participant.leave", "participant.left"]
    book.left("id-ben", "connection_timeout", START + timedelta(seconds=9))
    leave, left, end, ended = book.take()
    assert leave[1] == {
        "participant_id": "id-ben", "reason": "connection_timeout", "utc": START + timedelta(seconds=9)
    }  # fmt: skip
    assert left[1]["payload"]["reason"] == "connection_timeout"
    assert (end[1]["call_id"], end[1]["reason"]) == (call_id, "empty")
    assert ended[1]["payload"]["started_at"] < ended[1]["payload"]["ended_at"]
    book.joined(person(seconds=20), "", "")
    assert book.take()[0][1]["id"] != call_id


@pytest.mark.parametrize("reason", ["room_deleted", "scheduled_end", "server_shutdown", None])
def test_a_call_ends_for_the_reason_that_it_was_ended_for_and_the_next_one_for_its_own(
    book: Book, reason: EarlyEnd | None
) -> None:
    for why in (reason, None):
        room = book.joined(person(), "", "")
        book.joined(person("ben"), "", "")
        ended_at = START + timedelta(seconds=9)
        if why is not None:
            room.call.end(why, START + timedelta(seconds=8))
            ended_at = START + timedelta(seconds=8)
        book.left("id-ben", "removed", START + timedelta(seconds=9))
        book.batches = []
        book.left("id-ana", "removed", START + timedelta(seconds=9))
        batch = dict(book.take())
        expected = (room.call.id, why or "empty", ended_at)
        assert tuple(batch["call.end"][name] for name in ("call_id", "reason", "utc")) == expected
        assert batch["call.ended"]["payload"]["reason"] == (why or "empty")
        # Nobody is in a call that is over, not for a moment.
        assert batch["participant.leave"]["utc"] == ended_at


def test_a_call_is_the_one_of_the_room_hidden_people_or_not(book: Book) -> None:
    room = book.joined(person("spy", hidden=True), "", "")
    start, row = book.take()
    assert (start[1]["id"], start[1]["started_at"], row[1]["call_id"]) == (room.call.id, START, room.call.id)
    book.joined(person(seconds=5), "", "")
    told, row, event = book.take()
    assert [told[1]["id"], row[1]["call_id"], event[1]["payload"]["call"]] == [room.call.id] * 3


def test_who_is_not_in_changes_nothing(book: Book) -> None:
    book.left("id-ana", "idle", START)
    book.chronicle.media_began("id-ana", START)
    book.chronicle.media_connected("id-ana", "relay", START)
    book.chronicle.media_ended("id-ana", "left", (1, 2), START)
    assert book.batches == []


def test_the_hidden_are_history_and_no_event(book: Book) -> None:
    book.joined(person("spy", hidden=True), "192.0.2.7", "")
    assert book.kinds() == ["call.start", "participant.join"]
    book.joined(person(seconds=5), "", "")
    told, _, event = book.take()
    assert (told[0], told[1]["payload"]["started_at"]) == ("call.started", "2026-01-01T00:00:00.000Z")
    assert event[0] == "participant.joined"
    book.left("id-ana", "idle", START)
    book.take()
    book.left("id-spy", "idle", START)
    assert book.kinds() == ["participant.leave", "call.end", "call.ended"]
    book.joined(person("spy", hidden=True), "", "")
    book.take()
    book.left("id-spy", "idle", START)
    assert book.kinds() == ["participant.leave", "call.end"]


def test_each_peer_connection_is_one_media_session(book: Book) -> None:
    book.joined(person(), "", "Browser/1.0")
    book.take()
    book.chronicle.media_began("id-ana", START)
    ((kind, began),) = book.take()
    assert (kind, began["participant_id"], began["user_agent"]) == ("media.begin", "id-ana", "Browser/1.0")
    book.chronicle.media_connected("id-ana", "relay", START)
    ((_, connected),) = book.take()
    assert connected == {"session_id": began["id"], "utc": START, "transport": "udp", "candidate_type": "relay"}
    book.chronicle.media_ended("id-ana", "replaced", (10, 20), START)
    ((_, ended),) = book.take()
    assert (ended["session_id"], ended["reason"], ended["sent_received"]) == (began["id"], "replaced", [10, 20])
    book.chronicle.media_began("id-ana", START)
    ((_, second),) = book.take()
    assert second["id"] != began["id"]
    # The server stops: its people have left before their connections end.
    book.left("id-ana", "server_shutdown", START)
    book.take()
    book.chronicle.media_ended("id-ana", "left", (1, 2), START)
    assert book.take()[0][1]["session_id"] == second["id"]


def test_whoever_is_moved_has_a_row_in_each_call(book: Book) -> None:
    book.joined(person(), "", "")
    book.take()
    book.left("id-ana", "migration", START)
    book.take()
    book.joined(person(room="hall", seconds=3), "", "")
    batch = dict(book.take())
    row = batch["participant.join"]
    assert (row["room_id"], row["id"] != "id-ana", "media.move" in batch) == ("hall", True, False)
    book.left("id-ana", "idle", START)
    assert dict(book.take())["participant.leave"]["participant_id"] == row["id"]


def test_whoever_is_moved_without_a_line_is_known_by_the_one_that_they_had(book: Book) -> None:
    book.joined(person(), "192.0.2.1", "Tests/1.0")
    for number, (address, agent) in enumerate([("", ""), ("192.0.2.2", "Tests/2.0"), ("", "")]):
        book.left("id-ana", "migration", START)
        book.batches = []
        book.joined(person(room=f"room{number}"), address, agent)
        row = dict(book.take())["participant.join"]
        expected = ("192.0.2.1", "Tests/1.0") if number == 0 else ("192.0.2.2", "Tests/2.0")
        assert (row["address"], row["user_agent"]) == expected


def test_the_peer_connection_of_whoever_is_moved_goes_along(book: Book) -> None:
    book.joined(person(), "", "")
    book.chronicle.media_began("id-ana", START)
    session_id = book.batches[-1][0].values["id"]
    book.batches = []
    book.left("id-ana", "migration", START)
    book.take()
    book.joined(person(room="hall", seconds=3), "", "")
    batch = dict(book.take())
    row_id = batch["participant.join"]["id"]
    assert batch["media.move"] == {"session_id": session_id, "participant_id": row_id}
    book.chronicle.media_ended("id-ana", "left", (1, 2), START)
    assert book.take()[0][1]["session_id"] == session_id


def test_an_act_is_in_the_trail_and_the_events(book: Book) -> None:
    book.joined(person(), "", "")
    call_id = book.take()[0][1]["id"]
    book.chronicle.acted(act(reason="noise", until=START))
    (_, row), (kind, event) = book.take()
    assert (row["call_id"], row["participant_id"], row["address"], row["reason"]) == (
        call_id,
        "id-ana",
        "192.0.2.9",
        "noise",
    )
    assert (kind, event["id"], event["room_id"]) == ("moderation.action", row["id"], "lobby")
    assert event["payload"]["actor"] == "boss"
    assert "192.0.2.9" not in str(event)


def test_the_hidden_are_not_named_in_events_of_acts(book: Book) -> None:
    book.chronicle.acted(act(actor_hidden=True))
    (_, row), (_, event) = book.take()
    assert (row["actor"], event["payload"]["actor"]) == ("boss", None)
    book.joined(person("spy", hidden=True), "", "")
    book.take()
    for room in ("lobby", None):
        book.chronicle.acted(act("spy"))
        assert book.kinds() == ["moderation.event"]
        book.left("id-spy", "removed", START)
        book.batches = []
        book.chronicle.acted(act("spy", room))
        assert book.kinds() == ["moderation.event"]


def test_of_those_who_have_left_few_are_remembered(book: Book) -> None:
    for number in range(chronicle._JUST_LEFT + 10):
        book.joined(person(f"p{number}"), "", "")
        book.left(f"id-p{number}", "removed", START)
    book.batches = []
    book.chronicle.acted(act("p0"))
    assert book.take()[0][1]["participant_id"] is None
    book.chronicle.acted(act("p70"))
    assert book.take()[0][1]["participant_id"] == "id-p70"
    assert (book.chronicle._present, book.chronicle._calls, book.chronicle._moving) == ({}, {}, {})


def test_the_default_one_stores_nothing() -> None:
    nothing: Chronicle = SilentChronicle()
    nothing.joined(person(), LiveCall("call", START), "", "")
    nothing.media_began("id-ana", START)
    nothing.media_connected("id-ana", "relay", START)
    nothing.media_ended("id-ana", "left", (0, 0), START)
    nothing.left("id-ana", "idle", START)
    nothing.acted(act())


def test_a_message_is_kept_with_the_call_that_it_belongs_to(book: Book) -> None:
    said = SentMessage(id="m", room_id="lobby", sender="ana", topic="chat", body="hi", sent_at=START, recipient="ben")
    book.chronicle.message_sent(said)
    assert book.take() == [("message.keep", {**values_of(said), "call_id": None})]
    book.joined(person(), "", "")
    call_id = book.take()[0][1]["id"]
    book.chronicle.message_sent(said)
    assert book.take() == [("message.keep", {**values_of(said), "call_id": call_id})]
    SilentChronicle().message_sent(said)
