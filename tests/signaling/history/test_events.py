from signaling.call.chronicle import AuditEvent
from signaling.history import events
from signaling.storage import outbox
from signaling.storage.fields import check_object
from tests.signaling.fakes import START

WHO = events.person("p1", "ana", "Ana", "member", START)


def all_events():
    act = AuditEvent(
        at=START, action="participant.ban", room=None, actor="boss", actor_role="owner", address="", target="ana"
    )
    return [
        events.call_started("lobby", "c1", START),
        events.participant_joined("lobby", "c1", WHO, START),
        events.participant_left("e1", ("lobby", "c1"), WHO, "idle", START),
        events.call_ended("e2", "lobby", "c1", (START, START), "empty"),
        events.moderation_action("a1", act, None),
    ]


def test_each_event_has_the_name_that_others_know_and_a_payload_that_can_be_kept():
    found = [outbox.NewEvent(**change.values) for change in all_events()]
    assert [(one.event, one.id, one.room_id) for one in found] == [
        ("call.started", "c1", "lobby"),
        ("participant.joined", "p1", "lobby"),
        ("participant.left", "e1", "lobby"),
        ("call.ended", "e2", "lobby"),
        ("moderation.action", "a1", ""),
    ]
    for one in found:
        check_object("payload", one.payload, outbox.LARGEST_PAYLOAD)
    assert {change.kind for change in all_events()} == {"event.append"}


def test_the_payloads_say_where_who_and_when():
    started, joined, left, ended, acted = [change.values["payload"] for change in all_events()]
    moment = "2026-01-01T00:00:00.000Z"
    assert started == {"call": "c1", "started_at": moment}
    assert joined["participant"] == {
        "id": "p1", "identity": "ana", "name": "Ana", "role": "member", "joined_at": moment
    }  # fmt: skip
    assert (left["left_at"], left["reason"]) == (moment, "idle")
    assert (ended["ended_at"], ended["reason"]) == (moment, "empty")
    assert (acted["target"], acted["until"]) == ("ana", None)
