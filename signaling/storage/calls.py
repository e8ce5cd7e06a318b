"""Calls, their participants, and their history. Counts are computed from these rows and never stored, so they cannot
drift.

Writes are idempotent, as they may be repeated after an outage: each names its row by id.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.protocol.server_messages import LeaveReason
from signaling.storage import words
from signaling.storage.columns import UtcTime
from signaling.storage.media_sessions import UNTOLD
from signaling.storage.pages import Listing, Page, PageRequest, columns_of, insert_once, load, values_of
from signaling.storage.room_tables import calls, media_sessions, participants, server_starts

_AT_ONCE = 500
"""Rows of one statement. SQLite allows 32,766 parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A period in which a room has participants, on one node."""

    id: str
    room_id: str
    node: str
    started_at: datetime
    state: words.CallState = "active"
    ended_at: datetime | None = None
    end_reason: words.CallEnd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One person in one call, from joining to leaving; `left_at` is None for a present one."""

    id: str
    call_id: str
    room_id: str
    node: str
    identity: str
    name: str
    role: words.PersonRole
    joined_at: datetime
    address: str | None = None
    user_agent: str | None = None
    left_at: datetime | None = None
    leave_reason: LeaveReason | None = None


@dataclass(frozen=True, slots=True)
class Orphans:
    """Ids of the records that a crashed server left open."""

    participants: tuple[str, ...]
    calls: tuple[str, ...]


async def start(connection: AsyncConnection, call: Call) -> Call:
    """Return the active call of the room: this one, or the existing one."""
    if await insert_once(connection, calls, values_of(call)):
        return call
    written = await find(connection, call.id)
    return written or await current(connection, call.room_id) or call


async def begin(connection: AsyncConnection, call: Call) -> None:
    """Start a call in a room that only this server uses. End an active one, which a crashed server left open under
    this or another node name.
    """
    there = await start(connection, call)
    if there.id != call.id:
        await end(connection, there.id, "server_lost", max(call.started_at, there.started_at))
        await start(connection, call)


async def find(connection: AsyncConnection, call_id: str) -> Call | None:
    """Return the call, active or ended."""
    query = select(*columns_of(calls, Call)).where(calls.c.id == call_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else load(Call, row)


async def find_person(connection: AsyncConnection, participant_id: str) -> Presence | None:
    """Return one person in one call, present or departed."""
    query = select(*columns_of(participants, Presence)).where(participants.c.id == participant_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else load(Presence, row)


async def current(connection: AsyncConnection, room_id: str) -> Call | None:
    """Return the active call of a room."""
    query = select(*columns_of(calls, Call)).where(calls.c.room_id == room_id, calls.c.state == "active")
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else load(Call, row)


async def end(connection: AsyncConnection, call_id: str, reason: words.CallEnd, utc: datetime) -> bool:
    """End a call and the presences in it. Return whether it was active."""
    leave_reason = "room_deleted" if reason in ("room_deleted", "scheduled_end") else "server_shutdown"
    people = await _leave(connection, (participants.c.call_id == call_id), leave_reason, utc)
    await _close_media(connection, people, utc)
    ended = update(calls).where(calls.c.id == call_id, calls.c.state == "active")
    values = {"state": "ended", "ended_at": utc, "end_reason": reason}
    return bool((await connection.execute(ended.values(**values))).rowcount)


async def join(connection: AsyncConnection, person: Presence) -> bool:
    """Insert a presence and return whether it is new."""
    return await insert_once(connection, participants, values_of(person))


async def leave(connection: AsyncConnection, participant_id: str, reason: LeaveReason, utc: datetime) -> bool:
    """End a presence and its media sessions. Return whether it was open.

    After `migration` the peer connection continues: see `media_sessions.move`.
    """
    ids = await _leave(connection, (participants.c.id == participant_id), reason, utc)
    if reason != "migration":
        await _close_media(connection, ids, utc)
    return bool(ids)


async def present(connection: AsyncConnection, room_id: str) -> list[Presence]:
    """Return the presences in a room, in the order of joining."""
    query = (
        select(*columns_of(participants, Presence))
        .where(participants.c.room_id == room_id, participants.c.left_at.is_(None))
        .order_by(participants.c.joined_at, participants.c.id)
    )
    return [load(Presence, row) for row in (await connection.execute(query)).mappings()]


async def counts(connection: AsyncConnection, room_ids: Collection[str]) -> dict[str, int]:
    """Return the number of people in each of the rooms; 0 for an empty one."""
    query = (
        select(participants.c.room_id, func.count())
        .where(participants.c.room_id.in_(room_ids), participants.c.left_at.is_(None))
        .group_by(participants.c.room_id)
    )
    found = {row[0]: row[1] for row in await connection.execute(query)}
    return {room_id: found.get(room_id, 0) for room_id in room_ids}


async def close_orphans(connection: AsyncConnection, node: str, utc: datetime) -> Orphans:
    """Close what an earlier start of `node` left open, as of its last sign of life. Call it before the first join.

    No record ends before it began, and no call before the last known event in it.
    """
    query = select(func.max(server_starts.c.seen_at, type_=server_starts.c.seen_at.type))
    seen = (await connection.execute(query.where(server_starts.c.node == node))).scalar_one() or utc
    people = await _leave(connection, (participants.c.node == node), "server_shutdown", seen)
    # Includes people in a move: out of one call, not yet in the other.
    media = select(media_sessions.c.participant_id).join(participants).where(participants.c.node == node)
    torn = (await connection.execute(media.where(media_sessions.c.ended_at.is_(None)))).scalars()
    await _close_media(connection, list(torn), seen)
    left = select(calls.c.id, calls.c.started_at).where(calls.c.node == node, calls.c.state == "active")
    found = (await connection.execute(left)).all()
    for row in found:
        known = func.max(participants.c.left_at, type_=participants.c.left_at.type)
        last = (await connection.execute(select(known).where(participants.c.call_id == row.id))).scalar_one()
        ended_at = max(seen, row.started_at, last or seen)
        values = {"state": "ended", "ended_at": ended_at, "end_reason": "server_lost"}
        await connection.execute(update(calls).where(calls.c.id == row.id).values(**values))
    return Orphans(tuple(people), tuple(row.id for row in found))


async def _leave(connection: AsyncConnection, which: ColumnElement[bool], reason: str, utc: datetime) -> list[str]:
    """End presences. If the clock was set back, the end is the start."""
    left = case((participants.c.joined_at > utc, participants.c.joined_at), else_=literal(utc, UtcTime()))
    closing = (
        update(participants)
        .where(which, participants.c.left_at.is_(None))
        .values(left_at=left, leave_reason=reason)
        .returning(participants.c.id)
    )
    return list((await connection.execute(closing)).scalars())


async def _close_media(connection: AsyncConnection, ids: list[str], utc: datetime) -> None:
    for begin in range(0, len(ids), _AT_ONCE):
        still = media_sessions.c.participant_id.in_(ids[begin : begin + _AT_ONCE]) & media_sessions.c.ended_at.is_(None)
        began = media_sessions.c.created_at
        at = case((began > utc, began), else_=literal(utc, UtcTime()))
        ended = {"state": "closed", "ended_at": at, "end_reason": UNTOLD}
        await connection.execute(update(media_sessions).where(still).values(**ended))


_CALLS = Listing(calls, Call, "started_at")
_PEOPLE = Listing(participants, Presence, "joined_at")


@dataclass(frozen=True, slots=True)
class PeopleFilter:
    """A filter of presences by all fields that are not None. `since` is inclusive, `until` exclusive."""

    room_id: str | None = None
    call_id: str | None = None
    identity: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def past_calls(connection: AsyncConnection, room_id: str | None, request: PageRequest) -> Page[Call]:
    """Return calls of a room, or of all rooms."""
    conditions: list[ColumnElement[bool]] = [] if room_id is None else [calls.c.room_id == room_id]
    return await _CALLS.page(connection, {"room_id": room_id}, conditions, request)


async def past_people(connection: AsyncConnection, wanted: PeopleFilter, request: PageRequest) -> Page[Presence]:
    """Return past and present presences."""
    conditions: list[ColumnElement[bool]] = [
        participants.c[name] == value
        for name in ("room_id", "call_id", "identity")
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.since is not None:
        conditions.append(participants.c.joined_at >= wanted.since)
    return await _PEOPLE.page(connection, asdict(wanted), conditions, request, wanted.until)
