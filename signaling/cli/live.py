"""Commands that act on a running server over HTTP: `parley participant`, `ban`, `room participants`."""

import inspect
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from signaling.cli.command_line import (
    ConfigFlag,
    DataDirFlag,
    JsonFlag,
    SetFlag,
    seconds_of,
    settings_of,
    telling_refusals,
)
from signaling.cli.server_client import ACTS, ban_line, bans_path, participant_line, room_path

if TYPE_CHECKING:
    from signaling.cli.server_client import ServerClient

participant_app = typer.Typer(help="Participants of a running server: list and moderate them.", no_args_is_help=True)
ban_app = typer.Typer(help="Bans of a running server, from a room or from the whole server.", no_args_is_help=True)

RoomFlag = Annotated[str, typer.Option("--room", help="The room's id.")]
AnyRoomFlag = Annotated[
    str | None, typer.Option("--room", help="The room's id; without it, the whole server.", show_default=False)
]
ReasonFlag = Annotated[
    str | None,
    typer.Option(
        "--reason", help="The reason, shown to the participant and stored in the audit trail.", show_default=False
    ),
]
TimeFlag = Annotated[
    str | None, typer.Option("--for", help="Duration, such as 10m or 12h. Default: until lifted.", show_default=False)
]
UrlFlag = Annotated[
    str | None, typer.Option("--url", help="The server [env: PARLEY_SERVER_URL].", show_default="this machine")
]
KeyFlag = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="API key or token [env: PARLEY_API_KEY].",
        show_default="a token signed with the configured secret",
    ),
]
DevFlag = Annotated[
    bool | None, typer.Option("--dev", help="Use a `serve --dev` server, found by its data folder.", show_default=False)
]


def _server_flags(
    *,
    url: UrlFlag = None,
    key: KeyFlag = None,
    dev: DevFlag = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> tuple["ServerClient", bool]:
    from signaling.cli.server_client import client_for  # noqa: PLC0415

    settings = settings_of({"dev": dev, "data_dir": data_dir}, set_, config, serving=False)
    return client_for(settings, url, key), as_json


def _asking(command: Callable[..., tuple[Any, str | list[str]]]) -> Callable[..., None]:
    """Add the server flags to a command that takes a client and returns the answer with a text line."""
    shared = dict(inspect.signature(_server_flags).parameters)
    own = [one for name, one in inspect.signature(command).parameters.items() if name != "client"]

    def run(**given: Any) -> None:
        client, as_json = _server_flags(**{name: given.pop(name) for name in shared})
        answer, text = command(client, **given)
        for one, line in zip(answer, text, strict=True) if isinstance(answer, list) else [(answer, text)]:
            typer.echo(json.dumps(one) if as_json else line)

    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature([*own, *shared.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*own, *shared.values())}
    return telling_refusals(run)


@participant_app.command("list")
@_asking
def room_participants(
    client: "ServerClient", *, room: Annotated[str, typer.Argument(help="The room's id.")]
) -> tuple[list[Any], list[str]]:
    """List the participants in a room of a running server."""
    found = client.pages(f"{room_path(room)}/participants")
    return found, [participant_line(one) for one in found]


def _act_on_somebody(action: str) -> Callable[..., None]:
    def act(
        client: "ServerClient",
        *,
        who: Annotated[str, typer.Argument(help="The identity, or with --id the id of a participant.")],
        room: RoomFlag,
        by_id: Annotated[bool, typer.Option("--id", help="WHO is the id of a participant.")] = False,
        time: TimeFlag = None,
        reason: ReasonFlag = None,
    ) -> tuple[Any, str]:
        order = {"action": action, "target" if by_id else "identity": who, "reason": reason}
        done = client.ask("POST", f"{room_path(room)}/moderation", order | {"duration": seconds_of("--for", time)})
        return done, f"Done: {action} {done['identity']} in {room}."

    return _asking(act)


for _name, _help in ACTS.items():
    participant_app.command(_name.replace("_", "-"), help=_help)(_act_on_somebody(_name))


@participant_app.command("move")
@_asking
def participant_move(
    client: "ServerClient",
    *,
    who: Annotated[str, typer.Argument(help="The identity.")],
    room: RoomFlag,
    to: Annotated[str, typer.Option("--to", help="The new room.")],
    reason: ReasonFlag = None,
) -> tuple[Any, str]:
    """Move a participant to another room."""
    order = {"action": "move", "identity": who, "room": to, "reason": reason}
    done = client.ask("POST", f"{room_path(room)}/moderation", order)
    return done, f"Done: move {done['identity']} from {room} to {to}."


@ban_app.command("list")
@_asking
def ban_list(
    client: "ServerClient",
    *,
    room: AnyRoomFlag = None,
    ended: Annotated[bool, typer.Option("--ended", help="Include bans that have expired or were lifted.")] = False,
) -> tuple[list[Any], list[str]]:
    """List the active bans, newest first."""
    found = client.pages(bans_path(room), {"ended": "true"} if ended else None)
    return found, [ban_line(one) for one in found]


@ban_app.command("add")
@_asking
def ban_add(
    client: "ServerClient",
    *,
    identity: Annotated[str, typer.Argument(help="The identity to ban; it may be absent.")],
    room: AnyRoomFlag = None,
    time: TimeFlag = None,
    reason: ReasonFlag = None,
) -> tuple[Any, str]:
    """Ban an identity from a room, or from the whole server."""
    order = {"identity": identity, "duration": seconds_of("--for", time), "reason": reason}
    made = client.ask("POST", bans_path(room), order)
    return made, f"{made['id']}  {identity} is banned from {room or 'the server'}."


@ban_app.command("lift")
@_asking
def ban_lift(
    client: "ServerClient",
    *,
    ban: Annotated[str, typer.Argument(help="The id of the ban, from `parley ban list`.")],
    room: AnyRoomFlag = None,
) -> tuple[Any, str]:
    """Lift a ban."""
    client.ask("DELETE", f"{bans_path(room)}/{quote(ban, safe='')}")
    return {"id": ban, "lifted": True}, f"{ban} is lifted."
