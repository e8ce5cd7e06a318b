"""Invites into a room: a hashed token, a number of uses, an expiry."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.identity.bearer_secrets import hash_of, new_invite_token
from signaling.ids import RandomBytes, uuid7
from signaling.storage import words
from signaling.storage.access_tables import invite_uses
from signaling.storage.access_tables import invites as table
from signaling.storage.fields import check_number, check_word
from signaling.storage.pages import Listing, Page, PageRequest, columns_of, insert_once, load, values_of

LIFETIME = timedelta(hours=24)
LONGEST = timedelta(days=365)
MOST_USES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteOrder:
    """A request for an invite. `invitee` is the identity that it is for; None is anyone with the link."""

    room_id: str
    created_by: str
    role: words.RoomRole = "member"
    invitee: str | None = None
    max_uses: int = 1
    lifetime: timedelta = LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """An invite without its token, which is stored only as a hash."""

    id: str
    room_id: str
    role: words.RoomRole
    invitee: str | None
    max_uses: int
    uses: int
    created_by: str
    created_at: datetime
    expires_at: datetime
    rejected_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None


_LISTING = Listing(table, Invite, "created_at")


async def create(
    connection: AsyncConnection, order: InviteOrder, utc: datetime, random: RandomBytes
) -> tuple[Invite, str]:
    """Create an invite. Return it with its token, which is not stored. Raises ClientMistake (`bad_message`)."""
    check_word("role", order.role, words.ROOM_ROLES)
    check_number("max_uses", order.max_uses, 1, MOST_USES)
    if not timedelta(seconds=1) <= order.lifetime <= LONGEST:
        raise ClientMistake("bad_message", f"an invite must be valid for between a second and {LONGEST.days} days")
    token = new_invite_token(random)
    invite = Invite(
        id=uuid7(utc, random),
        room_id=order.room_id,
        role=order.role,
        invitee=order.invitee,
        max_uses=order.max_uses,
        uses=0,
        created_by=order.created_by,
        created_at=utc,
        expires_at=utc + order.lifetime,
    )
    await connection.execute(table.insert().values(**values_of(invite), token_hash=hash_of(token)))
    return invite, token


async def find(connection: AsyncConnection, token: str, utc: datetime, identity: str | None = None) -> Invite:
    """Return the invite of a token if `identity`, or a guest for None, can accept it now.

    Raises ClientMistake (`invite_invalid`).
    """
    used = exists().where(invite_uses.c.invite_id == table.c.id, invite_uses.c.identity == identity)
    free = (table.c.uses < table.c.max_uses) | used
    query = select(*columns_of(table, Invite)).where(_valid(token, utc), _for(identity), free)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise ClientMistake("invite_invalid")
    return load(Invite, row)


async def accept(connection: AsyncConnection, token: str, identity: str, utc: datetime) -> Invite:
    """Accept an invite. A second acceptance by the same identity is allowed and not counted.

    Raises ClientMistake (`invite_invalid`), also for the later of two requests for the last use. The caller's
    transaction must end then.
    """
    query = select(*columns_of(table, Invite)).where(_valid(token, utc), _for(identity))
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise ClientMistake("invite_invalid")
    invite = load(Invite, row)
    use = {"invite_id": invite.id, "identity": identity, "used_at": utc}
    if not await insert_once(connection, invite_uses, use):
        return invite
    # One statement checks and counts. A concurrent one waits for it and finds the invite used up.
    counting = update(table).where(_valid(token, utc), table.c.uses < table.c.max_uses)
    counted = await connection.execute(counting.values(uses=table.c.uses + 1).returning(table.c.uses))
    uses = counted.scalar_one_or_none()
    if uses is None:
        raise ClientMistake("invite_invalid")
    return replace(invite, uses=uses)


async def reject(connection: AsyncConnection, token: str, identity: str | None, utc: datetime) -> Invite:
    """Decline. An invite for this identity ends. One for anyone with the link stays valid for others; a guest, who has
    no identity, can decline only such an invite.

    Raises ClientMistake (`invite_invalid`).
    """
    query = select(*columns_of(table, Invite)).where(_valid(token, utc), _for(identity))
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise ClientMistake("invite_invalid")
    invite = load(Invite, row)
    if invite.invitee is None:
        return invite
    await connection.execute(update(table).where(table.c.id == invite.id).values(rejected_at=utc))
    return replace(invite, rejected_at=utc)


async def revoke(connection: AsyncConnection, room_id: str, invite_id: str, by: str, utc: datetime) -> Invite:
    """Revoke an invite of a room. Raises ClientMistake (`not_found`) if it does not exist or is revoked."""
    revoking = update(table).where(table.c.id == invite_id, table.c.room_id == room_id, table.c.revoked_at.is_(None))
    values = {"revoked_at": utc, "revoked_by": by}
    row = (await connection.execute(revoking.values(**values).returning(*columns_of(table, Invite)))).mappings()
    found = row.one_or_none()
    if found is None:
        raise ClientMistake("not_found", "there is no such invite")
    return load(Invite, found)


async def page(connection: AsyncConnection, room_id: str, request: PageRequest) -> Page[Invite]:
    """Return the invites of a room in any state."""
    return await _LISTING.page(connection, {"room_id": room_id}, [table.c.room_id == room_id], request)


def _valid(token: str, utc: datetime) -> ColumnElement[bool]:
    alive = table.c.revoked_at.is_(None) & table.c.rejected_at.is_(None) & (table.c.expires_at > utc)
    return (table.c.token_hash == hash_of(token)) & alive


def _for(identity: str | None) -> ColumnElement[bool]:
    return table.c.invitee.is_(None) | (table.c.invitee == identity)
