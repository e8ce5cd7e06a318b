"""The commands of `parley invite`."""

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

invite_app = typer.Typer(
    help="Invites: links that let people into a room that is kept.",
    no_args_is_help=True,
)
RoomFlag = Annotated[str, typer.Option(help="The id of the room.")]


@invite_app.command("create")
@telling_refusals
def invite_create(
    *,
    room: RoomFlag,
    role: Annotated[str, typer.Option(help="owner, moderator or member.")] = "member",
    uses: Annotated[int, typer.Option(help="People that it lets in.")] = 1,
    ttl: Annotated[str, typer.Option(help="How long it can be accepted: 30m, 24h, at most 720h.")] = "24h",
    for_: Annotated[
        str | None, typer.Option("--for", help="The one identity that it is for.", show_default=False)
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of the page; else `server_url`, or this machine.", show_default=False)
    ] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make an invite, and print its link, this once."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import invite_command  # noqa: PLC0415

    request = invite_command.request_of(role=role, max_uses=uses, expires_in=seconds_of("--ttl", ttl), invitee=for_)
    page = invite_command.page_of(settings, url)
    made = invite_command.create(settings, room, request, page, SYSTEM_CLOCK.utc())
    say(made, made.link, as_json=as_json)


@invite_app.command("list")
@telling_refusals
def invite_list(
    *,
    room: RoomFlag,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the invites of a room without their tokens, the newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import invite_command  # noqa: PLC0415

    for one in invite_command.listing(settings, room, SYSTEM_CLOCK.utc()):
        say(one, one.as_text(), as_json=as_json)


@invite_app.command("revoke")
@telling_refusals
def invite_revoke(
    *,
    room: RoomFlag,
    invite: Annotated[str, typer.Argument(help="Its id.")],
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Withdraw an invite, from now on. Who is in the room by it stays."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import invite_command  # noqa: PLC0415

    told = invite_command.revoke(settings, room, invite, SYSTEM_CLOCK.utc())
    say(told, told.as_text(), as_json=as_json)
