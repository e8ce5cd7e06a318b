"""Routes of invites: create, list, revoke, preview, accept, decline. Handlers only.

The token is in the body, never in an address, so that it is in no log. A wrong one counts against the address that it
came from, and is answered in one way, whether there ever was such an invite or not.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from aiohttp import web

from signaling.api.invite_models import (
    AcceptedInvite,
    InviteAcceptance,
    InvitePage,
    InvitePreview,
    InviteRequest,
    InviteToken,
    InviteView,
    NewInvite,
    RejectedInvite,
)
from signaling.api.people_models import PageQuery
from signaling.call.acts import record_access
from signaling.call.leaving import check_admission
from signaling.call.sessions import counting_failures
from signaling.carriers.look_up import policy_of
from signaling.clock import SYSTEM_CHANCE
from signaling.http import bearer
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, SETTINGS, TOKENS
from signaling.http.bearer import asker_of, claims_of, enter
from signaling.http.headers import client_address, client_of_request
from signaling.http.problems import read_body, read_query, refuse
from signaling.http.routes import BODY_ERRORS, Route, json_answer
from signaling.identity import issuing
from signaling.identity.claims import Claims
from signaling.identity.issuing import TokenOrder
from signaling.identity.permissions import Asker
from signaling.storage import invites, rooms
from signaling.storage.invites import Invite
from signaling.storage.pages import PageRequest
from signaling.storage.room_record import Room

_OF_ROOM = "/api/v1/rooms/{id}/invites"
_MINE = "/api/v1/invites"

_log = structlog.get_logger("signaling.api.invites")


@dataclass(frozen=True, slots=True)
class _Holder:
    """The bearer of an invite: a person with a token, or a guest, whose `claims` are None."""

    claims: Claims | None
    address: str


async def create(request: web.Request) -> web.StreamResponse:
    """Create an invite; its token is in this answer only."""
    await asker_of(request)
    wanted = await read_body(request, InviteRequest, request.app[SETTINGS].read_timeout)
    asker, room = await enter(request, "invite.create")
    if room is None:
        refuse("not_found", "Only stored rooms have invites, and there is no stored room with this id.")
    issuing.check_role(asker.holder, wanted.role, room.id)
    order, utc = wanted.order(room.id, asker.identity), request.app[CLOCK].utc()
    async with request.app[DATABASE].transaction() as connection:
        await rooms.get(connection, room.id)
        made, token = await invites.create(connection, order, utc, SYSTEM_CHANCE)
    _record(request, asker, "invite.create", made)
    scheme = "https" if client_of_request(request).secure else "http"
    answer = json_answer(NewInvite.of_new(made, token, f"{scheme}://{request.host}"), 201)
    answer.headers["Location"] = f"/api/v1/rooms/{room.id}/invites/{made.id}"
    return answer


async def listing(request: web.Request) -> web.StreamResponse:
    """The invites of a room."""
    await enter(request, "invite.list")
    query, utc = read_query(request, PageQuery), request.app[CLOCK].utc()
    async with request.app[DATABASE].reading() as connection:
        found = await invites.page(connection, request.match_info["id"], PageRequest(query.limit, query.cursor))
    views = [InviteView.of(one, utc) for one in found.items]
    return json_answer(InvitePage(items=views, next_cursor=found.next_cursor))


async def revoke(request: web.Request) -> web.StreamResponse:
    """Revoke an invite. Participants who joined with it stay."""
    asker, _ = await enter(request, "invite.revoke")
    which, utc = (request.match_info["id"], request.match_info["invite"]), request.app[CLOCK].utc()
    async with request.app[DATABASE].transaction() as connection:
        revoked = await invites.revoke(connection, *which, asker.identity, utc)
    _record(request, asker, "invite.revoke", revoked)
    return web.Response(status=204)


async def preview(request: web.Request) -> web.StreamResponse:
    """Read an invite: its room, role and end."""
    holder = await _holder(request)
    wanted = await read_body(request, InviteToken, request.app[SETTINGS].read_timeout)
    identity = None if holder.claims is None else holder.claims.identity
    with _counting(request, holder):
        async with request.app[DATABASE].reading() as connection:
            invite = await invites.find(connection, wanted.token, request.app[CLOCK].utc(), identity)
            room = await rooms.get(connection, invite.room_id)
    preview = InvitePreview(room=room.id, room_name=room.name, role=invite.role, expires_at=invite.expires_at)
    return json_answer(preview)


async def accept(request: web.Request) -> web.StreamResponse:
    """Accept an invite with one's own identity, or as a guest, and get a token."""
    holder = await _holder(request)
    wanted = await read_body(request, InviteAcceptance, request.app[SETTINGS].read_timeout)
    claims, utc = holder.claims, request.app[CLOCK].utc()
    identity = issuing.new_guest(SYSTEM_CHANCE) if claims is None else claims.identity
    with _counting(request, holder):
        async with request.app[DATABASE].transaction() as connection:
            invite = await invites.accept(connection, wanted.token, identity, utc)
            room = await rooms.get(connection, invite.room_id)
            order = issuing.token_of(claims, identity, wanted.name, room.id, invite.role)
            token = _issue(request, order, room)
    _log_use("invite_accepted", holder, invite, identity)
    accepted = AcceptedInvite.of_accepted(token, order, utc, room_name=room.name, guest=claims is None)
    return json_answer(accepted)


async def reject(request: web.Request) -> web.StreamResponse:
    """Decline an invite."""
    holder = await _holder(request)
    wanted = await read_body(request, InviteToken, request.app[SETTINGS].read_timeout)
    identity = None if holder.claims is None else holder.claims.identity
    with _counting(request, holder):
        async with request.app[DATABASE].transaction() as connection:
            invite = await invites.reject(connection, wanted.token, identity, request.app[CLOCK].utc())
    _log_use("invite_rejected", holder, invite, identity)
    return json_answer(RejectedInvite(room=invite.room_id, ended=invite.rejected_at is not None))


async def _holder(request: web.Request) -> _Holder:
    """The bearer of the invite. Raises as `claims_of`, and `unauthenticated` for a guest on a server without guests."""
    if "Authorization" in request.headers:
        return _Holder(await claims_of(request), client_address(request))
    if not request.app[SETTINGS].invite_guests:
        refuse("unauthenticated", "This server accepts no guests: send a token as Bearer in the header Authorization.")
    return _Holder(None, client_address(request))


def _counting(request: web.Request, holder: _Holder) -> AbstractContextManager[None]:
    return counting_failures(
        request.app[GATEWAY].conversation, holder.address, request.app[CLOCK].now, "invite_invalid"
    )


def _issue(request: web.Request, order: TokenOrder, room: Room) -> str:
    """Issue the token. Raises ClientMistake: `room_closed`, and the errors that it would cause at the join."""
    conversation, utc = request.app[GATEWAY].conversation, request.app[CLOCK].utc()
    if policy_of(room, conversation.default_policy).has_ended(utc):
        refuse("room_closed")
    token = request.app[TOKENS].issue_order(order, utc)
    check_admission(conversation, request.app[TOKENS].verify(token, utc))
    return token


def _record(request: web.Request, asker: Asker, action: str, invite: Invite) -> None:
    """Write the audit trail. The target is the id of the invite, which does not reveal its token."""
    until = invite.expires_at if action == "invite.create" else None
    conversation, target = request.app[GATEWAY].conversation, f"invite:{invite.id}"
    record_access(conversation, asker, action, target, room=invite.room_id, until=until)


def _log_use(event: str, holder: _Holder, invite: Invite, identity: str | None) -> None:
    _log.info(event, invite_id=invite.id, room_id=invite.room_id, identity=identity, client=holder.address)


_ERRORS = (*bearer.ERRORS, "storage_unavailable")
_SHOWN = (*_ERRORS, *BODY_ERRORS, "invite_invalid")
ROUTES = (
    Route(
        "POST",
        _OF_ROOM,
        create,
        "Create an invite into a room.",
        answers={201: NewInvite},
        body=InviteRequest,
        errors=(*_ERRORS, *BODY_ERRORS, "not_found"),
        repeatable=True,
        per_minute=60,
    ),
    Route(
        "GET",
        _OF_ROOM,
        listing,
        "List the invites of a room.",
        answers={200: InvitePage},
        query=PageQuery,
        errors=_ERRORS,
    ),
    Route(
        "DELETE",
        f"{_OF_ROOM}/{{invite}}",
        revoke,
        "Revoke an invite.",
        answers={204: ""},
        errors=(*_ERRORS, "not_found"),
    ),
    Route(
        "POST",
        f"{_MINE}/preview",
        preview,
        "Preview an invite.",
        answers={200: InvitePreview},
        body=InviteToken,
        errors=(*_SHOWN, "not_found"),
        per_minute=60,
        anonymous=True,
    ),
    Route(
        "POST",
        f"{_MINE}/accept",
        accept,
        "Accept an invite, and get a token for its room.",
        answers={200: AcceptedInvite},
        body=InviteAcceptance,
        errors=(*_SHOWN, "not_found", "room_closed"),
        repeatable=True,
        per_minute=60,
        anonymous=True,
    ),
    Route(
        "POST",
        f"{_MINE}/reject",
        reject,
        "Decline an invite.",
        answers={200: RejectedInvite},
        body=InviteToken,
        errors=_SHOWN,
        per_minute=60,
        anonymous=True,
    ),
)
