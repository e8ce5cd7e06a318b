import io
import json
from datetime import timedelta

import orjson
import pytest
from structlog.testing import capture_logs

from signaling.call.acts import Act, check, log_act, notice, record
from signaling.call.chronicle import AuditEvent
from signaling.errors import ClientMistake
from signaling.identity.permissions import Asker, Service
from signaling.operating import log
from tests.signaling.fakes import START, FakeServer


def event(**changes: object) -> AuditEvent:
    fields: dict[str, object] = {
        "at": START,
        "action": "participant.ban",
        "room": "lobby",
        "actor": "boss",
        "actor_role": "owner",
        "address": "192.0.2.1",
        "target": "ana",
        "reason": "noise",
        "until": START,
    }
    return AuditEvent(**(fields | changes))  # type: ignore[arg-type]


def test_an_act_is_one_line_with_who_what_whom_where_and_until_when() -> None:
    with capture_logs() as lines:
        log_act(event())
        log_act(event(until=None))
    first, second = lines
    assert {
        name: first[name] for name in ("event", "action", "room_id", "actor", "actor_role", "target", "client")
    } == {
        "event": "audit",
        "action": "participant.ban",
        "room_id": "lobby",
        "actor": "boss",
        "actor_role": "owner",
        "target": "ana",
        "client": "192.0.2.1",
    }
    assert (first["until"], second["until"]) == ("2026-01-01T00:00:00+00:00", None)


def test_of_many_acts_in_the_same_second_none_is_held_back() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    try:
        for target in ("ana", "ben"):
            for action in ("participant.mute", "participant.mute", "participant.kick"):
                log_act(event(action=action, target=target, reason="a\nb"))
    finally:
        log.configure()
    assert [(line["action"], line["target"]) for line in map(json.loads, stream.getvalue().splitlines())] == [
        ("participant.mute", "ana"),
        ("participant.mute", "ana"),
        ("participant.kick", "ana"),
        ("participant.mute", "ben"),
        ("participant.mute", "ben"),
        ("participant.kick", "ben"),
    ]


GAME = Service(frozenset({"participant.mute"}), None, "abc")


def act(holder: Service = GAME, **changes: object) -> Act:
    asker = Asker(holder=holder, address="192.0.2.9", **changes.pop("asker", {}))  # type: ignore[arg-type]
    values = {"actor": asker, "permission": "participant.mute", "action": "mute", "room_id": "lobby", **changes}
    return Act(**values)  # type: ignore[arg-type]


def test_the_table_is_asked_for_the_room_and_the_role_of_the_other() -> None:
    check(act(), "owner")
    for wrong, target in (
        (act(), "operator"),
        (act(permission="participant.kick"), "member"),
        (act(Service(frozenset({"*"}), frozenset({"den"}))), "member"),
    ):
        with pytest.raises(ClientMistake) as caught:
            check(wrong, target)  # type: ignore[arg-type]
        assert caught.value.code == "forbidden"


def test_who_acts_from_outside_or_hidden_is_not_named() -> None:
    server = FakeServer().conversation
    told = [
        orjson.loads(notice(server, act(asker=asker)).body)["by"]
        for asker in ({}, {"participant_id": "p1"}, {"participant_id": "p1", "hidden": True})
    ]
    assert told == [None, "p1", None]


def test_what_is_for_a_time_says_until_when() -> None:
    server = FakeServer()
    assert act().until(server.utc()) is None
    assert act(seconds=60).until(server.utc()) == server.utc() + timedelta(seconds=60)
    assert orjson.loads(notice(server.conversation, act(seconds=60)).body)["until"] == "2026-01-01T00:01:00.000Z"
    assert "until" not in orjson.loads(notice(server.conversation, act()).body)


def test_the_trail_has_who_from_where_and_what() -> None:
    server = FakeServer()
    with capture_logs() as lines:
        record(server.conversation, act(reason="noise", seconds=60), "ana")
    assert [line["event"] for line in lines] == ["audit"]
    (event,) = server.audit.events
    assert (event.actor, event.actor_role, event.address) == ("apikey:abc", "service", "192.0.2.9")
    assert (event.action, event.room, event.target, event.reason) == ("participant.mute", "lobby", "ana", "noise")
    assert event.until == server.utc() + timedelta(seconds=60)
