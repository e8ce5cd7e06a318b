"""All tables by name, for code that works on several."""

from signaling.storage.access_tables import (
    api_keys,
    bans,
    invite_uses,
    invites,
    moderation_events,
    outbox,
    outbox_heads,
    withdrawn_tokens,
)
from signaling.storage.columns import METADATA
from signaling.storage.room_tables import (
    calls,
    media_sessions,
    messages,
    participants,
    rooms,
    server_starts,
)
from signaling.storage.webhook_tables import webhook_lanes, webhooks

__all__ = [
    "METADATA",
    "api_keys",
    "bans",
    "calls",
    "invite_uses",
    "invites",
    "media_sessions",
    "messages",
    "moderation_events",
    "outbox",
    "outbox_heads",
    "participants",
    "rooms",
    "server_starts",
    "webhook_lanes",
    "webhooks",
    "withdrawn_tokens",
]
