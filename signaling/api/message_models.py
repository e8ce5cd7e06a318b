"""Messages that a room keeps, as they go out over HTTP. Pure."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from signaling.api.people_models import PageQuery
from signaling.storage.message_record import Message


class MessageQuery(PageQuery):
    """Which messages."""

    topic: str | None = Field(None, min_length=1, max_length=64)


class MessageView(BaseModel):
    """One message; `id` is that of the `message` on the line. `sender` and `recipient` are identities."""

    model_config = ConfigDict(extra="forbid")

    id: str
    call_id: str | None
    sender: str
    recipient: str | None = Field(description="null where it went to everybody.")
    topic: str
    body: Any
    sent_at: datetime

    @classmethod
    def of(cls, message: Message) -> Self:
        """What is told of a message."""
        return cls(**{name: getattr(message, name) for name in cls.model_fields})


class MessagesPage(BaseModel):
    """Messages, the newest first; `next_cursor` is null on the last page."""

    model_config = ConfigDict(extra="forbid")
    items: list[MessageView]
    next_cursor: str | None
