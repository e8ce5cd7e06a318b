"""The `parley` command. Heavy modules are imported where they are needed, so that every command starts at once.

Exit codes: 0 it worked, 1 the machine was in the way, 2 the command or its settings are wrong.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from signaling.cli.apikey import apikey_app
from signaling.cli.command_line import ConfigFlag, DataDirFlag, JsonFlag, SetFlag, settings_of, telling_refusals
from signaling.cli.invite import invite_app
from signaling.cli.live import ban_app, participant_app, room_participants
from signaling.cli.webhook import webhook_app
from signaling.version import VERSION

if TYPE_CHECKING:
    from aiohttp import web

DEV_ROOM = "lobby"

app = typer.Typer(
    name="parley",
    help="A self-hosted voice server: people open a page, talk and hear each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
token_app = typer.Typer(help="Tokens: they let participants in.", no_args_is_help=True)
config_app = typer.Typer(help="Settings: show and check them.", no_args_is_help=True)
db_app = typer.Typer(help="The database: show the state of its tables, and upgrade them.", no_args_is_help=True)
room_app = typer.Typer(
    help="Stored rooms, in the database, with or without a running server; participants of a running server.",
    no_args_is_help=True,
)
app.add_typer(room_app, name="room")
app.add_typer(token_app, name="token")
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")
app.add_typer(webhook_app, name="webhook")
app.add_typer(apikey_app, name="apikey")
app.add_typer(invite_app, name="invite")
app.add_typer(participant_app, name="participant")
app.add_typer(ban_app, name="ban")
room_app.command("participants")(room_participants)

DevFlag = Annotated[
    bool | None,
    typer.Option(
        "--dev", help="Try Parley: loopback only, with tokens for every client that asks.", show_default=False
    ),
]
HostFlag = Annotated[str | None, typer.Option("--host", help="Address for HTTP.", show_default=False)]
PortFlag = Annotated[int | None, typer.Option("--port", help="TCP port of HTTP.", show_default="8080")]
MediaPortFlag = Annotated[int | None, typer.Option("--media-port", help="UDP port of media.", show_default="7882")]


def main() -> None:
    """The console script. A mistake of the operator never ends in a traceback."""
    app()


def _show_version(asked: bool) -> None:
    if asked:
        print(f"parley {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A self-hosted voice server: people open a page, talk and hear each other."""


@app.command()
@telling_refusals
def serve(
    *,
    dev: DevFlag = None,
    host: HostFlag = None,
    port: PortFlag = None,
    media_port: MediaPortFlag = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the server until Ctrl-C or SIGTERM."""
    flags = {"dev": dev, "host": host, "port": port, "media_port": media_port, "data_dir": data_dir}
    settings = settings_of(flags, set_, config)
    from signaling.app import build_app, run  # noqa: PLC0415
    from signaling.operating import log  # noqa: PLC0415

    log.configure(settings.log_level, settings.log_format)
    run(build_app(settings), lambda application, bound: _announce(application, bound, as_json=as_json))


@token_app.command("create")
@telling_refusals
def token_create(
    *,
    room: Annotated[str, typer.Option(help="The room that the token gives access to.")],
    identity: Annotated[str, typer.Option(help="The identity: stable, chosen by you.")],
    name: Annotated[str, typer.Option(help="The name shown to other participants.")] = "",
    role: Annotated[str, typer.Option(help="operator, owner, moderator or member.")] = "member",
    ttl: Annotated[str, typer.Option(help="Time for which the token can be used to join: 10m, 12h.")] = "10m",
    grant: Annotated[
        list[str] | None,
        typer.Option(help="A further grant, such as roomRecord or canPublish=false.", show_default=False),
    ] = None,
    dev: DevFlag = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a token for one identity and one room."""
    settings = settings_of({"dev": dev, "data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli.token import TokenOrder, make_token  # noqa: PLC0415

    order = TokenOrder(room=room, identity=identity, name=name, role=role, ttl=ttl, grants=tuple(grant or ()))
    made = make_token(settings, order, datetime.now(UTC))
    print(json.dumps(made) if as_json else made["token"])


@app.command()
@telling_refusals
def doctor(
    *,
    dev: DevFlag = None,
    host: HostFlag = None,
    port: PortFlag = None,
    media_port: MediaPortFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Check this machine (ports, addresses, clock, kernel), and suggest a remedy for each finding."""
    flags = {"dev": dev, "host": host, "port": port, "media_port": media_port}
    settings = settings_of(flags, set_, config, serving=False)
    from signaling.cli import doctor as examination  # noqa: PLC0415

    findings = examination.examine(settings)
    print(json.dumps(examination.as_json(findings)) if as_json else examination.as_text(findings))
    raise typer.Exit(examination.exit_code(findings))


@config_app.command("check")
@telling_refusals
def config_check(
    *, dev: DevFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Check whether the server would start with these settings."""
    settings = settings_of({"dev": dev}, set_, config)
    from signaling.settings.settings import warnings_about  # noqa: PLC0415

    warnings = warnings_about(settings)
    if as_json:
        print(json.dumps({"ok": True, "warnings": warnings}))
        return
    for warning in warnings:
        print(f"! {warning}")
    print("The settings are valid.")


@config_app.command("print")
@telling_refusals
def config_print(
    *, dev: DevFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Print the effective settings, secrets masked."""
    values = settings_of({"dev": dev}, set_, config, serving=False).masked()
    if as_json:
        print(json.dumps(values))
        return
    for name, value in values.items():
        print(f"{name}: {json.dumps(value)}")


@db_app.command("status")
@telling_refusals
def db_status(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Check whether the tables match this version; exits with 1 if they do not."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import database  # noqa: PLC0415

    told = database.look(settings)
    print(json.dumps(told) if as_json else database.as_text(told))
    raise typer.Exit(0 if told["state"] == "current" else 1)


@db_app.command("upgrade")
@telling_refusals
def db_upgrade(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Upgrade the tables to this version, completely or not at all."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import database  # noqa: PLC0415

    told = database.upgrade(settings)
    print(json.dumps(told) if as_json else database.as_text(told))


@room_app.command("list")
@telling_refusals
def room_list(
    *,
    search: Annotated[str | None, typer.Option(help="Text that the name contains.", show_default=False)] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List the stored rooms, newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import room as rooms  # noqa: PLC0415

    for told in rooms.listing(settings, search):
        print(told.model_dump_json() if as_json else told.as_text())


@room_app.command("create")
@telling_refusals
def room_create(
    *,
    name: Annotated[str, typer.Option(help="The name shown to participants.")],
    room: Annotated[
        str | None, typer.Option(help="The id of the room. Default: Parley makes one.", show_default=False)
    ] = None,
    owner: Annotated[str | None, typer.Option(help="The identity of the owner.", show_default=False)] = None,
    max_participants: Annotated[int, typer.Option(help="Maximum number of participants.")] = 200,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a room."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import room as rooms  # noqa: PLC0415
    from signaling.identity.names import clean_title  # noqa: PLC0415
    from signaling.storage.room_record import RoomFields  # noqa: PLC0415

    chosen = RoomFields(name=clean_title(name), owner=owner, max_participants=max_participants)
    told = rooms.create(settings, chosen, room, datetime.now(UTC))
    print(told.model_dump_json() if as_json else told.as_text())


@room_app.command("delete")
@telling_refusals
def room_delete(
    *,
    room: Annotated[str, typer.Argument(help="Its id.")],
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Delete a room with its bans and invites; the call history stays."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import room as rooms  # noqa: PLC0415

    told = rooms.delete(settings, room, datetime.now(UTC))
    print(told.model_dump_json() if as_json else told.as_text())


@app.command()
@telling_refusals
def openapi(as_json: JsonFlag = True) -> None:
    """Print the OpenAPI 3.1 document of the HTTP interface."""
    from signaling.api.openapi import as_text  # noqa: PLC0415

    print(as_text(), end="")


def _announce(application: "web.Application", bound: int, *, as_json: bool) -> None:
    from signaling.cli.banner import dev_token, start_report  # noqa: PLC0415
    from signaling.http import app_keys  # noqa: PLC0415

    settings = application[app_keys.SETTINGS]
    token = dev_token(application[app_keys.TOKENS], DEV_ROOM, datetime.now(UTC)) if settings.dev else ""
    report = start_report(settings, application[app_keys.MEDIA], bound, token=token, room=DEV_ROOM)
    print(json.dumps(report.as_json()) if as_json else report.as_text(), flush=True)


if __name__ == "__main__":
    main()
