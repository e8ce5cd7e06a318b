"""Media sessions: one for each peer connection of a participant. Writes are idempotent, as in `calls`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sfu.offer import CandidateType
from signaling.storage import words
from signaling.storage.columns import UtcTime
from signaling.storage.pages import columns_of, insert_once, load, values_of
from signaling.storage.room_tables import media_sessions as table

Transport = Literal["udp", "tcp"]
MOST_TOLD = 200
UNTOLD = "untold"
"""The reason of a session that ended because its participant left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSession:
    """One peer connection. Bytes are those of its transport, counted by the server."""

    id: str
    participant_id: str
    created_at: datetime
    state: words.MediaState = "connecting"
    transport: Transport | None = None
    candidate_type: CandidateType | None = None
    user_agent: str | None = None
    connected_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    bytes_sent: int = 0
    bytes_received: int = 0


async def begin(connection: AsyncConnection, session: MediaSession) -> bool:
    """Insert a peer connection and return whether it is new."""
    return await insert_once(connection, table, values_of(session))


async def connected(
    connection: AsyncConnection,
    session_id: str,
    utc: datetime,
    transport: Transport,
    candidate_type: CandidateType | None = None,
) -> bool:
    """Record that media is connected. Return whether this changed the row."""
    change = update(table).where(table.c.id == session_id, table.c.state == "connecting")
    values = {"state": "connected", "connected_at": utc, "transport": transport, "candidate_type": candidate_type}
    return bool((await connection.execute(change.values(**values))).rowcount)


async def move(connection: AsyncConnection, session_id: str, participant_id: str) -> bool:
    """Assign a session to its participant in another call. Return whether the session is open."""
    change = update(table).where(table.c.id == session_id, table.c.ended_at.is_(None))
    return bool((await connection.execute(change.values(participant_id=participant_id))).rowcount)


async def end(
    connection: AsyncConnection, session_id: str, utc: datetime, reason: str, sent_received: tuple[int, int]
) -> bool:
    """End a session with the bytes of both directions. One that never connected has failed. Return whether the row
    changed.

    A session that `calls.leave` has ended still accepts its reason and its bytes.
    """
    sent, received = sent_received
    open_still = table.c.ended_at.is_(None) | (table.c.end_reason == UNTOLD)
    values = {
        "state": case((table.c.connected_at.is_(None), "failed"), else_="closed"),
        "ended_at": func.coalesce(table.c.ended_at, literal(utc, UtcTime())),
        "end_reason": reason[: words.ID_LENGTH],
        "bytes_sent": sent,
        "bytes_received": received,
    }
    change = update(table).where(table.c.id == session_id, open_still).values(**values)
    return bool((await connection.execute(change)).rowcount)


async def of_participant(connection: AsyncConnection, participant_id: str) -> list[MediaSession]:
    """Return the peer connections of one person in one call, in order; at most the newest `MOST_TOLD`."""
    query = select(*columns_of(table, MediaSession)).where(table.c.participant_id == participant_id)
    newest = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(MOST_TOLD)
    rows = (await connection.execute(newest)).mappings().all()
    return [load(MediaSession, row) for row in reversed(rows)]
