from contextlib import asynccontextmanager

import pytest

from signaling.cli.database_work import do
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.refusals import Refusal
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
