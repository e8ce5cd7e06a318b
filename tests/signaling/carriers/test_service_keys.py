from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from signaling.carriers.recent_keys import NOTED_EVERY, REMEMBERED
from signaling.carriers.service_keys import ServiceKeys
from signaling.chance import SYSTEM_CHANCE
from signaling.cli import db_command
from signaling.clock import Clock
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.storage import api_keys
from signaling.storage.api_keys import KeyOrder
from signaling.storage.database import Database
from tests.signaling.serving import settings_for

START = datetime(2026, 1, 1, tzinfo=UTC)


class Door:
    """A database with keys, and a clock that stands."""

    def __init__(self, folder):
        self.now = 0.0
        self.database = Database(db_command.database_settings(settings_for(folder)))
        self.keys = ServiceKeys(self.database, Clock(lambda: self.now, self.utc))
        self.queries = 0

    def utc(self):
        return START + timedelta(seconds=self.now)

    async def make(self, **order):
        chosen = {"name": "game", "created_by": "ops", "scopes": {"room.*"}, **order}
        async with self.database.transaction() as connection:
            return await api_keys.create(connection, KeyOrder(**chosen), self.utc(), SYSTEM_CHANCE)

    async def used_at(self):
        async with self.database.reading() as connection:
            return (await api_keys.every(connection))[0].used_at


@pytest.fixture
async def door(tmp_path, monkeypatch):
    import asyncio

    await asyncio.to_thread(db_command.upgrade, settings_for(tmp_path))
    made = Door(tmp_path)
    verify = api_keys.verify

    async def counted(*arguments):
        made.queries += 1
        return await verify(*arguments)

    monkeypatch.setattr(api_keys, "verify", counted)
    yield made
    await made.database.close()


async def test_a_key_is_looked_up_once_in_some_seconds(door):
    made, text = await door.make(rooms={"den"})
    for _ in range(3):
        service = await door.keys.verify(text)
    assert (service.scopes, service.rooms, service.prefix) == (frozenset({"room.*"}), frozenset({"den"}), made.prefix)
    assert door.queries == 1
    door.now += REMEMBERED
    await door.keys.verify(text)
    assert door.queries == 2


async def test_its_use_is_written_once_a_minute(door):
    _, text = await door.make()
    assert await door.used_at() is None
    await door.keys.verify(text)
    door.now = NOTED_EVERY - 1
    await door.keys.verify(text)
    assert await door.used_at() == START
    door.now = NOTED_EVERY
    await door.keys.verify(text)
    assert await door.used_at() == START + timedelta(seconds=NOTED_EVERY)


async def test_what_is_remembered_ends_with_the_key(door):
    _, text = await door.make(expires_at=START + timedelta(seconds=2))
    await door.keys.verify(text)
    door.now = 2.0
    with pytest.raises(ClientMistake, match="not valid"):
        await door.keys.verify(text)


async def test_a_key_that_is_withdrawn_here_is_forgotten_at_once_and_elsewhere_soon(door):
    made, text = await door.make()
    await door.keys.verify(text)
    async with door.database.transaction() as connection:
        await api_keys.revoke(connection, made.id, door.utc())
    await door.keys.verify(text)
    door.keys.forget(made.id)
    with pytest.raises(ClientMistake, match="not valid"):
        await door.keys.verify(text)


async def test_a_use_that_cannot_be_written_is_no_refusal(door, monkeypatch):
    _, text = await door.make()

    @asynccontextmanager
    async def away():
        raise StorageUnavailable("gone")
        yield

    monkeypatch.setattr(door.database, "transaction", away)
    with capture_logs() as logs:
        assert (await door.keys.verify(text)).scopes == {"room.*"}
    assert [line["event"] for line in logs] == ["key_use_not_written"]
