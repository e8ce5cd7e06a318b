"""Whether an error of a driver says that the database is away, rather than that a statement is wrong."""

import sqlite3
from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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

CAUGHT: tuple[type[Exception], ...] = (
    DBAPIError,
    PoolTimeout,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
"""What may be an outage: ask `is_outage`."""


def is_outage(error: Exception) -> bool:
    """Whether to answer `storage_unavailable` and to try again, rather than to look for our own mistake."""
    if isinstance(error, IntegrityError):
        return False
    if isinstance(error, PoolTimeout) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return True
    return any(map(_says_outage, _causes(error)))


def is_conflict(error: IntegrityError) -> bool:
    """Whether a row with the same key was there, rather than a constraint that we should have kept."""
    return any(
        getattr(cause, "sqlstate", None) == asyncpg.UniqueViolationError.sqlstate
        or getattr(cause, "sqlite_errorcode", None) in _SQLITE_CONFLICTS
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what the driver said beneath it."""
    while error is not None:
        yield error
        error = getattr(error, "orig", None) or error.__cause__


def _says_outage(cause: BaseException) -> bool:
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in _SQLITE
    if state := getattr(cause, "sqlstate", None):
        return str(state).startswith(_POSTGRESQL)
    return isinstance(cause, asyncpg.InterfaceError | OSError | TimeoutError)
