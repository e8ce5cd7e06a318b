"""Moderation, bans and the audit trail over HTTP. Handlers only: the acts are those of the WebSocket.

An act takes effect at once, and its rows are written afterwards. The answer waits for them, so that a read after it
finds them, but for some seconds at most: it goes out also while the database is down.
"""

import asyncio

from aiohttp import web

from signaling.api.moderation_models import (
    AuditPage,
    AuditQuery,
    AuditView,
    BanOrder,
    BanPage,
    BanQuery,
    BanView,
    ModerationDone,
    ModerationOrder,
)
from signaling.call.bans import ban, ban_act, lift, lift_act
from signaling.call.joining import Entry
from signaling.call.moderation import act_in_room
from signaling.carriers.look_up import policy_of
from signaling.errors import StorageUnavailable
from signaling.http import bearer
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, SETTINGS, SPOOL
from signaling.http.bearer import asker_of, enter
from signaling.http.problems import read_body, read_query, refuse
from signaling.http.routes import BODY_ERRORS, Route, json_answer
from signaling.identity import deny_list
from signaling.identity.grants import Role
from signaling.identity.permissions import Asker, may
from signaling.storage import bans, calls, moderation, rooms
from signaling.storage.calls import PeopleFilter
from signaling.storage.pages import PageRequest
from signaling.storage.room_record import Room

_ROOM = "/api/v1/rooms/{id}"


async def moderate(request: web.Request) -> web.StreamResponse:
    """Act on one participant of a room."""
    await asker_of(request)
    order = await read_body(request, ModerationOrder, request.app[SETTINGS].read_timeout)
    asker, room = await enter(request, f"participant.{order.action}")
    conversation, now, room_id = request.app[GATEWAY].conversation, request.app[CLOCK].now(), request.match_info["id"]
    wanted = order.checked()
    if wanted.action == "ban" and wanted.identity is not None:
        ban_order = BanOrder(identity=wanted.identity, duration=wanted.duration, reason=wanted.reason)
        await _ban(request, asker, room, ban_order)
        return json_answer(ModerationDone(action=order.action, identity=wanted.identity))
    found = None if wanted.room is None else await _policy_there(request, wanted.room)
    identity = act_in_room(conversation, asker, room_id, wanted, now, found)
    await _written(request)
    return json_answer(ModerationDone(action=order.action, identity=identity))


async def list_bans(request: web.Request) -> web.StreamResponse:
    """List the bans from a room, or from the whole server."""
    await _place(request, "ban.list", "server_ban.list")
    query = read_query(request, BanQuery)
    holding_at = None if query.ended else request.app[CLOCK].utc()
    wanted = (request.match_info.get("id"), PageRequest(query.limit, query.cursor))
    async with request.app[DATABASE].reading() as connection:
        page = await bans.page(connection, *wanted, holding_at=holding_at)
    return json_answer(BanPage(items=[BanView.of(one) for one in page.items], next_cursor=page.next_cursor))


async def create_ban(request: web.Request) -> web.StreamResponse:
    """Ban an identity, present or not, from a room or from the whole server."""
    asker, room = await _place(request, "participant.ban", "server_ban.create")
    order = await read_body(request, BanOrder, request.app[SETTINGS].read_timeout)
    return json_answer(BanView.of_new(await _ban(request, asker, room, order)), 201)


async def lift_ban(request: web.Request) -> web.StreamResponse:
    """Lift a ban from a room, or from the whole server."""
    asker, _ = await _place(request, "participant.unban", "server_ban.lift")
    room_id = request.match_info.get("id")
    async with request.app[DATABASE].reading() as connection:
        banned = await bans.find(connection, request.match_info["ban"])
    if (
        banned is None
        or banned.room_id != room_id
        or banned.identity is None
        or not banned.holds(request.app[CLOCK].utc())
    ):
        refuse("not_found", "There is no active ban with this id.")
    lift(request.app[GATEWAY].conversation, lift_act(asker, room_id), banned.identity)
    await _written(request)
    return web.Response(status=204)


async def audit(request: web.Request) -> web.StreamResponse:
    """Read the audit trail of a room, or of all rooms and the server."""
    await _place(request, "audit.read", "server_audit.read")
    query = read_query(request, AuditQuery)
    wanted = query.wanted(request.match_info.get("id"))
    async with request.app[DATABASE].reading() as connection:
        page = await moderation.page(connection, wanted, PageRequest(query.limit, query.cursor))
    return json_answer(AuditPage(items=[AuditView.of(one) for one in page.items], next_cursor=page.next_cursor))


async def _place(request: web.Request, in_room: str, on_server: str) -> tuple[Asker, Room | None]:
    """The asker, in the room of the path or, without one, on the whole server. Raises as `bearer.enter`."""
    if "id" in request.match_info:
        return await enter(request, in_room)
    asker = await asker_of(request)
    if not may(asker.holder, on_server):
        refuse("forbidden")
    return asker, None


async def _ban(request: web.Request, asker: Asker, room: Room | None, order: BanOrder) -> deny_list.Ban:
    room_id, conversation = request.match_info.get("id"), request.app[GATEWAY].conversation
    role = await _known_role(request, room, order.identity)
    act = ban_act(asker, room_id, order.duration, order.reason)
    made = ban(conversation, act, order.identity, request.app[CLOCK].now(), role)
    await _written(request)
    return made


async def _policy_there(request: web.Request, room_id: str) -> Entry:
    """The policy of the new room of a `move`."""
    asked_at = request.app[CLOCK].now()
    async with request.app[DATABASE].reading() as connection:
        room = await rooms.find(connection, room_id)
    default = request.app[GATEWAY].conversation.default_policy
    return Entry(asked_at=asked_at, policy=None if room is None else policy_of(room, default))


async def _known_role(request: web.Request, room: Room | None, identity: str) -> Role:
    """The role of an identity that may be absent: owner of the room, or the role of its last presence."""
    if room is not None and room.owner == identity:
        return "owner"
    try:
        async with request.app[DATABASE].reading() as connection:
            wanted = PeopleFilter(room_id=request.match_info.get("id"), identity=identity)
            last = (await calls.past_people(connection, wanted, PageRequest(1))).items
    except StorageUnavailable:
        return "member"
    return last[0].role if last else "member"


async def _written(request: web.Request) -> None:
    """Wait until the database has the act; at most for the statement timeout."""
    try:
        async with asyncio.timeout(request.app[SETTINGS].database_statement_timeout):
            await request.app[SPOOL].flush()
    except TimeoutError:
        return


_ERRORS = (*bearer.ERRORS, "storage_unavailable")
_WITH_BODY = (*_ERRORS, *BODY_ERRORS)
_MODERATION = (*_WITH_BODY, "no_such_participant", "duplicate_identity", "not_found", "room_closed", "room_full")


def _ban_routes(path: str, place: str) -> tuple[Route, ...]:
    lifting = (*_ERRORS, "not_found", "no_such_participant")
    return (
        Route("GET", path, list_bans, f"List the bans from {place}.", {200: BanPage}, None, BanQuery, _ERRORS),
        Route(
            "POST",
            path,
            create_ban,
            f"Ban an identity from {place}.",
            {201: BanView},
            BanOrder,
            None,
            _WITH_BODY,
            repeatable=True,
        ),
        Route("DELETE", f"{path}/{{ban}}", lift_ban, f"Lift a ban from {place}.", {204: ""}, errors=lifting),
    )


ROUTES = (
    Route(
        "POST",
        f"{_ROOM}/moderation",
        moderate,
        "Moderate a participant.",
        answers={200: ModerationDone},
        body=ModerationOrder,
        errors=_MODERATION,
        repeatable=True,
    ),
    *_ban_routes(f"{_ROOM}/bans", "a room"),
    *_ban_routes("/api/v1/bans", "the whole server"),
    Route(
        "GET", f"{_ROOM}/audit", audit, "Read the audit trail of a room.", {200: AuditPage}, None, AuditQuery, _ERRORS
    ),
    Route(
        "GET",
        "/api/v1/audit",
        audit,
        "Read the audit trail of all rooms and the server.",
        {200: AuditPage},
        None,
        AuditQuery,
        _ERRORS,
    ),
)
