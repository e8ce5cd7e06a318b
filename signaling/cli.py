"""The `parley` command. Heavy modules are imported where they are needed, so that every command starts at once.

Exit codes: 0 it worked, 1 the machine was in the way, 2 the command or its settings are wrong.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from signaling.operating.refusals import BadSettings, Refusal
from signaling.version import VERSION

if TYPE_CHECKING:
    from aiohttp import web

    from signaling.operating.settings import Settings

DEV_ROOM = "lobby"
_Parameters = ParamSpec("_Parameters")

app = typer.Typer(
    name="parley",
    help="A self-hosted voice server: people open a page, talk and hear each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
token_app = typer.Typer(help="Tokens, which let people in.", no_args_is_help=True)
config_app = typer.Typer(help="Settings: what holds, and whether it can be worked with.", no_args_is_help=True)
db_app = typer.Typer(help="The database: the state of its tables, and their upgrade.", no_args_is_help=True)
room_app = typer.Typer(help="Rooms that are kept, with or without a running server.", no_args_is_help=True)
app.add_typer(room_app, name="room")
app.add_typer(token_app, name="token")
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")

ConfigFlag = Annotated[
    Path | None, typer.Option("--config", help="YAML file with settings [env: PARLEY_CONFIG].", show_default=False)
]
DevFlag = Annotated[
    bool | None, typer.Option("--dev", help="Try it out: loopback only, tokens for the asking.", show_default=False)
]
HostFlag = Annotated[str | None, typer.Option("--host", help="Address that HTTP listens on.", show_default=False)]
PortFlag = Annotated[int | None, typer.Option("--port", help="TCP port of HTTP.", show_default="8080")]
MediaPortFlag = Annotated[int | None, typer.Option("--media-port", help="UDP port of media.", show_default="7882")]
DataDirFlag = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of what the server keeps.", show_default="data")
]
SetFlag = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting, as name=value; see docs/settings.md.", show_default=False),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Say it as one JSON object a line.")]


def main() -> None:
    """The console script. A mistake of the operator never ends in a traceback."""
    app()


def _told(command: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """Say a refusal in three parts and end with its exit code."""

    @wraps(command)
    def wrapper(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Refusal as refusal:
            if kwargs.get("as_json"):
                print(json.dumps(refusal.as_json()))
            else:
                print(f"Error: {refusal.what}.", file=sys.stderr)
                print(f"  Why:  {refusal.why}", file=sys.stderr)
                print(f"  Next: {refusal.remedy}", file=sys.stderr)
            raise typer.Exit(refusal.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return wrapper


def _show_version(asked: bool) -> None:
    if asked:
        print(f"parley {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    """A self-hosted voice server: people open a page, talk and hear each other."""


@app.command()
@_told
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
    settings = _settings(flags, set_, config)
    from signaling.app import build_app, run  # noqa: PLC0415
    from signaling.operating import log  # noqa: PLC0415

    log.configure(settings.log_level, settings.log_format)
    run(build_app(settings), lambda application, bound: _announce(application, bound, as_json=as_json))


@token_app.command("create")
@_told
def token_create(
    *,
    room: Annotated[str, typer.Option(help="The room that it lets in to.")],
    identity: Annotated[str, typer.Option(help="Who it is for: stable, and yours to choose.")],
    name: Annotated[str, typer.Option(help="The name that others see.")] = "",
    role: Annotated[str, typer.Option(help="operator, owner, moderator or member.")] = "member",
    ttl: Annotated[str, typer.Option(help="How long it can be used to join: 10m, 12h.")] = "10m",
    grant: Annotated[
        list[str] | None, typer.Option(help="A further grant, as roomRecord or canPublish=false.", show_default=False)
    ] = None,
    dev: DevFlag = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a token for one person and one room."""
    settings = _settings({"dev": dev, "data_dir": data_dir}, set_, config, serving=False)
    from signaling.operating.token_command import TokenOrder, make_token  # noqa: PLC0415

    order = TokenOrder(room=room, identity=identity, name=name, role=role, ttl=ttl, grants=tuple(grant or ()))
    made = make_token(settings, order, datetime.now(UTC))
    print(json.dumps(made) if as_json else made["token"])


@app.command()
@_told
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
    """Look at this machine: ports, addresses, clock, kernel; each finding with its remedy."""
    flags = {"dev": dev, "host": host, "port": port, "media_port": media_port}
    settings = _settings(flags, set_, config, serving=False)
    from signaling.operating import doctor as examination  # noqa: PLC0415

    findings = examination.examine(settings)
    print(json.dumps(examination.as_json(findings)) if as_json else examination.as_text(findings))
    raise typer.Exit(examination.exit_code(findings))


@config_app.command("check")
@_told
def config_check(
    *, dev: DevFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Say whether the server would start with these settings."""
    settings = _settings({"dev": dev}, set_, config)
    from signaling.operating.settings import warnings_about  # noqa: PLC0415

    warnings = warnings_about(settings)
    if as_json:
        print(json.dumps({"ok": True, "warnings": warnings}))
        return
    for warning in warnings:
        print(f"! {warning}")
    print("The settings are fine.")


@config_app.command("print")
@_told
def config_print(
    *, dev: DevFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Print all settings as they hold, secrets masked."""
    values = _settings({"dev": dev}, set_, config, serving=False).masked()
    if as_json:
        print(json.dumps(values))
        return
    for name, value in values.items():
        print(f"{name}: {json.dumps(value)}")


@db_app.command("status")
@_told
def db_status(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Say whether the tables are those of this version; ends with 1 where they are not."""
    settings = _settings({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.operating import db_command  # noqa: PLC0415

    told = db_command.look(settings)
    print(json.dumps(told) if as_json else db_command.as_text(told))
    raise typer.Exit(0 if told["state"] == "current" else 1)


@db_app.command("upgrade")
@_told
def db_upgrade(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Bring the tables to this version. All of it happens, or nothing."""
    settings = _settings({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.operating import db_command  # noqa: PLC0415

    told = db_command.upgrade(settings)
    print(json.dumps(told) if as_json else db_command.as_text(told))


@room_app.command("list")
@_told
def room_list(
    *,
    search: Annotated[str | None, typer.Option(help="What the name contains.", show_default=False)] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the rooms that are kept, the newest first."""
    settings = _settings({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.operating import room_command  # noqa: PLC0415

    for told in room_command.listing(settings, search):
        print(told.model_dump_json() if as_json else told.as_text())


@room_app.command("create")
@_told
def room_create(
    *,
    name: Annotated[str, typer.Option(help="The name that people see.")],
    room: Annotated[str | None, typer.Option(help="Its id, else one is made.", show_default=False)] = None,
    owner: Annotated[str | None, typer.Option(help="The identity of its owner.", show_default=False)] = None,
    max_participants: Annotated[int, typer.Option(help="People at most.")] = 200,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a room."""
    settings = _settings({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.identity.names import clean_name  # noqa: PLC0415
    from signaling.operating import room_command  # noqa: PLC0415
    from signaling.storage.room_record import RoomFields  # noqa: PLC0415

    chosen = RoomFields(name=clean_name(name), owner=owner, max_participants=max_participants)
    told = room_command.create(settings, chosen, room, datetime.now(UTC))
    print(told.model_dump_json() if as_json else told.as_text())


@room_app.command("delete")
@_told
def room_delete(
    *,
    room: Annotated[str, typer.Argument(help="Its id.")],
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Delete a room with its bans and invites; its calls stay in the history."""
    settings = _settings({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.operating import room_command  # noqa: PLC0415

    told = room_command.delete(settings, room)
    print(told.model_dump_json() if as_json else told.as_text())


@app.command()
@_told
def openapi(as_json: JsonFlag = True) -> None:
    """Print the OpenAPI 3.1 document of the HTTP interface."""
    from signaling.http.openapi import as_text  # noqa: PLC0415

    print(as_text(), end="")


def _settings(
    flags: dict[str, Any], pairs: list[str] | None, config: Path | None, *, serving: bool = True
) -> "Settings":
    from signaling.operating.settings import load_settings  # noqa: PLC0415

    for pair in pairs or ():
        name, sign, value = pair.partition("=")
        if not sign:
            raise BadSettings(f"--set {name} is not possible", "it has no value", "Write it as --set name=value.")
        flags[name.strip().replace("-", "_").lower()] = value
    return load_settings(flags, config=config, serving=serving)


def _announce(application: "web.Application", bound: int, *, as_json: bool) -> None:
    from signaling.http import app_keys  # noqa: PLC0415
    from signaling.operating.start_report import dev_token, start_report  # noqa: PLC0415

    settings = application[app_keys.SETTINGS]
    token = dev_token(application[app_keys.TOKENS], DEV_ROOM, datetime.now(UTC)) if settings.dev else ""
    report = start_report(settings, application[app_keys.MEDIA], bound, token=token, room=DEV_ROOM)
    print(json.dumps(report.as_json()) if as_json else report.as_text(), flush=True)


if __name__ == "__main__":
    main()
