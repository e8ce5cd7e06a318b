"""`parley apikey`: manages API keys directly in the database, with or without a running server."""

from datetime import datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from signaling.api.key_models import KeyRequest, KeyView, NewKey
from signaling.cli.command_line import (
    ConfigFlag,
    DataDirFlag,
    JsonFlag,
    SetFlag,
    say,
    seconds_of,
    settings_of,
    telling_refusals,
)
from signaling.cli.database import do
from signaling.clock import SYSTEM_CHANCE, SYSTEM_CLOCK
from signaling.errors import BadSettings
from signaling.settings.settings import Settings
from signaling.storage import api_keys
from signaling.storage.database import Database

CREATED_BY = "cli"


def request_of(name: str, scopes: list[str], rooms: list[str] | None, ttl: int | None) -> KeyRequest:
    """Return the key request of a command line. Raises BadSettings."""
    try:
        return KeyRequest(name=name, scopes=scopes, rooms=rooms or None, ttl=ttl)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadSettings(
            f"--{first['loc'][0]} is not valid".replace("scopes", "scope").replace("rooms", "room"),
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
    """All keys, newest first, including revoked ones. Raises Refusal."""

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


apikey_app = typer.Typer(
    help="API keys of services, in the database, with or without a running server.", no_args_is_help=True
)


@apikey_app.command("create")
@telling_refusals
def apikey_create(
    *,
    name: Annotated[str, typer.Option(help="Its purpose.")],
    scope: Annotated[
        list[str], typer.Option(help="An action, a family such as room.*, or *. Repeat the flag for more.")
    ],
    room: Annotated[
        list[str] | None,
        typer.Option(help="Limit the key to this room. Repeat the flag for more rooms.", show_default=False),
    ] = None,
    ttl: Annotated[
        str | None, typer.Option(help="Lifetime of the key, such as 720h. Default: unlimited.", show_default=False)
    ] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a key and print it. It is not shown again."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    request = request_of(name, scope, room, seconds_of("--ttl", ttl))
    made = create(settings, request, SYSTEM_CLOCK.utc())
    say(made, made.key, as_json=as_json)


@apikey_app.command("list")
@telling_refusals
def apikey_list(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """List the keys without their secrets, newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    for one in listing(settings):
        say(one, one.as_text(SYSTEM_CLOCK.utc()), as_json=as_json)


@apikey_app.command("revoke")
@telling_refusals
def apikey_revoke(
    *,
    key: Annotated[str, typer.Argument(help="Its id.")],
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Revoke a key; a running server rejects it within 5 s."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    utc = SYSTEM_CLOCK.utc()
    revoked = revoke(settings, key, utc)
    say(revoked, revoked.as_text(utc), as_json=as_json)
