"""The `parley` command. Heavy modules are imported where they are needed, so that every command starts at once.

Exit codes: 0 it worked, 1 the machine was in the way, 2 the command or its settings are wrong.
"""

import gc
import json
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from signaling.cli.command_line import (
    ConfigFlag,
    DataDirFlag,
    DevFlag,
    JsonFlag,
    SetFlag,
    settings_of,
    telling_refusals,
)
from signaling.version import VERSION

if TYPE_CHECKING:
    from aiohttp import web

DEV_ROOM = "lobby"

GROUPS = {
    "room": (
        "signaling.cli.room:room_app",
        "Stored rooms, in the database, with or without a running server; participants of a running server.",
    ),
    "token": ("signaling.cli.token:token_app", "Tokens: they let participants in."),
    "config": ("signaling.cli.config:config_app", "Settings: show and check them."),
    "db": ("signaling.cli.database:db_app", "The database: show the state of its tables, and upgrade them."),
    "webhook": ("signaling.cli.webhook:webhook_app", "Webhooks: URLs that get events."),
    "apikey": (
        "signaling.cli.apikey:apikey_app",
        "API keys of services, with or without a running server.",
    ),
    "invite": ("signaling.cli.invite:invite_app", "Invites: links into a stored room."),
    "participant": ("signaling.cli.live:participant_app", "Participants of a running server: list and moderate them."),
    "ban": ("signaling.cli.live:ban_app", "Bans of a running server, from a room or from the whole server."),
}
"""Groups of commands: where each is declared, and its help."""


class LazyGroups(TyperGroup):
    """The root command: it imports the module of a group only when a command of the group runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands of this module, then the groups."""
        return [*super().list_commands(ctx), *GROUPS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command to list or to complete; a group with its help and nothing else."""
        if cmd_name in GROUPS:
            return TyperGroup(name=cmd_name, help=GROUPS[cmd_name][1])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command to run: here a group is imported."""
        name = args[0]
        if name not in GROUPS:
            return super().resolve_command(ctx, args)
        module, _, attribute = GROUPS[name][0].partition(":")
        holder = typer.Typer(rich_markup_mode=None)
        holder.add_typer(getattr(import_module(module), attribute), name=name)
        return name, typer.main.get_group(holder).commands[name], args[1:]


app = typer.Typer(
    name="parley",
    cls=LazyGroups,
    help="A self-hosted voice server: people open a page, talk and hear each other.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
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
    gc.disable()  # a start makes no garbage worth looking for
    try:
        flags = {"dev": dev, "host": host, "port": port, "media_port": media_port, "data_dir": data_dir}
        settings = settings_of(flags, set_, config)
        from signaling.app import build_app, run  # noqa: PLC0415
        from signaling.operating import log  # noqa: PLC0415

        log.configure(settings.log_level, settings.log_format)

        def started(application: "web.Application", bound: int) -> None:
            _announce(application, bound, as_json=as_json)
            _keep()

        run(build_app(settings), started)
    finally:
        gc.enable()


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


def _keep() -> None:
    """Take what the start has made out of all later collections: modules and classes stay for the process's life."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    main()
