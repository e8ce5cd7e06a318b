"""The state of the tables, and their upgrade to this version.

All steps of an upgrade are one transaction, on both databases: it is done, or it is not. Two servers that start at once
upgrade one after the other, and the second finds nothing to do.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from signaling.errors import Refusal, StorageUnavailable
from signaling.storage.database import Database, DatabaseSettings
from signaling.storage.tables import METADATA

UPGRADE_SECONDS = 3600.0
"""For one statement of an upgrade: an index on a long history takes its time."""
_LOCK = 0x706172  # any number: it names the upgrade of Parley in PostgreSQL
_SCRIPTS = Path(__file__).parent / "migrations"

State = Literal["empty", "current", "behind", "newer", "half"]


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Where the tables are. `current` is their revision, `head` the one of this version.

    `half` says that tables and revision do not belong together; `missing` names what is not there.
    """

    state: State
    current: str | None
    head: str
    missing: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


async def status(database: Database) -> MigrationStatus:
    """In what state the tables are. Raises StorageUnavailable."""
    async with database.reading() as connection:
        return await connection.run_sync(_look)


async def upgrade(database: Database) -> MigrationStatus:
    """Bring the tables to this version. Raises Refusal for what cannot be upgraded, StorageUnavailable."""
    async with database.transaction() as connection:
        if not database.settings.embedded:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _LOCK})
        before = await connection.run_sync(_look)
        _refuse_unusable(before)
        if before.state != "current":
            await connection.run_sync(_run, command.upgrade, "head")
        return await connection.run_sync(_look)


async def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to an older revision, or to `base`. What only the newer ones hold is lost."""
    async with database.transaction() as connection:
        await connection.run_sync(_run, command.downgrade, revision)


async def prepare(settings: DatabaseSettings) -> MigrationStatus:
    """Make the database ready to be served from: what `serve` does before anything else.

    An embedded or an empty database is upgraded; another one only by `parley db upgrade`, as other servers may be
    running on it. Raises Refusal, which says what to do.
    """
    database = Database(replace(settings, statement_seconds=UPGRADE_SECONDS, pool_size=1))
    try:
        await open_or_refuse(database, settings.statement_seconds)
        found = await status(database)
        if found.state == "behind" and not settings.embedded:
            raise Refusal(
                "the tables of the database are older than this version",
                f"they are at {found.current}, and this version needs {found.head}",
                "Stop the servers that use it, make a backup, and run `parley db upgrade`.",
            )
        return await upgrade(database)
    finally:
        await database.close()


async def open_or_refuse(database: Database, seconds: float | None = None) -> None:
    """Open it; a database that does not answer within `seconds` is a Refusal here, as nothing runs yet."""
    try:
        await database.open(seconds)
    except StorageUnavailable as error:
        raise Refusal(
            "the database does not answer",
            error.message,
            "Start it, or correct DATABASE_URL. Without that variable the server uses its own SQLite file.",
        ) from error


def _refuse_unusable(found: MigrationStatus) -> None:
    if found.state == "newer":
        raise Refusal(
            "the tables of the database are newer than this version",
            f"they are at {found.current}, which this version does not know; its own are {found.head}",
            "Run the newer version again, or restore the backup that was made before it.",
        )
    if found.state == "half":
        raise Refusal(
            "the tables of the database are half-migrated",
            f"the revision is {found.current or 'not known'}, and {', '.join(found.missing)} is not as it should be",
            "Restore a backup, or start with an empty database. Nothing was changed.",
        )


def _look(connection: Connection) -> MigrationStatus:
    script = ScriptDirectory(str(_SCRIPTS))
    head = script.get_current_head()
    assert head is not None
    revisions = MigrationContext.configure(connection).get_current_heads()
    known = {revision.revision for revision in script.walk_revisions()}
    present = set(inspect(connection).get_table_names())
    ours = sorted(name for name in METADATA.tables if name in present)
    current = ", ".join(sorted(revisions)) or None
    if not revisions:
        return MigrationStatus("half" if ours else "empty", None, head, ("alembic_version",) if ours else ())
    if not set(revisions) <= known:
        return MigrationStatus("newer", current, head)
    if len(revisions) > 1:
        return MigrationStatus("half", current, head, ("alembic_version",))
    if current != head:
        return MigrationStatus("behind", current, head)
    missing = tuple(sorted({*METADATA.tables} - present)) or _missing_columns(connection)
    return MigrationStatus("half" if missing else "current", current, head, missing)


def _missing_columns(connection: Connection) -> tuple[str, ...]:
    found = inspect(connection).get_multi_columns()
    columns = {(table, column["name"]) for (_, table), each in found.items() for column in each}
    wanted = {(table.name, column.name) for table in METADATA.tables.values() for column in table.columns}
    return tuple(sorted(f"{table}.{column}" for table, column in wanted - columns))


def _run(connection: Connection, action: Any, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    action(config, revision)
