from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from signaling.carriers import service_keys
from signaling.carriers.service_keys import NOTED_EVERY, REMEMBERED, RecentKeys, ServiceKeys
from signaling.cli import database
from signaling.clock import SYSTEM_CHANCE, Clock
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.storage import api_keys
from signaling.storage.api_keys import ApiKey, KeyOrder
from signaling.storage.database import Database
from tests.signaling.serving import settings_for


def key(number: int = 1) -> ApiKey:
    return ApiKey(
        id=f"k{number}",
        prefix="p",
        name="game",
        scopes=("*",),
        rooms=None,
        created_by="ops",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_a_key_is_remembered_for_some_seconds_and_no_secret_is_kept() -> None:
    keys = RecentKeys()
    keys.keep("parley_x_secret", key(), 10.0)
    assert keys.find("parley_x_secret", 10.0 + REMEMBERED - 0.1) == key()
    assert keys.find("parley_x_secret", 10.0 + REMEMBERED) is None
    assert keys.find("parley_x_other", 10.0) is None
    assert "secret" not in repr(vars(keys))


def test_a_key_that_is_withdrawn_is_forgotten() -> None:
    keys = RecentKeys()
    keys.keep("a", key(1), 0.0)
    keys.keep("b", key(2), 0.0)
    keys.forget("k1")
    assert (keys.find("a", 0.0), keys.find("b", 0.0)) == (None, key(2))


def test_a_use_is_noted_once_a_minute() -> None:
    keys = RecentKeys()
    times = [0.0, 1.0, NOTED_EVERY - 0.1, NOTED_EVERY, NOTED_EVERY + 1]
    assert [keys.is_to_be_noted("k1", now) for now in times] == [True, False, False, True, False]
    assert keys.is_to_be_noted("k2", 1.0)


def test_what_is_remembered_is_bounded(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(service_keys, "MOST", 2)
    keys = RecentKeys()
    for name in ("a", "b", "c"):
        keys.keep(name, key(), 0.0)
        keys.is_to_be_noted(name, 0.0)
    assert [keys.find(name, 0.0) is not None for name in ("a", "b", "c")] == [False, True, True]
    assert keys.is_to_be_noted("a", 0.0)
    assert not keys.is_to_be_noted("c", 0.0)


START = datetime(2026, 1, 1, tzinfo=UTC)


class Door:
    """A database with keys, and a clock that stands."""

    def __init__(self, folder):
        self.now = 0.0
        self.database = Database(database.database_settings(settings_for(folder)))
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

    await asyncio.to_thread(database.upgrade, settings_for(tmp_path))
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
