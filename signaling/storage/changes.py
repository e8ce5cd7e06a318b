"""Writes that may wait while the database is unreachable: audit trail, call history, bans, and their events.

One table names them. Each takes JSON values and times and is idempotent, so a write with an unknown outcome is
repeated.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage import bans, calls, media_sessions, messages, moderation, outbox, server_starts
from signaling.storage.database import Database
from signaling.storage.messages import Message
from signaling.storage.spool import Change

Apply = Callable[[AsyncConnection, Mapping[str, Any]], Awaitable[object]]

CHANGES: Mapping[str, Apply] = {
    "call.start": lambda connection, values: calls.begin(connection, calls.Call(**values)),
    "call.end": lambda connection, values: calls.end(connection, **values),
    "participant.join": lambda connection, values: calls.join(connection, calls.Presence(**values)),
    "participant.leave": lambda connection, values: calls.leave(connection, **values),
    "ban.add": lambda connection, values: bans.add(connection, bans.Ban(**values)),
    "ban.end": lambda connection, values: bans.end(connection, **values),
    "token.withdraw": lambda connection, values: bans.withdraw(connection, bans.WithdrawnToken(**values)),
    "moderation.event": lambda connection, values: moderation.append(connection, moderation.ModerationEvent(**values)),
    "media.begin": lambda connection, values: media_sessions.begin(connection, media_sessions.MediaSession(**values)),
    "media.connected": lambda connection, values: media_sessions.connected(connection, **values),
    "media.move": lambda connection, values: media_sessions.move(connection, **values),
    "media.end": lambda connection, values: media_sessions.end(connection, **values),
    "message.keep": lambda connection, values: messages.keep(connection, Message(**values)),
    "server.seen": lambda connection, values: server_starts.seen(connection, **values),
    "server.stop": lambda connection, values: server_starts.stopped(connection, **values),
    "event.append": lambda connection, values: outbox.append(connection, outbox.NewEvent(**values)),
}
"""For each name, the function to call. The values of a change are its arguments, or the fields of its record."""


async def apply(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Apply changes in order. Raises KeyError for an unknown kind, and whatever the function of a change raises."""
    for change in changes:
        await CHANGES[change.kind](connection, change.values)


async def write(database: Database, changes: Sequence[Change]) -> None:
    """Apply changes in one transaction. This is the `write` of a `Spool`."""
    async with database.transaction() as connection:
        await apply(connection, changes)
