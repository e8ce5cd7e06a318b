"""What a server has kept, read beside it from its own database: calls, people, acts, events."""

from dataclasses import dataclass
from pathlib import Path

from signaling.storage import calls, media_sessions, moderation, outbox
from signaling.storage.calls import Call, Presence
from signaling.storage.database import Database, choose_database
from signaling.storage.media_sessions import MediaSession
from signaling.storage.moderation import ModerationEvent
from signaling.storage.outbox import OutboxEvent
from signaling.storage.pages import PageRequest
from tests.support.postgres import PostgresServer


@dataclass(frozen=True)
class Kept:
    """All rows, in the order in which they came."""

    calls: tuple[Call, ...]
    people: tuple[Presence, ...]
    media: tuple[MediaSession, ...]
    acts: tuple[ModerationEvent, ...]
    events: tuple[OutboxEvent, ...]


async def read_kept(url: str, folder: Path) -> Kept:
    """Everything of the database at `url`, or of the embedded one in `folder`."""
    database = Database(choose_database(url, folder, statement_seconds=20.0))
    try:
        await database.open()
        async with database.reading() as connection:
            held = await calls.past_calls(connection, None, PageRequest(200))
            people = await calls.past_people(connection, calls.PeopleFilter(), PageRequest(200))
            acts = await moderation.page(connection, moderation.ModerationFilter(), PageRequest(200))
            assert (held.next_cursor, people.next_cursor) == (None, None)
            sessions = [await media_sessions.of_participant(connection, one.id) for one in people.items]
            events = await outbox.after(connection, 0, 1000)
    finally:
        await database.close()
    media = tuple(session for each in sessions for session in each)
    return Kept(held.items[::-1], people.items[::-1], media, acts.items[::-1], tuple(events))


def database_url(kind: str, postgres: PostgresServer) -> str:
    """An empty database of that kind; the embedded one has no URL."""
    return "" if kind == "sqlite" else postgres.new_database()
