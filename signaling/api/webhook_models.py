"""Request and response models of webhooks and events. Pure.

What a field may hold is decided by `storage.webhook_record` and `webhooks.targets`; here are only names and types.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from pydantic import ConfigDict, Field

from signaling.models import Model
from signaling.storage.deliveries import Lane
from signaling.storage.webhook_record import Webhook, WebhookFields
from signaling.storage.words import DisabledReason
from signaling.webhooks.events import EventView
from signaling.webhooks.lanes import Outcome, Result

MOST_SHOWN = 20
"""Failing rooms that are named with a webhook."""
_ALL = ["*"]


class WebhookSettings(Model):
    """What is chosen of a webhook."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    url: str = Field("", description="https://..., with a public address unless webhook_allow_private is set.")
    description: str = Field("", description="At most 1000 characters.")
    events: list[str] = Field(_ALL, description="Names of events, families such as room.*, or *.")
    enabled: bool = Field(
        True, description="Whether the webhook gets events. When enabled again, it gets the events that it missed."
    )


class WebhookChanges(WebhookSettings):
    """The fields to change; all others stay as they are."""

    def named(self) -> dict[str, Any]:
        """The fields that the request named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class WebhookOrder(WebhookSettings):
    """A webhook to add."""

    url: str = Field(description="https://..., with a public address unless webhook_allow_private is set.")
    secret: str | None = Field(None, description="whsec_ and base64 of 24 to 64 bytes. Default: the server makes one.")

    def fields(self) -> WebhookFields:
        """What is kept of it, the secret apart."""
        return WebhookFields(
            url=self.url, description=self.description, events=tuple(self.events), enabled=self.enabled
        )


class SecretOrder(Model):
    """An additional secret to sign with."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)
    secret: str | None = Field(None, description="whsec_ and base64 of 24 to 64 bytes. Default: the server makes one.")


class FailingRoom(Model):
    """A room whose next event is not delivered yet."""

    room: str | None = Field(description="The id of the room; null for events without a room.")
    attempts: int = Field(description="Failed attempts to deliver this event.")
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, lane: Lane) -> Self:
        """The view of it."""
        return cls(
            room=lane.room_id or None,
            attempts=lane.attempts,
            failing_since=lane.failing_since,
            next_attempt_at=lane.next_attempt_at,
            last_error=lane.last_error,
        )


class WebhookView(WebhookSettings):
    """A webhook, without its secrets."""

    id: str
    secrets: int = Field(description="Number of secrets that sign each event.")
    disabled_reason: DisabledReason | None = Field(
        description="operator: a caller did it. gone: it answered 410. gave_up: no delivery succeeded for three days."
    )
    failing: list[FailingRoom] = Field(description="Rooms with a failed event, 20 at most.")
    version: int = Field(description="Counts changes from 1; the ETag contains it.")
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook, lanes: Iterable[Lane] = ()) -> Self:
        """The view of a webhook, with the lanes that are its own."""
        own = [lane for lane in lanes if lane.webhook_id == webhook.id]
        return cls(**_told(webhook), failing=[FailingRoom.of(lane) for lane in own[:MOST_SHOWN]])

    def as_text(self) -> str:
        """One line of text."""
        state = "enabled" if self.enabled else f"disabled: {self.disabled_reason}"
        failing = f", {len(self.failing)} failing" if self.failing else ""
        return f"{self.id}  {self.url}  ({', '.join(self.events)}; {state}{failing})"


class WebhookMade(WebhookView):
    """A webhook with its newest secret, which is shown only once."""

    secret: str

    @classmethod
    def made(cls, webhook: Webhook) -> Self:
        """The view for the client that created the webhook or its secret."""
        return cls(**_told(webhook), failing=[], secret=webhook.secrets[0])


class WebhookPage(Model):
    """All webhooks, newest first, on one page."""

    items: list[WebhookView]
    next_cursor: None = None


class TrialAnswer(Model):
    """The result of a test."""

    id: str = Field(description="The value of the header webhook-id.")
    result: Result = Field(description="refused: the server does not connect to the address of the URL.")
    status: int | None = Field(description="The HTTP status of the receiver's answer.")
    detail: str

    @classmethod
    def of(cls, message_id: str, outcome: Outcome) -> Self:
        """The view of an outcome."""
        return cls(id=message_id, result=outcome.result, status=outcome.status, detail=outcome.detail)

    def as_text(self) -> str:
        """One line of text."""
        return f"{self.result}: {self.detail or f'status {self.status}'}"


class ReplayQuery(Model):
    """From where to tell again."""

    model_config = ConfigDict(hide_input_in_errors=True)
    after: int = Field(
        ge=0, le=2**53, description="The position of the last event that arrived; 0 for all stored events."
    )


class EventQuery(Model):
    """Which events."""

    model_config = ConfigDict(hide_input_in_errors=True)
    after: int = Field(0, ge=0, le=2**53, description="Return the events after this position.")
    limit: int = Field(100, ge=1, le=200)
    room: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{0,64}$",
        description="Return events of this room only; empty: events without a room.",
    )
    event: str | None = Field(None, description="Return events of this type only: a name, or a family such as room.*.")


class EventPage(Model):
    """Events in order."""

    items: list[EventView]
    next_after: int = Field(description="Use this as `after` in the next request.")
    more: bool = Field(description="Whether more events are there already.")
    oldest: int | None = Field(description="The position of the first event that is still stored.")

    @classmethod
    def of(cls, items: list[EventView], query: EventQuery, oldest: int | None, last: int) -> Self:
        """A page of what is kept, from `oldest` to `last`. Less than a full page was all."""
        more = len(items) == query.limit
        seen = [query.after, *(item.position for item in items)]
        return cls(items=items, next_after=max(seen if more else [*seen, last]), more=more, oldest=oldest)


def _told(webhook: Webhook) -> dict[str, Any]:
    names = ("id", "url", "description", "enabled", "disabled_reason", "version")
    view = {name: getattr(webhook, name) for name in (*names, "created_by", "created_at", "updated_at")}
    return view | {"events": list(webhook.events), "secrets": len(webhook.secrets)}
