"""Long lists for `bench.signaling`: 100,000 rooms and 1,000,000 past participants, asked for in pages over HTTP.

The rows are made by the database itself, in the tables that the server has made. Each page is a random one: it begins
at the cursor of a page that was asked for before, or at the beginning of another filter.
"""

import asyncio
import http.client
import json
import random
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from bench.join import Server, server
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens
from signaling.storage import migrate
from signaling.storage.database import Database, choose_database
from tests.support.postgres import PostgresServer

KINDS = ("sqlite", "postgresql")
ROOMS, PEOPLE = 100_000, 1_000_000
BUSY_ROOMS = 100
"""Rooms among which the past participants are spread: 10,000 in each."""
PAGE = 50
FILL_SECONDS = 600.0
KNOWN_CURSORS = 40

_NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {count})",
    "postgresql": "WITH s(n) AS (SELECT generate_series(0, {count} - 1))",
}
_TIMES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', 1700000000 + {n}, 'unixepoch') || '.000000'",
    "postgresql": "to_timestamp(1700000000 + {n})",
}
_PADDED = {"sqlite": "printf('%s-%07d', '{name}', n)", "postgresql": "'{name}-' || lpad(n::text, 7, '0')"}


class Seconds(NamedTuple):
    """How long each page took."""

    rooms: list[float]
    history: list[float]


def measure(kind: str, secret: str, pages: int) -> Seconds:
    """Fill a new database, serve it, and ask for so many pages of each list."""
    with _database(kind) as (folder, url):
        asyncio.run(_fill(kind, folder, url))
        with server(jwt_secret=secret, database_url=url) as running:
            rooms = _ask(running, secret, Grants(room_list=True), _room_lists(), pages)
            return Seconds(rooms, _ask(running, secret, None, _history_lists(), pages))


@contextmanager
def _database(kind: str) -> Iterator[tuple[Path, str]]:
    """A place for a database of that kind: a folder, and its URL."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        if kind == "sqlite":
            yield Path(folder), f"sqlite:///{folder}/pages.db"
            return
        with PostgresServer() as postgres:
            yield Path(folder), postgres.new_database()


async def _fill(kind: str, folder: Path, url: str) -> None:
    database = Database(choose_database(url, folder, statement_seconds=FILL_SECONDS))
    await database.open()
    try:
        await migrate.upgrade(database)
        for statement in _statements(kind):
            async with database.transaction() as connection:
                await connection.execute(text(statement))
    finally:
        await database.close()


def _statements(kind: str) -> Iterator[str]:
    numbers, padded = _NUMBERS[kind], _PADDED[kind]
    no, yes = ("0", "1") if kind == "sqlite" else ("false", "true")
    at = _TIMES[kind]
    yield f"""
        INSERT INTO rooms (id, name, name_key, description, room_type, owner, guild_id, max_participants, is_private,
            is_temporary, empty_timeout, is_moderated, allow_recording, quality_preset, settings, metadata, version,
            created_by, created_at, updated_at)
        {numbers.format(count=ROOMS)}
        SELECT {padded.format(name="room")}, {padded.format(name="Room")}, {padded.format(name="room")}, '', 'group',
            'owner-' || (n % 500), 'guild-' || (n % 50), 200, {no}, {no}, 300, {no}, {yes}, 'standard', '{{}}', '{{}}',
            1, 'bench', {at.format(n="n")}, {at.format(n="n")} FROM s"""
    yield f"""
        INSERT INTO calls (id, room_id, node, state, started_at, ended_at, end_reason)
        {numbers.format(count=BUSY_ROOMS)}
        SELECT {padded.format(name="call")}, {padded.format(name="room")}, 'bench', 'ended', {at.format(n="0")},
            {at.format(n="2000000")}, 'empty' FROM s"""
    call = padded.replace(", n)", f", n % {BUSY_ROOMS})").replace("n::text", f"(n % {BUSY_ROOMS})::text")
    yield f"""
        INSERT INTO participants (id, call_id, room_id, node, identity, name, role, address, user_agent, joined_at,
            left_at, leave_reason)
        {numbers.format(count=PEOPLE)}
        SELECT {padded.format(name="person")}, {call.format(name="call")}, {call.format(name="room")}, 'bench',
            'person-' || (n % 20000), 'Person', 'member', '192.0.2.1', 'bench', {at.format(n="n")},
            {at.format(n="(n + 60)")}, 'client_initiated' FROM s"""
    yield "ANALYZE"


def _room_lists() -> list[tuple[str, str]]:
    """Paths, and the room that the token has to be for (empty: none)."""
    lists = [{}, {"search": "room-00"}, {"type": "group"}]
    lists += [{"owner": f"owner-{number}"} for number in range(0, 500, 50)]
    lists += [{"guild": f"guild-{number}"} for number in range(0, 50, 5)]
    return [("/api/v1/rooms?" + urllib.parse.urlencode({"limit": PAGE, **wanted}), "") for wanted in lists]


def _history_lists() -> list[tuple[str, str]]:
    return [
        (f"/api/v1/rooms/room-{number:07d}/participants/history?limit={PAGE}", f"room-{number:07d}")
        for number in range(0, BUSY_ROOMS, 5)
    ]


def _ask(running: Server, secret: str, grants: Grants | None, lists: list[tuple[str, str]], pages: int) -> list[float]:
    """Seconds of each page. Raises RuntimeError for an answer that is none."""
    chance = random.Random(1)
    cursors = list(lists)
    connection = http.client.HTTPConnection(*running.address, timeout=30)
    issuer, utc, took = Tokens(secret), datetime.now(UTC), []
    bearers: dict[str, str] = {}
    for _ in range(pages):
        path, room = chance.choice(cursors)
        if room not in bearers:
            allowed = grants or Grants.for_room(room, admin=True)
            bearers[room] = issuer.issue("bench", grants=allowed, utc=utc, lifetime=timedelta(hours=1))
        began = time.perf_counter()
        answer = _get(connection, path, bearers[room])
        took.append(time.perf_counter() - began)
        if not answer["items"]:
            raise RuntimeError(f"{path} is empty")
        if answer["next_cursor"] and len(cursors) < len(lists) + KNOWN_CURSORS:
            plain = path.partition("&cursor=")[0]
            cursors.append((f"{plain}&cursor={urllib.parse.quote(answer['next_cursor'])}", room))
    connection.close()
    return took


def _get(connection: http.client.HTTPConnection, path: str, token: str) -> dict[str, Any]:
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}: {body[:300]!r}")
    found: dict[str, Any] = json.loads(body)
    return found
