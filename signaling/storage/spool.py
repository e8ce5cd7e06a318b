"""The spool: changes that wait for the database, in memory and as lines of a file. Pure.

A line is one transaction: `<CRC-32 in hexadecimal> <JSON>`. The checksum detects a truncated or damaged line;
the other lines are still read.
"""

import asyncio
import json
import os
import zlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from signaling.errors import SignalingError, StorageUnavailable


@dataclass(frozen=True, slots=True)
class Change:
    """One write, by its name in `changes`, with JSON values and aware times."""

    kind: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class Decoded:
    """The content of a piece of a file: valid lines, damaged lines verbatim, and the bytes of both."""

    lines: list[tuple[Change, ...]] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    length: int = 0


def encode_line(changes: Sequence[Change]) -> bytes:
    """Return the line of one transaction, with its end. Raises TypeError for a value that JSON cannot represent."""
    body = json.dumps([_outward(change) for change in changes], separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode_lines(data: bytes) -> Decoded:
    """Decode the lines of a piece of a file. Bytes after the last line end are left for the next piece."""
    found = Decoded()
    for line in data.split(b"\n")[:-1]:
        found.length += len(line) + 1
        changes = _decode(line)
        if changes is not None:
            found.lines.append(changes)
        elif line:
            found.damaged.append(line + b"\n")
    return found


def _outward(change: Change) -> list[object]:
    times = [name for name, value in change.values.items() if isinstance(value, datetime)]
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in change.values.items()
    }
    return [change.kind, values, times]


def _decode(line: bytes) -> tuple[Change, ...] | None:
    checksum, space, body = line.partition(b" ")
    if not space or checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        return tuple(_inward(*one) for one in json.loads(body))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _inward(kind: str, values: dict[str, Any], times: list[str]) -> Change:
    if not isinstance(kind, str) or not isinstance(values, dict):
        raise TypeError("a change has a kind and values")
    return Change(kind, {**values, **{name: datetime.fromisoformat(values[name]) for name in times}})


Batch = tuple[Change, ...]
Write = Callable[[Sequence[Change]], Awaitable[None]]
Result = TypeVar("Result")

PATIENCE = 0.5
"""Seconds that changes wait in memory for the database before they go to disk."""
_TOGETHER = 64
"""Maximum batches in one transaction. After an error each gets its own."""
_PIECE = 1 << 20
_REFUSED = (SignalingError, SQLAlchemyError, LookupError, TypeError, ValueError)

_log = structlog.get_logger("signaling.storage")


class Spool:
    """The queue before the database. `write` applies changes in one transaction and raises StorageUnavailable.

    If the database is unreachable or takes longer than `patience` seconds, the backlog goes to the file `path`, which
    is flushed to disk and survives this process. Changes that the database refuses for another reason go to `path`
    with `.refused`, and are logged. `counters` has `spooled`, `written`, `refused` and `damaged`.
    """

    def __init__(self, path: Path, write: Write, *, patience: float = PATIENCE) -> None:
        self.counters: Counter[str] = Counter()
        self._path = path
        self._write = write
        self._patience = patience
        self._memory: deque[Batch] = deque()
        self._read = 0
        self._trouble = ""
        self._news = asyncio.Event()
        self._ending = False
        self._busy = asyncio.Lock()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool")

    def __len__(self) -> int:
        """The number of batches in memory."""
        return len(self._memory)

    @property
    def on_disk(self) -> bool:
        """Whether the file holds changes."""
        return self._path.exists()

    @property
    def bytes_on_disk(self) -> int:
        """The length of the file. Changes already written count until the whole file is."""
        return self._path.stat().st_size if self.on_disk else 0

    def put(self, changes: Sequence[Change]) -> None:
        """Queue changes that form one transaction, in order. Never waits."""
        if changes:
            self._memory.append(tuple(changes))
            self._news.set()

    async def flush(self) -> bool:
        """Write the backlog and return whether the database took it. If not, it is on disk."""
        async with self._busy:
            try:
                if self.on_disk:
                    # The database was unreachable. Finding out whether it still is may take a while.
                    await self._spill()
                while self.on_disk or self._memory:
                    await self._write_file()
                    await self._write_memory()
            except StorageUnavailable as error:
                self._tell("storage_unavailable", error.message)
                await self._spill()
                return False
            except OSError as error:
                self._tell("spool_failed", error.strerror or str(error))
                return False
            self._tell("", "")
            return True

    async def run(self, retry_seconds: float = PATIENCE) -> None:
        """Write queued changes, and retry while the database is unreachable, until `end`.

        Use `end` rather than cancellation: an interrupted write may hold the lock of SQLite for a while.
        """
        if self.on_disk:
            self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            written = await self.flush()
            if self._ending:
                return
            if not written:
                self._news.set()
                await asyncio.sleep(retry_seconds)

    def end(self) -> None:
        """Let `run` write the backlog a last time, and return."""
        self._ending = True
        self._news.set()

    async def close(self, seconds: float | None = None) -> None:
        """Write the backlog for at most `seconds`, or leave it on disk for the next start."""
        try:
            async with asyncio.timeout(seconds):
                await self.flush()
        except TimeoutError:
            _log.warning("storage_slow", waiting=len(self._memory))
        async with self._busy:
            await self._spill()
        self._disk.shutdown()

    async def _write_memory(self) -> None:
        """Write the batches in memory, unless they have gone to disk in the meantime: then the file comes first."""
        while self._memory and not self.on_disk:
            together = [self._memory[at] for at in range(min(_TOGETHER, len(self._memory)))]
            await self._write_all(together)
            for batch in together:
                if self._memory and self._memory[0] is batch:
                    self._memory.popleft()

    async def _patiently(self, changes: Sequence[Change]) -> None:
        """Write changes. If that is slow, all batches in memory, these included, go to disk. Writes are idempotent.

        Raises as `write`.
        """
        writing = asyncio.ensure_future(self._write(changes))
        try:
            while not (await asyncio.wait({writing}, timeout=self._patience))[0]:
                await self._spill()
            writing.result()
        finally:
            if not writing.done():
                writing.cancel()
                await asyncio.wait({writing})

    async def _write_all(self, batches: Sequence[Batch]) -> None:
        """Write all batches in one transaction; if one is refused, each in its own."""
        try:
            await self._patiently([change for batch in batches for change in batch])
        except StorageUnavailable:
            raise
        except _REFUSED as error:
            if len(batches) == 1:
                await self._set_aside(encode_line(batches[0]), "refused", error)
                return
            for batch in batches:
                await self._write_all([batch])
            return
        self.counters["written"] += len(batches)

    async def _write_file(self) -> None:
        """Write the file from where the last attempt ended. Delete it when all of it is written."""
        while self.on_disk:
            data = await self._on_disk(_read_piece, self._path, self._read)
            found = decode_lines(data)
            for line in found.damaged:
                await self._set_aside(line, "damaged")
            for begin in range(0, len(found.lines), _TOGETHER):
                await self._write_all(found.lines[begin : begin + _TOGETHER])
            self._read += found.length
            if not found.length:
                # A line that a crash truncated. Its rest is lost.
                if data:
                    await self._set_aside(data + b"\n", "damaged")
                await self._on_disk(_remove, self._path)
                self._read = 0

    async def _spill(self) -> None:
        waiting = list(self._memory)
        if not waiting:
            return
        try:
            await self._on_disk(_append, self._path, b"".join(map(encode_line, waiting)))
        except OSError as error:
            self._tell("spool_failed", error.strerror or str(error))
            return
        # More batches may have been appended in the meantime.
        for _ in waiting:
            self._memory.popleft()
        self.counters["spooled"] += len(waiting)

    def _tell(self, trouble: str, reason: str) -> None:
        """Log the start and the end of an outage only, as a retry comes twice a second."""
        before = self._trouble
        if trouble == before or (trouble == "storage_unavailable" and before):
            return
        self._trouble = trouble
        if trouble == "storage_unavailable":
            _log.warning(trouble, reason=reason, waiting=len(self._memory))
        elif trouble:
            _log.error(trouble, reason=reason, waiting=len(self._memory))
        else:
            _log.info("storage_available", spooled=self.counters["spooled"])

    async def _set_aside(self, line: bytes, why: str, error: Exception | None = None) -> None:
        self.counters[why] += 1
        aside = self._path.with_name(f"{self._path.name}.refused")
        _log.error("change_set_aside", why=why, reason=type(error).__name__ if error else "", file=str(aside))
        await self._on_disk(_append, aside, line)

    async def _on_disk(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *arguments)


def _read_piece(path: Path, begin: int) -> bytes:
    """Read a megabyte from `begin`, or more if a line is longer."""
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(_PIECE) + file.readline()


def _append(path: Path, data: bytes) -> None:
    """Append all of `data` and flush it to disk, or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        end = os.fstat(handle).st_size
        # End a line that a crash truncated.
        if end and os.pread(handle, 1, end - 1) != b"\n":
            data = b"\n" + data
        try:
            with open(handle, "ab", closefd=False) as file:
                file.write(data)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)
    _sync_folder(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
