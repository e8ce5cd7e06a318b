"""The commands of `parley apikey`."""

from typing import Annotated

import typer

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
from signaling.clock import SYSTEM_CLOCK

apikey_app = typer.Typer(
    help="API keys of services, in the database, with or without a running server.", no_args_is_help=True
)


@apikey_app.command("create")
@telling_refusals
def apikey_create(
    *,
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="An action, a family as room.*, or *; again for more.")],
    room: Annotated[
        list[str] | None, typer.Option(help="A room that it opens, and no other; again for more.", show_default=False)
    ] = None,
    ttl: Annotated[
        str | None, typer.Option(help="How long it holds, as 720h; else for good.", show_default=False)
    ] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a key, and print it this once."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import apikey_command  # noqa: PLC0415

    request = apikey_command.request_of(name, scope, room, seconds_of("--ttl", ttl))
    made = apikey_command.create(settings, request, SYSTEM_CLOCK.utc())
    say(made, made.key, as_json=as_json)


@apikey_app.command("list")
@telling_refusals
def apikey_list(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Print the keys without their secrets, the newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import apikey_command  # noqa: PLC0415

    for one in apikey_command.listing(settings):
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
    """Withdraw a key; a running server knows within 5 s."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import apikey_command  # noqa: PLC0415

    utc = SYSTEM_CLOCK.utc()
    told = apikey_command.revoke(settings, key, utc)
    say(told, told.as_text(utc), as_json=as_json)
