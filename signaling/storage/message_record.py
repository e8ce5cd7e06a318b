"""A message as it is kept, and what its fields may hold. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signaling.storage import words
from signaling.storage.fields import check_document, check_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to a room, or to one person in it (`recipient`, an identity). `body` is any JSON."""

    id: str
    room_id: str
    sender: str
    topic: str
    body: Any
    sent_at: datetime
    call_id: str | None = None
    recipient: str | None = None


def check_message(message: Message) -> Message:
    """The message itself, if both databases can keep it. Raises ClientMistake (`bad_message`)."""
    check_text("topic", message.topic, words.TOPIC_LENGTH, least=1)
    check_document("body", message.body)
    return message
