"""Every test that takes `database` runs twice: on SQLite, and on a real PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest

from signaling.storage import migrate
from signaling.storage.database import Database, DatabaseSettings, choose_database
from tests.support.postgres import PostgresServer

KINDS = ("sqlite", "postgresql")
SECONDS = 20.0


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for this worker."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_settings(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> DatabaseSettings:
    """A database without tables."""
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
    return choose_database(url, tmp_path, pool_size=5, statement_seconds=SECONDS)


@pytest.fixture
async def empty_database(empty_settings: DatabaseSettings) -> AsyncIterator[Database]:
    async with opened(empty_settings) as database:
        yield database


@pytest.fixture(scope="session")
def made_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A call gives a database of that kind with all tables, to be copied: the file's path, or the database's name."""

    async def make(settings: DatabaseSettings) -> None:
        async with opened(settings) as database:
            await migrate.upgrade(database)

    @cache
    def of(kind: str) -> str:
        url = "" if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
        settings = choose_database(url, tmp_path_factory.mktemp("database"), statement_seconds=SECONDS)
        asyncio.run(make(settings))
        return str(settings.path or url.rpartition("/")[2])

    return of


@pytest.fixture
def ready_settings(
    kind: str, tmp_path: Path, made_once: Callable[[str], str], request: pytest.FixtureRequest
) -> DatabaseSettings:
    """A database with all tables, and nothing in them."""
    template = made_once(kind)
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres").new_database(template)
    settings = choose_database(url, tmp_path, pool_size=5, statement_seconds=SECONDS)
    if settings.path is not None:
        shutil.copyfile(template, settings.path)
    return settings


@pytest.fixture
async def database(ready_settings: DatabaseSettings) -> AsyncIterator[Database]:
    """The same, opened."""
    async with opened(ready_settings) as one:
        yield one


@asynccontextmanager
async def opened(settings: DatabaseSettings) -> AsyncIterator[Database]:
    one = Database(settings)
    try:
        await one.open()
        yield one
    finally:
        await one.close()
