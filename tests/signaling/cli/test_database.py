from contextlib import asynccontextmanager

import pytest

from signaling.cli import database
from signaling.cli.database import do
from signaling.errors import ClientMistake, Refusal, StorageUnavailable
from signaling.settings.settings import Settings
from signaling.storage import rooms
from signaling.storage.database import Database
from signaling.storage.pages import PageRequest


async def count(database):
    async with database.reading() as connection:
        return len((await rooms.page(connection, rooms.RoomFilter(), PageRequest())).items)


def test_the_database_is_made_where_there_is_none(tmp_path):
    assert do(Settings(data_dir=tmp_path), count) == 0
    assert (tmp_path / "parley.db").exists()


def test_what_cannot_be_is_a_refusal(tmp_path):
    async def wrong(_database):
        raise ClientMistake("not_found", "there is no such thing")

    with pytest.raises(Refusal, match="no such thing") as caught:
        do(Settings(data_dir=tmp_path), wrong)
    assert caught.value.exit_code == 2


def test_a_database_that_is_away_is_a_refusal(tmp_path, monkeypatch):
    @asynccontextmanager
    async def away(_self):
        raise StorageUnavailable("gone")
        yield

    settings = Settings(data_dir=tmp_path)
    do(settings, count)

    async def write(database):
        async with database.transaction():
            pass

    monkeypatch.setattr(Database, "transaction", away)
    with pytest.raises(Refusal, match="does not answer: gone") as caught:
        do(settings, write)
    assert caught.value.exit_code == 1


def test_the_settings_name_the_database(tmp_path):
    settings = Settings(data_dir=tmp_path, database_pool_size=3, database_statement_timeout=2)
    chosen = database.database_settings(settings)
    assert (chosen.path, chosen.pool_size, chosen.statement_seconds) == (tmp_path / "parley.db", 3, 2.0)
    named = Settings(database_url="postgres://ana:secret@db/parley")
    assert database.database_settings(named).url == "postgresql+asyncpg://ana:secret@db/parley"


def test_a_look_makes_nothing(tmp_path):
    with pytest.raises(Refusal, match="there is no database") as caught:
        database.look(Settings(data_dir=tmp_path / "data"))
    assert "parley db upgrade" in caught.value.remedy
    assert not (tmp_path / "data").exists()


def test_an_upgrade_makes_the_tables(tmp_path):
    settings = Settings(data_dir=tmp_path)
    told = database.upgrade(settings)
    assert told == database.look(settings) == database.upgrade(settings)
    assert told["state"] == "current"
    assert database.as_text(told).endswith("The tables match this version.")


def test_nobody_there_is_a_refusal(free_tcp_port):
    settings = Settings(database_url=f"postgresql://x@127.0.0.1:{free_tcp_port()}/x")
    with pytest.raises(Refusal, match="does not answer"):
        database.look(settings)


@pytest.mark.parametrize("state", database.SENTENCES)
def test_every_state_is_said_with_what_to_do(state):
    told = {"state": state, "current": None, "head": "0003", "missing": ("rooms",)}
    said = database.as_text(told)
    assert "Revision none, this version needs 0003." in said
    assert said.endswith("Wrong or missing: rooms.")
