import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from signaling.storage.outages import CAUGHT, is_conflict, is_outage


def sqlite_error(code, kind=sqlite3.OperationalError):
    error = kind("x")
    error.sqlite_errorcode = code
    return error


def chained(cause):
    """As SQLAlchemy's asyncpg dialect hands an error on."""
    error = RuntimeError("translated")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeout("x"),
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.InterfaceError("x"),
        DBAPIError("s", None, chained(asyncpg.AdminShutdownError("x"))),
        DBAPIError("s", None, chained(asyncpg.QueryCanceledError("x"))),
        DBAPIError("s", None, chained(asyncpg.DeadlockDetectedError("x"))),
        DBAPIError("s", None, chained(ConnectionResetError())),
        DBAPIError("s", None, RuntimeError("x"), connection_invalidated=True),
        OperationalError("s", None, sqlite_error(sqlite3.SQLITE_BUSY)),
        OperationalError("s", None, sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT)),
        OperationalError("s", None, sqlite_error(sqlite3.SQLITE_FULL)),
        OperationalError("s", None, sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED)),
    ],
)
def test_the_database_is_away(error):
    assert isinstance(error, CAUGHT)
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("s", None, chained(asyncpg.UniqueViolationError("x"))),
        DBAPIError("s", None, chained(asyncpg.UndefinedTableError("x"))),
        OperationalError("s", None, sqlite_error(sqlite3.SQLITE_ERROR)),
        DBAPIError("s", None, RuntimeError("x")),
    ],
)
def test_the_statement_is_wrong(error):
    assert not is_outage(error)


def test_a_row_that_was_there_is_told_from_one_that_makes_no_sense():
    unique = sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.IntegrityError)
    check = sqlite_error(sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.IntegrityError)
    assert is_conflict(IntegrityError("s", None, unique))
    assert not is_conflict(IntegrityError("s", None, check))
    assert is_conflict(IntegrityError("s", None, chained(asyncpg.UniqueViolationError("x"))))
    assert not is_conflict(IntegrityError("s", None, chained(asyncpg.ForeignKeyViolationError("x"))))
