"""Work on the database from the command line, with or without a running server; what goes wrong is a Refusal."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from signaling.cli.db_command import database_settings
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.refusals import Refusal
from signaling.settings.settings import Settings
from signaling.storage import migrate
from signaling.storage.database import Database

Result = TypeVar("Result")


def do(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """What `work` gives. Its database is open, and has the tables of this version. Raises Refusal."""
    try:
        return asyncio.run(_with(settings, work))
    except ClientMistake as mistake:
        raise Refusal("that is not possible", mistake.message, "Choose another value.", exit_code=2) from None
    except StorageUnavailable as error:
        raise Refusal("the database does not answer", error.message, "Look at it with `parley db status`.") from error


async def _with(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    chosen = database_settings(settings)
    await migrate.prepare(chosen)
    database = Database(chosen)
    try:
        await migrate.open_or_refuse(database)
        return await work(database)
    finally:
        await database.close()
