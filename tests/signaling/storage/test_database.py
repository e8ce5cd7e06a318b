import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from signaling.errors import ERRORS, Refusal, StorageUnavailable
from signaling.storage import database as module
from signaling.storage import migrate
from signaling.storage.database import Database, caught, choose_database, is_conflict, is_outage
from tests.signaling.conftest import opened
from tests.support.tcp_proxy import TcpProxy


def test_without_a_url_the_database_is_a_file_of_the_data_folder():
    chosen = choose_database("", Path("data"))
    assert (chosen.kind, chosen.path, chosen.embedded) == ("sqlite", Path("data/parley.db"), True)


@pytest.mark.parametrize(("url", "path"), [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////var/b.db", "/var/b.db")])
def test_a_sqlite_database_may_be_anywhere(url, path):
    assert choose_database(url, Path("data")).path == Path(path)


@pytest.mark.parametrize(
    ("url", "rewritten", "ssl"),
    [
        ("postgresql://a:b%40c@h:1/n", "postgresql+asyncpg://a:b%40c@h:1/n", None),
        ("postgres://h/n?sslmode=require", "postgresql+asyncpg://h/n", "require"),
        ("postgresql:///n?host=%2Frun", "postgresql+asyncpg:///n?host=%2Frun", None),
    ],
)
def test_a_postgresql_url_becomes_what_the_driver_takes(url, rewritten, ssl):
    chosen = choose_database(url, Path("data"), pool_size=3, statement_seconds=2.0)
    assert (chosen.url, chosen.ssl, chosen.path, chosen.embedded) == (rewritten, ssl, None, False)
    assert (chosen.pool_size, chosen.statement_seconds) == (3, 2.0)


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
    assert isinstance(error, caught())
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


COUNT = text("SELECT count(*) FROM things")
ADD = text("INSERT INTO things (id) VALUES (:id)")


MOMENT = 0.05


@contextmanager
def counting_moments():
    """A list that grows by one for each MOMENT, in seconds, in which the loop of the test runs at all."""
    loop, moments = asyncio.get_running_loop(), []

    def pass_one():
        nonlocal timer
        moments.append(loop.time())
        timer = loop.call_later(MOMENT, pass_one)

    timer = loop.call_later(MOMENT, pass_one)
    try:
        yield moments
    finally:
        timer.cancel()


async def make_things(database):
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))


async def count(database):
    async with database.reading() as connection:
        return (await connection.execute(COUNT)).scalar_one()


@pytest.fixture
def file(tmp_path):
    return choose_database("", tmp_path / "data", statement_seconds=5.0)


async def test_a_transaction_is_done_or_it_is_not(empty_database):
    await make_things(empty_database)
    async with empty_database.transaction() as connection:
        await connection.execute(ADD, {"id": 1})
    with pytest.raises(RuntimeError, match="half-way"):  # noqa: PT012 - the transaction must end by it
        async with empty_database.transaction() as connection:
            await connection.execute(ADD, {"id": 2})
            raise RuntimeError("half-way")
    with pytest.raises(IntegrityError):  # noqa: PT012 - the transaction must end by it
        async with empty_database.transaction() as connection:
            await connection.execute(ADD, {"id": 3})
            await connection.execute(ADD, {"id": 1})
    assert await count(empty_database) == 1


async def test_a_cancelled_transaction_leaves_nothing_and_frees_its_place(empty_database):
    await make_things(empty_database)
    inside, never = asyncio.Event(), asyncio.Event()

    async def stuck():
        async with empty_database.transaction() as connection:
            await connection.execute(ADD, {"id": 1})
            inside.set()
            await never.wait()

    task = asyncio.create_task(stuck())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with empty_database.transaction() as connection:
        await connection.execute(ADD, {"id": 2})
    assert await count(empty_database) == 1


async def test_many_writers_at_once_all_get_their_turn(empty_database):
    await make_things(empty_database)

    async def write(number):
        async with empty_database.transaction() as connection:
            await connection.execute(COUNT)
            await connection.execute(ADD, {"id": number})

    await asyncio.gather(*(write(number) for number in range(50)))
    assert await count(empty_database) == 50


async def test_readers_do_not_wait_for_a_writer(empty_database):
    await make_things(empty_database)
    async with empty_database.transaction() as connection:
        await connection.execute(ADD, {"id": 1})
        assert await count(empty_database) == 0


async def test_a_wrong_statement_is_our_mistake_and_no_outage(empty_database):
    with pytest.raises(DBAPIError):
        async with empty_database.reading() as connection:
            await connection.execute(text("SELECT * FROM nothing"))


async def test_a_statement_has_a_time_limit(empty_settings):
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        if empty_settings.embedded
        else "SELECT pg_sleep(60)"
    )
    async with opened(replace(empty_settings, statement_seconds=0.3)) as database:
        with pytest.raises(StorageUnavailable):
            async with database.reading() as connection:
                await connection.execute(text(endless))
        await database.ping()


async def test_a_pool_that_is_used_up_is_an_outage_and_no_wait_for_ever(empty_settings):
    async with opened(replace(empty_settings, statement_seconds=0.3, pool_size=1)) as database, database.reading():
        with pytest.raises(StorageUnavailable):
            async with database.reading():
                pass


# -- SQLite ---------------------------------------------------------------------------------------------------------


async def test_the_file_is_made_at_first_start_and_set_up(file):
    async with opened(file) as database, database.reading() as connection:
        found = {}
        for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout"):
            found[pragma] = (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one()
    assert found == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 5000}
    assert file.path.stat().st_mode & 0o777 == 0o600


async def test_a_folder_that_cannot_be_had_is_said(tmp_path):
    (tmp_path / "data").write_text("a file is in the way")
    with pytest.raises(Refusal, match="cannot be used") as caught:
        async with opened(choose_database("", tmp_path / "data")):
            pass
    assert "PARLEY_DATA_DIR" in caught.value.remedy


@pytest.mark.parametrize("harm", ["middle", "head", "tail", "cut", "other"])
async def test_a_damaged_file_is_refused_with_a_remedy(file, harm):
    async with opened(file) as database:
        await migrate.upgrade(database)
    data = bytearray(file.path.read_bytes())
    if harm == "middle":
        data[4096:] = os.urandom(len(data) - 4096)
    elif harm == "head":
        data[100:200] = bytes(100)
    elif harm == "tail":
        data[-4096:] = os.urandom(4096)
    elif harm == "cut":
        del data[-4096:]
    else:
        data = bytearray(b"This is a letter, and no database at all. " * 100)
    file.path.write_bytes(data)
    with pytest.raises(Refusal, match="damaged") as caught:
        async with opened(file):
            pass
    assert "backup" in caught.value.remedy
    assert "\n" not in caught.value.why
    assert str(file.path) in caught.value.what


async def test_a_file_that_cannot_be_written_is_an_outage(file):
    async with opened(file) as database:
        await make_things(database)
        async with database.transaction() as connection:
            await connection.execute(text("PRAGMA query_only = ON"))
            with pytest.raises(DBAPIError, match="readonly"):
                await connection.execute(ADD, {"id": 1})
            await connection.execute(text("PRAGMA query_only = OFF"))
        with pytest.raises(StorageUnavailable, match="readonly"):  # noqa: PT012 - the transaction must end by it
            async with database.transaction() as connection:
                await connection.execute(text("PRAGMA query_only = ON"))
                await connection.execute(ADD, {"id": 1})


async def test_a_lock_of_another_process_stalls_nobody_but_the_writer(file):
    async with opened(replace(file, statement_seconds=0.5)) as database:
        await make_things(database)
        with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            loop = asyncio.get_running_loop()
            ticks: list[float] = []

            async def tick():
                while True:
                    ticks.append(loop.time())
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            with pytest.raises(StorageUnavailable, match="locked"):
                async with database.transaction() as connection:
                    await connection.execute(ADD, {"id": 1})
            assert await count(database) == 0
            ticking.cancel()
            await asyncio.wait({ticking})
            other.execute("ROLLBACK")
        gaps = sorted(after - before for before, after in pairwise(ticks))
        assert ticks[-1] - ticks[0] > 0.4
        assert gaps[int(len(gaps) * 0.999)] < 0.05
        async with database.transaction() as connection:
            await connection.execute(ADD, {"id": 1})


WRITER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from signaling.storage.database import Database, choose_database

async def main():
    database = Database(choose_database("", Path(sys.argv[1])))
    await database.open()
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
    number = 0
    while True:
        async with database.transaction() as connection:
            for _ in range(10):
                number += 1
                await connection.execute(text("INSERT INTO things (id) VALUES (:id)"), {"id": number})
        print(number, flush=True)
        if number == 100:
            async with database.transaction() as connection:
                await connection.execute(text("INSERT INTO things (id) VALUES (1000000)"))
                print("inside", flush=True)
                await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_writer_killed_in_a_transaction_leaves_what_was_committed(file):
    command = [sys.executable, "-c", WRITER, str(file.path.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline().strip() for _ in range(11)]
        process.send_signal(signal.SIGKILL)
    assert said == [*(str(number) for number in range(10, 101, 10)), "inside"]

    async def look():
        async with opened(file) as database:
            return await count(database)

    assert asyncio.run(look()) == 100


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


async def test_a_postgresql_that_stops_and_comes_back(tmp_path, postgres):
    settings = choose_database(postgres.new_database(), tmp_path, pool_size=3, statement_seconds=5.0)
    async with opened(settings) as database:
        await make_things(database)
        await asyncio.to_thread(postgres.stop, "immediate")
        try:
            for _ in range(2):
                with pytest.raises(StorageUnavailable):
                    async with database.transaction() as connection:
                        await connection.execute(ADD, {"id": 1})
            with pytest.raises(StorageUnavailable):
                await database.ping()
        finally:
            await asyncio.to_thread(postgres.start)
        await database.ping()
        async with database.transaction() as connection:
            await connection.execute(ADD, {"id": 1})
        assert await count(database) == 1


async def test_a_connection_that_breaks_in_a_transaction_is_an_outage(tmp_path, postgres):
    url = postgres.new_database()
    proxy = TcpProxy(postgres.port)
    await proxy.start()
    try:
        through = postgres.url(url.rpartition("/")[2], proxy.port)
        async with opened(choose_database(through, tmp_path, pool_size=2, statement_seconds=5.0)) as database:
            await make_things(database)
            with pytest.raises(StorageUnavailable):  # noqa: PT012 - the transaction must end by it
                async with database.transaction() as connection:
                    await connection.execute(ADD, {"id": 1})
                    await proxy.cut(reset=True)
                    await connection.execute(ADD, {"id": 2})
            assert await count(database) == 0
    finally:
        await proxy.close()


async def test_a_database_that_hangs_is_told_within_the_time_limit(tmp_path, postgres):
    url = postgres.new_database()
    proxy = TcpProxy(postgres.port)
    await proxy.start()
    try:
        through = postgres.url(url.rpartition("/")[2], proxy.port)
        async with opened(choose_database(through, tmp_path, pool_size=2, statement_seconds=0.5)) as database:
            await proxy.hang()
            with counting_moments() as moments:
                for _ in range(2):
                    with pytest.raises(StorageUnavailable, match="no answer"):
                        await database.ping(0.2)
                assert len(moments) * MOMENT < 2.0
                with pytest.raises(StorageUnavailable):
                    async with database.transaction() as connection:
                        await connection.execute(text("SELECT 1"))
                assert len(moments) * MOMENT < 10.0
    finally:
        await proxy.close()


async def test_a_postgresql_that_is_too_old_is_refused_with_a_remedy(tmp_path, postgres, monkeypatch):
    settings = choose_database(postgres.new_database(), tmp_path, statement_seconds=5.0)
    async with opened(settings):
        pass
    monkeypatch.setattr(module, "LEAST_POSTGRESQL", 99)
    with pytest.raises(Refusal, match="too old") as caught:
        async with opened(settings):
            pass
    assert "needs 99" in caught.value.why
    assert "DATABASE_URL" in caught.value.remedy


async def test_nobody_there_is_an_outage(tmp_path, free_tcp_port):
    settings = choose_database(f"postgresql://x@127.0.0.1:{free_tcp_port()}/x", tmp_path, statement_seconds=5.0)
    database = Database(settings)
    with pytest.raises(StorageUnavailable) as caught:
        await database.open()
    assert caught.value.code == "storage_unavailable"
    assert ERRORS["storage_unavailable"].status == 503
    await database.close()
