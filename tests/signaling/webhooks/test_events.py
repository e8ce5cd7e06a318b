import json

from signaling.storage.fields import check_object
from signaling.storage.outbox import EVENTS, LARGEST_PAYLOAD, TEST, OutboxEvent
from signaling.storage.room_record import Room
from signaling.webhooks.events import EventView, of_room, trial
from tests.signaling.storage.samples import at, seeded

ROOM = Room(id="den", name="Den", owner="ana", version=1, created_by="ana", created_at=at(0), updated_at=at(0))


def test_the_body_tells_what_where_and_when():
    event = OutboxEvent(
        id="one", event="room.created", payload={"a": 1}, created_at=at(0), room_id="den", position=9, seq=2
    )
    assert json.loads(EventView.of(event).as_body()) == {
        "id": "one",
        "type": "room.created",
        "timestamp": "2026-11-21T12:00:00.123456Z",
        "room": "den",
        "seq": 2,
        "position": 9,
        "data": {"a": 1},
    }


def test_an_event_of_a_room_names_it_and_who_did_it():
    event = of_room("room.deleted", ROOM, "ana", at(1), seeded())
    assert (event.event, event.room_id, event.created_at) == ("room.deleted", "den", at(1))
    assert (event.payload["by"], event.payload["room"]["name"]) == ("ana", "Den")
    assert "password_hash" not in event.payload["room"]
    assert event.event in EVENTS
    check_object("payload", event.payload, LARGEST_PAYLOAD)


def test_a_test_stands_in_no_order():
    event = trial(at(0), seeded())
    assert (event.type, event.room, event.seq, event.position) == (TEST, None, 0, 0)
    assert TEST not in EVENTS
