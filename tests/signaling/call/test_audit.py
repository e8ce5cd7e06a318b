import io
import json

from structlog.testing import capture_logs

from signaling.call.audit import AuditEvent, log_act
from signaling.operating import log
from tests.signaling.fakes import START


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
