"""`parley token create`: checks the order and signs the token."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

import typer

from signaling.cli.command_line import (
    ConfigFlag,
    DataDirFlag,
    DevFlag,
    JsonFlag,
    SetFlag,
    settings_of,
    telling_refusals,
)
from signaling.clock import SYSTEM_CLOCK
from signaling.errors import BadSettings, ClientMistake
from signaling.identity.grants import RANK, Grants, Role
from signaling.identity.names import ROOM_ID, check_identity, clean_name
from signaling.operating.token_keys import make_tokens
from signaling.settings.settings import Settings
from signaling.settings.types import parse_duration

token_app = typer.Typer(help="Tokens: they let participants in.", no_args_is_help=True)

LONGEST = timedelta(days=30)
_WORDS = {"": True, "true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class TokenOrder:
    """The token request of a command line."""

    room: str
    identity: str
    name: str = ""
    role: str = "member"
    ttl: str = "10m"
    grants: tuple[str, ...] = ()
    """Further grants, as `roomRecord` or `canPublish=false`."""


def make_token(settings: Settings, order: TokenOrder, utc: datetime) -> dict[str, Any]:
    """The token as of `utc`, and what is in it. Raises BadSettings for an order that cannot be filled."""
    lifetime = _lifetime(order.ttl)
    if not ROOM_ID.match(order.room):
        raise BadSettings(
            f"--room {order.room!r} is not valid", "a room is 1 to 64 of A-Z a-z 0-9 _ -", "Choose another."
        )
    if order.role not in RANK:
        raise BadSettings(f"--role {order.role!r} is not valid", "this role does not exist", f"Use {', '.join(RANK)}.")
    try:
        identity = check_identity(order.identity)
    except ClientMistake as mistake:
        raise BadSettings(f"--identity {order.identity!r} is not valid", mistake.message, "Choose another.") from None
    grants = _grants(order)
    token = make_tokens(settings).issue(
        identity,
        grants=grants,
        utc=utc,
        lifetime=lifetime,
        name=clean_name(order.name) or None,
        role=cast(Role, order.role),
    )
    return {
        "token": token,
        "room": order.room,
        "identity": identity,
        "role": order.role,
        "grants": grants.as_claim(),
        "expires_at": (utc + lifetime).isoformat(timespec="seconds"),
        "fragment": f"#room={order.room}&token={token}",
    }


def _grants(order: TokenOrder) -> Grants:
    """To enter the room with that role, and what was asked for besides. Every grant but `room` is true or false."""
    names = {str(field.alias): name for name, field in Grants.model_fields.items() if name != "room"}
    asked: dict[str, bool] = {}
    for one in order.grants:
        name, _, value = one.partition("=")
        if name not in names or value.lower() not in _WORDS:
            raise BadSettings(
                f"--grant {one!r} is not valid",
                "this grant does not exist, or the value is neither true nor false",
                f"Write name or name=false, with one of {', '.join(names)}.",
            )
        asked[names[name]] = _WORDS[value.lower()]
    return Grants.for_room(order.room, admin=RANK[order.role] > 0).model_copy(update=asked)


def _lifetime(ttl: str) -> timedelta:
    try:
        lifetime = timedelta(seconds=parse_duration(ttl))
    except ValueError as error:
        raise BadSettings(f"--ttl {ttl!r} is not valid", str(error), "Write it like 10m or 12h.") from None
    if not timedelta(seconds=1) <= lifetime <= LONGEST:
        raise BadSettings(
            f"--ttl {ttl!r} is not valid",
            "a token must be valid for between a second and 30 days",
            "Choose a time in this range.",
        )
    return lifetime


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
    order = TokenOrder(room=room, identity=identity, name=name, role=role, ttl=ttl, grants=tuple(grant or ()))
    made = make_token(settings, order, SYSTEM_CLOCK.utc())
    typer.echo(json.dumps(made) if as_json else made["token"])
