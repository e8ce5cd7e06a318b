"""`parley invite`: manages invites directly in the database, with or without a running server."""

from datetime import datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.api.invite_models import InviteRequest, InviteView, NewInvite
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
from signaling.ids import uuid7
from signaling.settings.settings import Settings
from signaling.storage import invites, moderation, rooms
from signaling.storage.database import Database
from signaling.storage.invites import Invite
from signaling.storage.moderation import ModerationEvent
from signaling.storage.pages import MOST, PageRequest

CREATED_BY = "cli"
_FLAGS = {"max_uses": "uses", "expires_in": "ttl", "invitee": "for"}


def request_of(**chosen: object) -> InviteRequest:
    """Return the invite request of a command line. None means the default. Raises BadSettings."""
    try:
        return InviteRequest.model_validate({name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        flag = str(first["loc"][0])
        raise BadSettings(
            f"--{_FLAGS.get(flag, flag)} is not valid",
            first["msg"].removeprefix("Value error, "),
            "Choose another value; see parley invite create --help.",
        ) from None


def page_of(settings: Settings, url: str | None) -> str:
    """The address of the page that a link opens: the one given, the server's, or this machine's."""
    scheme = "https" if settings.tls else "http"
    return url or settings.server_url or f"{scheme}://localhost:{settings.port}"


def create(settings: Settings, room_id: str, request: InviteRequest, page: str, utc: datetime) -> NewInvite:
    """Make an invite; with its link, which is shown this once. Raises Refusal."""

    async def work(database: Database) -> NewInvite:
        async with database.transaction() as connection:
            await rooms.get(connection, room_id)
            order = request.order(room_id, CREATED_BY)
            made, token = await invites.create(connection, order, utc, SYSTEM_CHANCE)
            await _record(connection, "invite.create", made, utc)
            return NewInvite.of_new(made, token, page)

    return do(settings, work)


def listing(settings: Settings, room_id: str, utc: datetime) -> list[InviteView]:
    """The invites of a room, newest first, in any state. Raises Refusal."""

    async def work(database: Database) -> list[InviteView]:
        found: list[Invite] = []
        request = PageRequest(MOST)
        while True:
            async with database.reading() as connection:
                await rooms.get(connection, room_id)
                page = await invites.page(connection, room_id, request)
            found += page.items
            if page.next_cursor is None:
                return [InviteView.of(one, utc) for one in found]
            request = PageRequest(MOST, page.next_cursor)

    return do(settings, work)


def revoke(settings: Settings, room_id: str, invite_id: str, utc: datetime) -> InviteView:
    """Withdraw an invite; what it was. Who is in the room by it stays. Raises Refusal."""

    async def work(database: Database) -> InviteView:
        async with database.transaction() as connection:
            revoked = await invites.revoke(connection, room_id, invite_id, CREATED_BY, utc)
            await _record(connection, "invite.revoke", revoked, utc)
            return InviteView.of(revoked, utc)

    return do(settings, work)


async def _record(connection: AsyncConnection, action: str, invite: Invite, utc: datetime) -> None:
    """Append to the audit trail of the room. The command line has the permissions of an operator."""
    event = ModerationEvent(
        id=uuid7(utc, SYSTEM_CHANCE),
        action=action,
        actor=CREATED_BY,
        actor_role="operator",
        created_at=utc,
        target=f"invite:{invite.id}",
        room_id=invite.room_id,
        expires_at=invite.expires_at if action == "invite.create" else None,
    )
    await moderation.append(connection, event)


invite_app = typer.Typer(
    help="Invites: links into a stored room.",
    no_args_is_help=True,
)
RoomFlag = Annotated[str, typer.Option(help="The id of the room.")]


@invite_app.command("create")
@telling_refusals
def invite_create(
    *,
    room: RoomFlag,
    role: Annotated[str, typer.Option(help="owner, moderator or member.")] = "member",
    uses: Annotated[int, typer.Option(help="Maximum number of uses.")] = 1,
    ttl: Annotated[str, typer.Option(help="Lifetime of the invite: 30m, 24h, at most 720h.")] = "24h",
    for_: Annotated[
        str | None, typer.Option("--for", help="The only identity that can use the invite.", show_default=False)
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Address of the page. Default: `server_url`, or this machine.", show_default=False),
    ] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Create an invite and print its link. It is not shown again."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    request = request_of(role=role, max_uses=uses, expires_in=seconds_of("--ttl", ttl), invitee=for_)
    page = page_of(settings, url)
    made = create(settings, room, request, page, SYSTEM_CLOCK.utc())
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
    """List the invites of a room without their tokens, newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    for one in listing(settings, room, SYSTEM_CLOCK.utc()):
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
    """Revoke an invite. Participants who used it stay in the room."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    revoked = revoke(settings, room, invite, SYSTEM_CLOCK.utc())
    say(revoked, revoked.as_text(), as_json=as_json)
