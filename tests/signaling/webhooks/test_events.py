import json

from signaling.storage.outbox import EVENTS, TEST, OutboxEvent
from signaling.webhooks.events import EventView, trial
from tests.signaling.storage.samples import at, seeded


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


def test_a_test_stands_in_no_order():
    event = trial(at(0), seeded())
    assert (event.type, event.room, event.seq, event.position) == (TEST, None, 0, 0)
    assert TEST not in EVENTS
