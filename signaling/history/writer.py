"""Writes the history through the spool, and at start ends the calls that the last run left open."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.clock import Clock
from signaling.errors import Refusal, StorageUnavailable
from signaling.history import events
from signaling.history.chronicle import KeptChronicle
from signaling.history.deny_list import KeptDenyList
from signaling.identity.deny_list import Ban
from signaling.ids import RandomBytes, uuid7
from signaling.storage import bans, calls, changes, outbox, server_starts
from signaling.storage.calls import Orphans
from signaling.storage.changes import write
from signaling.storage.database import Database
from signaling.storage.server_starts import ServerStart
from signaling.storage.spool import Change, Spool
from signaling.version import VERSION


async def end_lost_calls(connection: AsyncConnection, node: str, utc: datetime, random: RandomBytes) -> Orphans:
    """Close what an earlier run of `node` left open, with an end event for each reported beginning.

    The spool of that run must be written first.
    """
    orphans = await calls.close_orphans(connection, node, utc)
    for participant_id in orphans.participants:
        person = await calls.find_person(connection, participant_id)
        if person is None or person.left_at is None or not await outbox.find(connection, participant_id):
            continue
        view = events.person(person.id, person.identity, person.name, person.role, person.joined_at)
        place, event_id = (person.room_id, person.call_id), uuid7(utc, random)
        left = events.participant_left(event_id, place, view, "server_shutdown", person.left_at)
        await changes.apply(connection, [left])
    for call_id in orphans.calls:
        call = await calls.find(connection, call_id)
        if call is None or call.ended_at is None or not await outbox.find(connection, call_id):
            continue
        times = (call.started_at, call.ended_at)
        ended = events.call_ended(uuid7(utc, random), call.room_id, call.id, times, "server_lost")
        await changes.apply(connection, [ended])
    return orphans


SEEN_SECONDS = 10.0
"""Seconds between two signs of life. The time of a crash is known to this precision, unless a row tells more."""
CLEAN_EVERY = 360
"""Signs of life between two deletions of expired rows: an hour."""
FOLLOW_SECONDS = 2.0
"""Seconds between two checks for bans and revocations by other nodes on the same database."""
ALL_EVERY = 30
"""Checks between two unconditional reads of the whole list."""
BANS_KEPT = timedelta(days=90)
"""How long an ended ban stays in the list of bans."""

_log = structlog.get_logger("signaling.storage")


class HistoryWriter:
    """Writes the history of one run of the server `node`. A conversation uses its `chronicle` and `deny_list`.

    Both are usable at any time and never wait. Call `open` first, `close` at the end.
    """

    def __init__(self, database: Database, folder: Path, node: str, clock: Clock, random: RandomBytes) -> None:
        self.spool = Spool(folder / "changes.log", self._write)
        self.chronicle = KeptChronicle(self.spool.put, node, random)
        self.deny_list = KeptDenyList(self.spool.put, clock.utc, random)
        self._database = database
        self._node = node
        self._clock = clock
        self._random = random
        self._start_id = uuid7(clock.utc(), random)
        self._tasks: list[asyncio.Task[None]] = []

    def counters(self) -> dict[str, int]:
        """Numbers of transactions: `spooled`, `written`, `refused`, `damaged`."""
        return dict(self.spool.counters)

    def gauges(self) -> dict[str, float]:
        """The backlog: transactions in memory, and bytes on disk."""
        return {"memory_transactions": float(len(self.spool)), "disk_bytes": float(self.spool.bytes_on_disk)}

    async def open(self) -> None:
        """Write the backlog of the last run, end its lost calls, read the deny list, then start writing.

        Raises Refusal if the database does not answer, as the participants of calls are then unknown.
        """
        try:
            await self._begin()
        except StorageUnavailable as error:
            raise Refusal(
                "the database does not answer", error.message, "Start it, or correct DATABASE_URL."
            ) from error
        for work in (self.spool.run(), self._show_life(), self._follow()):
            self._tasks.append(asyncio.create_task(work, name="keeping"))

    async def close(self, seconds: float) -> None:
        """Write the backlog for at most `seconds`. The rest stays on disk for the next start."""
        until = self._clock.now() + seconds
        if self._tasks:
            self.spool.put([Change("server.stop", {"start_id": self._start_id, "utc": self._clock.utc()})])
            self.spool.end()
            await asyncio.wait(self._tasks[:1], timeout=seconds)
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                _log.error("task_failed", task="keeping", exc_info=outcome)
        await self.spool.close(max(0.0, until - self._clock.now()))

    async def clean(self) -> None:
        """Delete expired rows."""
        utc = self._clock.utc()
        async with self._database.transaction() as connection:
            await bans.forget_withdrawn(connection, utc)
            await bans.forget(connection, utc - BANS_KEPT)

    async def _begin(self) -> None:
        if not await self.spool.flush():
            raise StorageUnavailable("the server cannot write the records that its last run left")
        utc = self._clock.utc()
        async with self._database.transaction() as connection:
            orphans = await end_lost_calls(connection, self._node, utc, self._random)
            start = ServerStart(id=self._start_id, node=self._node, version=VERSION, started_at=utc, seen_at=utc)
            await server_starts.started(connection, start)
        if orphans.calls:
            _log.warning("calls_were_lost", calls=len(orphans.calls), participants=len(orphans.participants))
        await self._read_deny_list()
        await self.clean()

    async def _read_deny_list(self) -> None:
        utc = self._clock.utc()
        async with self._database.reading() as connection:
            entries = [_as_entry(ban) async for ban in bans.holding(connection, utc)]
            tokens = {one.token_hash: one.until async for one in bans.withdrawn(connection, utc)}
        self.deny_list.catch_up(entries, tokens)

    async def _follow(self) -> None:
        """Reload the deny list after other nodes have changed it. An outage leaves the list in force."""
        looks, known = 0, None
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            looks += 1
            try:
                async with self._database.reading() as connection:
                    found = (await bans.tally(connection), await bans.withdrawn_tally(connection))
                if found != known or looks % ALL_EVERY == 0:
                    await self._read_deny_list()
                    known = found
            except StorageUnavailable:
                continue

    async def _show_life(self) -> None:
        """Record a sign of life every 10 s, and delete expired rows every hour."""
        beats = 0
        while True:
            await asyncio.sleep(SEEN_SECONDS)
            self.spool.put([Change("server.seen", {"start_id": self._start_id, "utc": self._clock.utc()})])
            beats += 1
            if beats % CLEAN_EVERY == 0:
                try:
                    await self.clean()
                except StorageUnavailable as error:
                    _log.warning("storage_unavailable", reason=error.message)

    async def _write(self, changes: Sequence[Change]) -> None:
        await write(self._database, changes)


def _as_entry(ban: bans.Ban) -> Ban:
    """Convert a stored ban to a deny list entry. A moderator may lift a ban that the server imposed."""
    assert ban.identity is not None
    by_role = "member" if ban.by_role == "server" else ban.by_role
    return Ban(ban.identity, ban.room_id, ban.created_at, by_role, ban.expires_at, ban.reason, ban.created_by, ban.id)
