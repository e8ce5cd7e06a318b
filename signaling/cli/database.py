"""Database work of commands, with or without a running server; failures become a `Refusal`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import typer

from signaling.cli.command_line import (
    ConfigFlag,
    DataDirFlag,
    JsonFlag,
    SetFlag,
    settings_of,
    telling_refusals,
)
from signaling.errors import ClientMistake, Refusal, StorageUnavailable
from signaling.settings.parts import database_settings
from signaling.settings.settings import Settings
from signaling.storage import migrate
from signaling.storage.database import Database, DatabaseSettings

db_app = typer.Typer(help="The database: show the state of its tables, and upgrade them.", no_args_is_help=True)

Result = TypeVar("Result")


def do(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """What `work` gives. Its database is open, and has the tables of this version. Raises Refusal."""
    try:
        return asyncio.run(_with(settings, work))
    except ClientMistake as mistake:
        raise Refusal("that is not valid", mistake.message, "Choose another value.", exit_code=2) from None
    except StorageUnavailable as error:
        raise Refusal("the database does not answer", error.message, "Check it with `parley db status`.") from error


async def _with(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    database = Database(database_settings(settings))
    try:
        await migrate.prepare(database)
        return await work(database)
    finally:
        await database.close()


SENTENCES = {
    "empty": "There are no tables yet. Create them with `parley db upgrade` or `parley serve`.",
    "current": "The tables match this version.",
    "behind": "The tables are older than this version. Make a backup, then run `parley db upgrade`.",
    "newer": "The tables are newer than this version. Run the newer version.",
    "half": "The tables are half-migrated. Restore a backup.",
}


def look(settings: Settings) -> dict[str, Any]:
    """The state of the tables, and nothing is made. Raises Refusal where there is no database to look at."""
    chosen = database_settings(settings)
    if chosen.path is not None and not chosen.path.exists():
        raise Refusal(
            f"there is no database {chosen.path}",
            "no server has started with these settings",
            "Set its folder with --data-dir, or create it with `parley db upgrade`.",
        )
    return asyncio.run(_opened(chosen, migrate.status))


def upgrade(settings: Settings) -> dict[str, Any]:
    """The state of the tables after an upgrade. Raises Refusal for tables that cannot be upgraded."""
    patient = replace(database_settings(settings), statement_seconds=migrate.UPGRADE_SECONDS)
    return asyncio.run(_opened(patient, migrate.upgrade, settings.database_statement_timeout))


def as_text(report: dict[str, Any]) -> str:
    """Return the state of the tables as text."""
    revision = f"Revision {report['current'] or 'none'}, this version needs {report['head']}."
    missing = f" Wrong or missing: {', '.join(report['missing'])}." if report["missing"] else ""
    return f"{revision} {SENTENCES[report['state']]}{missing}"


async def _opened(
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


@db_app.command("status")
@telling_refusals
def db_status(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Check whether the tables match this version; exits with 1 if they do not."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    report = look(settings)
    typer.echo(json.dumps(report) if as_json else as_text(report))
    raise typer.Exit(0 if report["state"] == "current" else 1)


@db_app.command("upgrade")
@telling_refusals
def db_upgrade(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Upgrade the tables to this version, completely or not at all."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    report = upgrade(settings)
    typer.echo(json.dumps(report) if as_json else as_text(report))
