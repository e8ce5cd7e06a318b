"""An event as subscribers see it, the same in a webhook and in `/api/v1/events`. Pure."""

from datetime import datetime
from typing import Any, Self

from pydantic import Field

from signaling.ids import RandomBytes, uuid7
from signaling.models import Model
from signaling.storage.outbox import TEST, OutboxEvent


class EventView(Model):
    """One event."""

    id: str = Field(description="The id of the event, the same at each delivery. Also in the header webhook-id.")
    type: str = Field(description="The type, such as room.created.")
    timestamp: datetime = Field(description="The time of the event: RFC 3339, UTC.")
    room: str | None = Field(description="The id of the room; null for events without a room.")
    seq: int = Field(description="The number of the event in its room, from 1, without gaps.")
    position: int = Field(description="The number of the event on the server, from 1, without gaps; use it as `after`.")
    data: dict[str, Any] = Field(description="The content, by type of event.")

    @classmethod
    def of(cls, event: OutboxEvent) -> Self:
        """Return the public view of an event."""
        return cls(
            id=event.id,
            type=event.event,
            timestamp=event.created_at,
            room=event.room_id or None,
            seq=event.seq,
            position=event.position,
            data=event.payload,
        )

    def as_body(self) -> bytes:
        """The JSON that is signed and sent."""
        return self.model_dump_json().encode()


def trial(utc: datetime, random: RandomBytes) -> EventView:
    """Return the event of a test delivery. It has no place in the order of events; its number is 0."""
    return EventView(id=uuid7(utc, random), type=TEST, timestamp=utc, room=None, seq=0, position=0, data={})
