"""The database: its URL, connections, transactions, and outages. Pure."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from signaling.clock import SYSTEM_CLOCK
from signaling.errors import Refusal, StorageUnavailable

FILE = "parley.db"
"""File name in the data folder, used without a database URL."""


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """One database. `path` is set for SQLite only. Times are seconds.

    `statement_seconds` bounds one statement, the wait for a lock, and the wait for a free connection.
    """

    kind: Literal["sqlite", "postgresql"]
    url: str
    path: Path | None = None
    ssl: str | None = None
    pool_size: int = 10
    statement_seconds: float = 5.0

    @property
    def embedded(self) -> bool:
        """The database is a file used by this server only."""
        return self.kind == "sqlite"


def choose_database(
    url: str, data_dir: Path, *, pool_size: int = 10, statement_seconds: float = 5.0
) -> DatabaseSettings:
    """Return the settings for a URL checked by `types.check_database_url`. An empty one is the embedded database."""
    parts = urlsplit(url)
    if not url or parts.scheme == "sqlite":
        path = Path(parts.path[1:]) if url else data_dir / FILE
        return DatabaseSettings("sqlite", "", path, None, pool_size, statement_seconds)
    query = dict(parse_qsl(parts.query))
    ssl = query.pop("sslmode", None)
    rewritten = f"postgresql+asyncpg://{parts.netloc}{parts.path}" + (f"?{urlencode(query)}" if query else "")
    return DatabaseSettings("postgresql", rewritten, None, ssl, pool_size, statement_seconds)


_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)
_SQLITE_CONFLICTS = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)
_POSTGRESQL = ("08", "25006", "28", "3D000", "40", "53", "55P03", "57", "58", "XX")
"""SQLSTATE classes and codes: connection, read-only, authorisation, no such database, deadlock, resources, lock,
operator (shut down, cancelled for its time limit), system, internal."""

_UNIQUE_VIOLATION = "23505"


def caught() -> tuple[type[Exception], ...]:
    """Return the error types that may be an outage. `is_outage` decides."""
    return (DBAPIError, PoolTimeout, OSError, TimeoutError, *_driver_errors("PostgresError", "InterfaceError"))


def is_outage(error: Exception) -> bool:
    """Whether the error is an outage (answer `storage_unavailable`, retry) and not a mistake of our own."""
    if isinstance(error, IntegrityError):
        return False
    if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    return any(map(_says_outage, _causes(error)))


def is_conflict(error: IntegrityError) -> bool:
    """Whether a row with the same key exists, as opposed to a violated constraint of another kind."""
    return any(
        getattr(cause, "sqlstate", None) == _UNIQUE_VIOLATION
        or getattr(cause, "sqlite_errorcode", None) in _SQLITE_CONFLICTS
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and the driver's errors beneath it."""
    while error is not None:
        yield error
        error = getattr(error, "orig", None) or error.__cause__


def _says_outage(cause: BaseException) -> bool:
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _SQLITE
    if state := getattr(cause, "sqlstate", None):
        return str(state).startswith(_POSTGRESQL)
    return isinstance(cause, (OSError, TimeoutError, *_driver_errors("InterfaceError")))


def _driver_errors(*names: str) -> tuple[type[Exception], ...]:
    """Return error types of asyncpg. A process on SQLite never imports it, so nothing raises them there."""
    asyncpg: Any = sys.modules.get("asyncpg")
    return () if asyncpg is None else tuple(getattr(asyncpg, name) for name in names)


PING_SECONDS = 2.0
LEAST_POSTGRESQL = 15
"""The oldest supported major version."""
_STEPS = 20_000
"""SQLite virtual machine instructions between two checks of the time limit: some milliseconds."""
_READING = "parley_reading"
_DEADLINE = "parley_deadline"


class Database:
    """A database and its connections. Call `open` first, `close` at the end."""

    def __init__(self, settings: DatabaseSettings, now: Callable[[], float] = SYSTEM_CLOCK.now) -> None:
        self.settings = settings
        self._now = now
        self._engine = _make_engine(settings, now)
        self._writing = asyncio.Lock() if settings.embedded else None
        self._asking: asyncio.Task[None] | None = None

    async def open(self, seconds: float | None = None) -> None:
        """Create a missing file, check its integrity, and check that the database answers within `seconds`.

        Raises Refusal for a damaged or inaccessible file and for a PostgreSQL that is too old, StorageUnavailable
        if the database does not answer.
        """
        if self.settings.path is not None:
            _make_file(self.settings)
            await self._check_file()
        await self.ping(self.settings.statement_seconds if seconds is None else seconds)
        if not self.settings.embedded:
            await self._check_version()

    async def close(self) -> None:
        """Close all connections. A pending ping is abandoned."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits at the end, or rolls back if the block raises.

        Do nothing slow in the block, and no other I/O. Raises StorageUnavailable. Then nothing was written, unless the
        connection broke during the commit: make writes idempotent.
        """
        async with _translated(), self._turn(), self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a snapshot for reading that does not wait for writers. Raises StorageUnavailable."""
        async with _translated(), self._engine.connect() as connection:
            await connection.execution_options(**{_READING: True})
            async with connection.begin():
                yield connection

    async def ping(self, seconds: float = PING_SECONDS) -> None:
        """Check that the database answers within `seconds`. Raises StorageUnavailable.

        At most one query is pending: the next ping waits for an unanswered one.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="database-ping")
            self._asking.add_done_callback(_take_note)
        asking = self._asking
        await asyncio.wait({asking}, timeout=seconds)
        if not asking.done():
            raise StorageUnavailable(f"no answer from the database within {seconds:g} s")
        asking.result()

    async def _ask(self) -> None:
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._writing is None:
            yield
            return
        async with asyncio.timeout(self.settings.statement_seconds):
            await self._writing.acquire()
        try:
            yield
        finally:
            self._writing.release()

    async def _check_file(self) -> None:
        try:
            async with self.reading() as connection:
                said = (await connection.execute(text("PRAGMA quick_check(1)"))).scalar_one()
        except (StorageUnavailable, DatabaseError) as error:
            raise _damaged(self.settings, str(error.__cause__ or error).partition("\n")[0]) from error
        if said != "ok":
            raise _damaged(self.settings, " ".join(said.split()))

    async def _check_version(self) -> None:
        async with self.reading() as connection:
            number = int((await connection.execute(text("SHOW server_version_num"))).scalar_one())
        if number < LEAST_POSTGRESQL * 10_000:
            raise Refusal(
                "the PostgreSQL of the database is too old",
                f"it is version {number // 10_000}, and this server needs {LEAST_POSTGRESQL} or newer",
                "Upgrade it, or correct DATABASE_URL. Without that variable the server uses its own SQLite file.",
            )


def _make_engine(settings: DatabaseSettings, now: Callable[[], float]) -> AsyncEngine:
    options: dict[str, Any] = {
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.statement_seconds,
        "pool_pre_ping": not settings.embedded,
        "hide_parameters": True,
    }
    if settings.path is not None:
        url = URL.create("sqlite+aiosqlite", database=str(settings.path))
        # The driver does not begin transactions: see _begin.
        engine = create_async_engine(url, connect_args={"isolation_level": None}, **options)
        _prepare_sqlite(engine, settings.statement_seconds, now)
        return engine
    milliseconds = str(max(1, round(settings.statement_seconds * 1000)))
    arguments: dict[str, Any] = {
        "timeout": settings.statement_seconds,
        # The server times statements out itself. This is for a server that no longer responds.
        "command_timeout": settings.statement_seconds + 1.0,
        "server_settings": {
            "application_name": "parley",
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": "60000",
            "jit": "off",
        },
    }
    if settings.ssl is not None:
        arguments["ssl"] = settings.ssl
    return create_async_engine(make_url(settings.url), connect_args=arguments, **options)


def _prepare_sqlite(engine: AsyncEngine, seconds: float, now: Callable[[], float]) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def _connected(driver: Any, record: Any) -> None:
        deadline = record.info[_DEADLINE] = [float("inf")]
        cursor = driver.cursor()
        for pragma in (
            f"busy_timeout = {round(seconds * 1000)}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "journal_size_limit = 67108864",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        driver.run_async(lambda connection: connection.set_progress_handler(lambda: now() > deadline[0], _STEPS))

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _executing(connection: Connection, *_: Any) -> None:
        connection.info[_DEADLINE][0] = now() + seconds


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except caught() as error:
        if is_outage(error):
            raise StorageUnavailable(str(error).partition("\n")[0] or type(error).__name__) from error
        raise


def _take_note(asked: asyncio.Task[None]) -> None:
    """Retrieve the result, as the caller may have stopped waiting for it."""
    if not asked.cancelled():
        asked.exception()


def _make_file(settings: DatabaseSettings) -> None:
    assert settings.path is not None
    try:
        settings.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(settings.path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise Refusal(
            f"the database {settings.path} cannot be used",
            f"{error.strerror or error}",
            "Make its folder writable for this user, or choose another with PARLEY_DATA_DIR or --data-dir.",
        ) from error


def _damaged(settings: DatabaseSettings, why: str) -> Refusal:
    return Refusal(
        f"the database {settings.path} is damaged or not a SQLite database",
        why,
        f"Restore it from a backup, or rescue what is left with `sqlite3 {settings.path} .recover`;"
        " the server starts with none at all where you move the file away.",
    )
