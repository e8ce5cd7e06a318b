"""What was: calls, and who was in them, in pages from the newest."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.storage.calls import Call, Presence
from signaling.storage.pages import Listing, Page, PageRequest
from signaling.storage.room_tables import calls, participants

_CALLS = Listing(calls, Call, "started_at")
_PEOPLE = Listing(participants, Presence, "joined_at")


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """Which presences: those that fit everything that is not None. `since` is counted in, `until` is not."""

    room_id: str | None = None
    call_id: str | None = None
    identity: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def past_calls(connection: AsyncConnection, room_id: str | None, request: PageRequest) -> Page[Call]:
    """Calls of a room, or of all."""
    conditions: list[ColumnElement[bool]] = [] if room_id is None else [calls.c.room_id == room_id]
    return await _CALLS.page(connection, {"room_id": room_id}, conditions, request)


async def past_people(connection: AsyncConnection, wanted: PeopleFilter, request: PageRequest) -> Page[Presence]:
    """Who was in, and who still is."""
    conditions: list[ColumnElement[bool]] = [
        participants.c[name] == value
        for name in ("room_id", "call_id", "identity")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.since is not None:
        conditions.append(participants.c.joined_at >= wanted.since)
    return await _PEOPLE.page(connection, asdict(wanted), conditions, request, wanted.until)
