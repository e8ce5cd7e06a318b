"""Which events somebody wants: names, families like `room.*`, or all of them. Pure.

The same words in a webhook and in a question to `/api/v1/events`. What they become in SQL is in `outbox`.
"""

import re
from collections.abc import Sequence

from signaling.errors import ClientMistake

EVENTS = (
    "room.created",
    "room.deleted",
    "call.started",
    "call.ended",
    "participant.joined",
    "participant.left",
    "recording.started",
    "recording.finished",
    "recording.failed",
    "recording.recovered",
    "quality.degraded",
    "moderation.action",
)
"""What happens on a server."""
TEST = "webhook.test"
"""What a test of a webhook sends; it never happens by itself."""
EVERYTHING = "*"
MOST_PATTERNS = 50
_FAMILY = re.compile(r"[a-z_]{1,32}\.\*")


def check_filter(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns, each once and in order, if each can name an event. Raises ClientMistake (`bad_message`)."""
    if not 1 <= len(patterns) <= MOST_PATTERNS:
        raise ClientMistake("bad_message", f"events: 1 to {MOST_PATTERNS} of them; {EVERYTHING} is all")
    for pattern in patterns:
        if pattern != EVERYTHING and not any(covers(pattern, event) for event in EVENTS):
            raise ClientMistake("bad_message", f"events: each is one of {', '.join(EVENTS)}, room.* or *")
    return tuple(sorted(set(patterns)))


def family(pattern: str) -> str | None:
    """What the names of a family begin with, the dot included; None for a pattern that is no family."""
    return pattern[:-1] if _FAMILY.fullmatch(pattern) else None


def covers(pattern: str, event: str) -> bool:
    """Whether a pattern takes in an event."""
    begin = family(pattern)
    return pattern in (EVERYTHING, event) or (begin is not None and event.startswith(begin))
