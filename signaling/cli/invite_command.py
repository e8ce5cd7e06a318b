"""`parley invite`: invites in the database itself, with or without a running server."""

from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.api.invite_models import InviteRequest, InviteView, NewInvite
from signaling.chance import SYSTEM_CHANCE
from signaling.cli.database_work import do
from signaling.ids import uuid7
from signaling.refusals import BadSettings
from signaling.settings.settings import Settings
from signaling.storage import invites, moderation, rooms
from signaling.storage.database import Database
from signaling.storage.invites import Invite
from signaling.storage.moderation import ModerationEvent
from signaling.storage.pages import MOST, PageRequest

CREATED_BY = "cli"
_FLAGS = {"max_uses": "uses", "expires_in": "ttl", "invitee": "for"}


def request_of(**chosen: object) -> InviteRequest:
    """An invite as it is asked for on the command line; what is None is not chosen. Raises BadSettings."""
    try:
        return InviteRequest.model_validate({name: value for name, value in chosen.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        flag = str(first["loc"][0])
        raise BadSettings(
            f"--{_FLAGS.get(flag, flag)} is not possible",
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
    """The invites of a room, the newest first, whatever has become of them. Raises Refusal."""

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
    """The trail of the room: whoever sits at this machine may all that an operator may."""
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
