"""The state of the tables, and their upgrade to this version.

An upgrade is one transaction on both databases. Two servers that start together upgrade one after the other, and the
second finds nothing to do. Three statements read the state of the tables; Alembic is imported only to run steps.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, text

from signaling.errors import Refusal, StorageUnavailable
from signaling.storage.database import Database
from signaling.storage.tables import METADATA

UPGRADE_SECONDS = 3600.0
"""Time limit of one statement of an upgrade, in seconds. An index on a long history is slow to build."""
_LOCK = 0x706172  # any number: it names the upgrade of Parley in PostgreSQL
_SCRIPTS = Path(__file__).parent / "migrations"
_REVISION_TABLE = "alembic_version"
_COLUMNS = {
    "sqlite": "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'",
    "postgresql": "SELECT c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
    " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"
    " AND a.attnum > 0 AND NOT a.attisdropped",
}
"""For each dialect, a query for (table, column) of all tables."""

State = Literal["empty", "current", "behind", "newer", "half"]


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The state of the tables. `current` is their revision, `head` that of this version.

    `half` means that tables and revision do not match; `missing` names absent tables or columns.
    """

    state: State
    current: str | None
    head: str
    missing: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


async def status(database: Database) -> MigrationStatus:
    """Return the state of the tables. Raises StorageUnavailable."""
    async with database.reading() as connection:
        return await connection.run_sync(_look)


async def upgrade(database: Database) -> MigrationStatus:
    """Upgrade the tables to this version. Raises Refusal if that is impossible, StorageUnavailable."""
    async with database.transaction() as connection:
        if not database.settings.embedded:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _LOCK})
        before = await connection.run_sync(_look)
        _refuse_unusable(before)
        if before.state != "current":
            await connection.run_sync(_run, "upgrade", "head")
        return await connection.run_sync(_look)


async def downgrade(database: Database, revision: str) -> None:
    """Downgrade the tables to an older revision, or to `base`. Data that only newer tables hold is lost."""
    async with database.transaction() as connection:
        await connection.run_sync(_run, "downgrade", revision)


async def prepare(database: Database) -> MigrationStatus:
    """Open the database with the tables of this version. `serve` calls it before anything else.

    It upgrades an embedded or an empty database. `parley db upgrade` upgrades any other, as other servers may use it.
    Raises Refusal with a remedy.
    """
    settings = database.settings
    await open_or_refuse(database)
    found = await status(database)
    if found.state == "behind" and not settings.embedded:
        raise Refusal(
            "the tables of the database are older than this version",
            f"they are at {found.current}, and this version works with {found.head}",
            "Stop the servers that use it, make a backup, and run `parley db upgrade`.",
        )
    if found.state == "current":
        return found
    patient = Database(replace(settings, statement_seconds=UPGRADE_SECONDS, pool_size=1))
    try:
        return await upgrade(patient)
    finally:
        await patient.close()


def revisions() -> tuple[str, ...]:
    """Return the known revisions, oldest first. Each is the prefix of its file name."""
    return tuple(sorted(path.name[1:5] for path in (_SCRIPTS / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py")))


async def open_or_refuse(database: Database, seconds: float | None = None) -> None:
    """Open the database. Raises Refusal if it does not answer within `seconds`, as no call is running yet."""
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
    known = revisions()
    head = known[-1]
    columns = {(table, column) for table, column in connection.execute(text(_COLUMNS[connection.dialect.name]))}
    present = {table for table, _ in columns}
    found = _recorded(connection) if _REVISION_TABLE in present else set()
    current = ", ".join(sorted(found)) or None
    if not found:
        state: State = "half" if present & METADATA.tables.keys() else "empty"
        return MigrationStatus(state, None, head, (_REVISION_TABLE,) if state == "half" else ())
    if not found <= set(known):
        return MigrationStatus("newer", current, head)
    if len(found) > 1:
        return MigrationStatus("half", current, head, (_REVISION_TABLE,))
    if current != head:
        return MigrationStatus("behind", current, head)
    missing = _missing(columns, present)
    return MigrationStatus("half" if missing else "current", current, head, missing)


def _recorded(connection: Connection) -> set[str]:
    return set(connection.execute(text(f"SELECT version_num FROM {_REVISION_TABLE}")).scalars())  # noqa: S608 - a constant


def _missing(columns: set[tuple[str, str]], present: set[str]) -> tuple[str, ...]:
    """Return the missing tables; if there are none, the missing columns."""
    if tables := METADATA.tables.keys() - present:
        return tuple(sorted(tables))
    wanted = {(table.name, column.name) for table in METADATA.tables.values() for column in table.columns}
    return tuple(sorted(f"{table}.{column}" for table, column in wanted - columns))


def _run(connection: Connection, verb: Literal["upgrade", "downgrade"], revision: str) -> None:

    from alembic import command  # noqa: PLC0415 - only where there are steps to run
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    getattr(command, verb)(config, revision)
