"""`parley db status` and `parley db upgrade`: from settings to what is said."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from signaling.refusals import Refusal
from signaling.settings.settings import Settings
from signaling.storage import migrate
from signaling.storage.database import Database
from signaling.storage.database_settings import DatabaseSettings, choose_database

SENTENCES = {
    "empty": "There are no tables yet. Make them with `parley db upgrade`; `parley serve` does it too.",
    "current": "The tables are those of this version.",
    "behind": "The tables are older than this version. Make a backup, then run `parley db upgrade`.",
    "newer": "The tables are newer than this version. Run the newer version.",
    "half": "The tables are half-migrated. Restore a backup.",
}


def database_settings(settings: Settings) -> DatabaseSettings:
    """The database that the settings name."""
    return choose_database(
        settings.database_url.get_secret_value(),
        settings.data_dir,
        pool_size=settings.database_pool_size,
        statement_seconds=settings.database_statement_timeout,
    )


def look(settings: Settings) -> dict[str, Any]:
    """The state of the tables, and nothing is made. Raises Refusal where there is no database to look at."""
    chosen = database_settings(settings)
    if chosen.path is not None and not chosen.path.exists():
        raise Refusal(
            f"there is no database {chosen.path}",
            "no server has run with these settings",
            "Name its folder with --data-dir, or make it with `parley db upgrade`.",
        )
    return asyncio.run(_with(chosen, migrate.status))


def upgrade(settings: Settings) -> dict[str, Any]:
    """The state of the tables after an upgrade. Raises Refusal for tables that cannot be upgraded."""
    patient = replace(database_settings(settings), statement_seconds=migrate.UPGRADE_SECONDS)
    return asyncio.run(_with(patient, migrate.upgrade, settings.database_statement_timeout))


def as_text(told: dict[str, Any]) -> str:
    """For people."""
    revision = f"Revision {told['current'] or 'none'}, this version works with {told['head']}."
    missing = f" Not as it should be: {', '.join(told['missing'])}." if told["missing"] else ""
    return f"{revision} {SENTENCES[told['state']]}{missing}"


async def _with(
    chosen: DatabaseSettings,
    work: Callable[[Database], Awaitable[migrate.MigrationStatus]],
    seconds: float | None = None,
) -> dict[str, Any]:
    database = Database(chosen)
    try:
        await migrate.open_or_refuse(database, seconds)
        return (await work(database)).as_json()
    finally:
        await database.close()
