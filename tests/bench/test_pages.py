"""The long lists of `bench.signaling`, short: what fills the tables fits them on both databases, and pages go on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from bench import pages
from signaling.storage.database import Database, choose_database
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize("kind", pages.KINDS)
def test_the_rows_fit_the_tables_and_are_spread_over_the_busy_rooms(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(pages, "ROOMS", 300)
    monkeypatch.setattr(pages, "PEOPLE", 1000)
    url = f"sqlite:///{tmp_path}/pages.db" if kind == "sqlite" else postgres.new_database()
    asyncio.run(pages._fill(kind, tmp_path, url))
    assert asyncio.run(_counts(url, tmp_path)) == [300, pages.BUSY_ROOMS, 1000, 1000 // pages.BUSY_ROOMS]


async def _counts(url: str, folder: Path) -> list[int]:
    database = Database(choose_database(url, folder, statement_seconds=20.0))
    await database.open()
    asked = (
        "SELECT count(*) FROM rooms",
        "SELECT count(*) FROM calls",
        "SELECT count(*) FROM participants JOIN calls ON calls.id = call_id AND calls.room_id = participants.room_id",
        "SELECT count(*) FROM participants WHERE room_id = 'room-0000007'",
    )
    try:
        async with database.reading() as connection:
            return [(await connection.execute(text(one))).scalar_one() for one in asked]
    finally:
        await database.close()


def test_each_list_is_asked_for_in_pages_by_whoever_may() -> None:
    rooms, history = pages._room_lists(), pages._history_lists()
    assert {room for _, room in rooms} == {""}
    assert all(room in path for path, room in history)
    for path, _ in rooms + history:
        assert parse_qs(urlsplit(path).query)["limit"] == [str(pages.PAGE)]
