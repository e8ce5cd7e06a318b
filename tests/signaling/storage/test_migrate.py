from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from signaling.cli import database
from signaling.errors import Refusal
from signaling.settings.settings import Settings
from signaling.storage import migrate
from signaling.storage.database import Database, choose_database
from signaling.storage.tables import METADATA


def shape(connection: Connection) -> dict[str, Any]:
    """Everything that the database knows of its tables, in an order of its own."""
    inspector = inspect(connection)
    found: dict[str, Any] = {}
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": sorted(
                (one["name"], str(one["type"]), one["nullable"], str(one["default"]))
                for one in inspector.get_columns(table)
            ),
            "key": inspector.get_pk_constraint(table),
            "foreign": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "checks": sorted((str(one["name"]), one["sqltext"]) for one in inspector.get_check_constraints(table)),
            "indexes": sorted(
                (str(one["name"]), str(one["column_names"]), one["unique"], condition(one))
                for one in inspector.get_indexes(table)
            ),
        }
    return found


def condition(index: Any) -> str:
    return str(next((value for name, value in index["dialect_options"].items() if name.endswith("_where")), ""))


async def test_the_migrations_make_exactly_the_tables_of_the_code(empty_database):
    async with empty_database.transaction() as connection:
        await connection.run_sync(METADATA.create_all)
        wanted = await connection.run_sync(shape)
        await connection.run_sync(METADATA.drop_all)
    await migrate.upgrade(empty_database)
    async with empty_database.reading() as connection:
        assert await connection.run_sync(shape) == wanted
    assert wanted.keys() == METADATA.tables.keys()


def test_the_files_of_the_steps_are_named_by_their_revisions():
    script = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert migrate.revisions() == tuple(reversed([step.revision for step in script.walk_revisions()]))
    assert migrate.revisions()[-1] == script.get_current_head()


async def test_an_upgrade_can_be_taken_back_and_done_again(empty_database):
    found = await migrate.status(empty_database)
    assert (found.state, found.current) == ("empty", None)
    done = await migrate.upgrade(empty_database)
    assert (done.state, done.current) == ("current", done.head)
    assert (await migrate.upgrade(empty_database)) == done
    await migrate.downgrade(empty_database, "0001")
    behind = await migrate.status(empty_database)
    assert (behind.state, behind.current) == ("behind", "0001")
    await migrate.downgrade(empty_database, "base")
    async with empty_database.reading() as connection:
        assert await connection.run_sync(shape) == {}
    assert (await migrate.upgrade(empty_database)).state == "current"


async def test_a_failed_upgrade_leaves_nothing_behind(empty_database):
    async with empty_database.transaction() as connection:
        # The last step will find a table of this name.
        await connection.execute(text("CREATE TABLE webhook_lanes (id INTEGER)"))
        await connection.execute(text("ALTER TABLE webhook_lanes RENAME TO elsewhere"))
        await connection.execute(text("CREATE INDEX ix_webhook_lanes_due ON elsewhere (id)"))
    with pytest.raises(Exception, match="ix_webhook_lanes_due"):
        await migrate.upgrade(empty_database)
    assert (await migrate.status(empty_database)).state == "empty"


async def test_events_outlive_the_change_of_their_table_both_ways(empty_database):
    columns = "position, id, room_id, seq, event, payload, created_at"
    values = "7, 'one', 'lobby', 3, 'room.created', '{}', '2026-01-01 00:00:00'"

    async def kept():
        async with empty_database.reading() as connection:
            return (await connection.execute(text("SELECT position, id, seq FROM outbox"))).all()

    await migrate.upgrade(empty_database)
    async with empty_database.transaction() as connection:
        await connection.execute(text(f"INSERT INTO outbox ({columns}) VALUES ({values})"))
    await migrate.downgrade(empty_database, "0004")
    assert await kept() == [(7, "one", 3)]
    await migrate.upgrade(empty_database)
    assert await kept() == [(7, "one", 3)]


async def test_newer_tables_are_refused_with_a_remedy(database):
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert (await migrate.status(database)).state == "newer"
    for action in (migrate.upgrade(database), migrate.prepare(database)):
        with pytest.raises(Refusal, match="newer") as caught:
            await action
        assert "9999" in caught.value.why
        assert "Run the newer version" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("DROP TABLE invite_uses", "invite_uses"),
        ("ALTER TABLE rooms DROP COLUMN settings", "rooms.settings"),
        ("DROP TABLE alembic_version", "alembic_version"),
        ("INSERT INTO alembic_version (version_num) VALUES ('0001')", "alembic_version"),
    ],
)
async def test_half_migrated_tables_are_refused(database, change, missing):
    async with database.transaction() as connection:
        await connection.execute(text(change))
    found = await migrate.status(database)
    assert (found.state, found.missing) == ("half", (missing,))
    assert found.as_json()["state"] == "half"
    with pytest.raises(Refusal, match="half-migrated") as caught:
        await migrate.prepare(database)
    assert missing in caught.value.why
    assert "backup" in caught.value.remedy


async def test_serving_makes_the_tables_of_an_empty_database(empty_settings):
    database = Database(empty_settings)
    try:
        assert (await migrate.prepare(database)).state == "current"
        assert (await migrate.status(database)).state == "current"
    finally:
        await database.close()


async def test_serving_upgrades_only_a_database_of_its_own(database):
    await migrate.downgrade(database, "0001")
    if database.settings.embedded:
        assert (await migrate.prepare(database)).state == "current"
        return
    with pytest.raises(Refusal, match="older") as caught:
        await migrate.prepare(database)
    assert "parley db upgrade" in caught.value.remedy
    assert (await migrate.status(database)).state == "behind"


async def test_a_database_that_is_not_there_is_a_refusal(tmp_path, free_tcp_port):
    url = f"postgresql://parley@127.0.0.1:{free_tcp_port()}/none"
    settings = replace(choose_database(url, tmp_path), statement_seconds=5.0)
    with pytest.raises(Refusal, match="does not answer") as caught:
        await migrate.prepare(Database(settings))
    assert "DATABASE_URL" in caught.value.remedy


def test_the_commands_look_and_upgrade_on_both(kind, tmp_path, request):
    url = "" if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
    settings = Settings(data_dir=tmp_path, database_url=url)
    if url:
        assert database.look(settings)["state"] == "empty"
    assert database.upgrade(settings)["state"] == "current"
    assert database.look(settings)["state"] == "current"
