"""`parley apikey`: keys in the database itself, with or without a running server."""

from datetime import datetime

from pydantic import ValidationError

from signaling.api.key_models import KeyRequest, KeyView, NewKey
from signaling.chance import SYSTEM_CHANCE
from signaling.cli.database_work import do
from signaling.refusals import BadSettings
from signaling.settings.settings import Settings
from signaling.storage import api_keys
from signaling.storage.database import Database

CREATED_BY = "cli"


def request_of(name: str, scopes: list[str], rooms: list[str] | None, ttl: int | None) -> KeyRequest:
    """A key as it is asked for on the command line. Raises BadSettings."""
    try:
        return KeyRequest(name=name, scopes=scopes, rooms=rooms or None, ttl=ttl)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadSettings(
            f"--{first['loc'][0]} is not possible".replace("scopes", "scope").replace("rooms", "room"),
            first["msg"].removeprefix("Value error, "),
            "See docs/permissions.md for the actions that are scopes.",
        ) from None


def create(settings: Settings, request: KeyRequest, utc: datetime) -> NewKey:
    """Make a key; with its secret, which is shown this once. Raises Refusal."""

    async def work(database: Database) -> NewKey:
        async with database.transaction() as connection:
            order = request.order(CREATED_BY, utc)
            return NewKey.of_new(*await api_keys.create(connection, order, utc, SYSTEM_CHANCE))

    return do(settings, work)


def listing(settings: Settings) -> list[KeyView]:
    """All keys, the newest first, withdrawn ones too. Raises Refusal."""

    async def work(database: Database) -> list[KeyView]:
        async with database.reading() as connection:
            return [KeyView.of(key) for key in await api_keys.every(connection)]

    return do(settings, work)


def revoke(settings: Settings, key_id: str, utc: datetime) -> KeyView:
    """Withdraw a key; what it was. A running server knows within some seconds. Raises Refusal."""

    async def work(database: Database) -> KeyView:
        async with database.transaction() as connection:
            return KeyView.of(await api_keys.revoke(connection, key_id, utc))

    return do(settings, work)
