"""`/api/v1/rooms`: stored rooms. Handlers only: `permissions` decides who may act, `storage` which values are valid."""

from typing import Any

from aiohttp import web

from signaling.api.room_models import RoomChanges, RoomOrder, RoomPage, RoomQuery, RoomView
from signaling.call.floor import adopt
from signaling.call.leaving import empty_room
from signaling.carriers.look_up import policy_of
from signaling.clock import SYSTEM_CHANCE
from signaling.history.rooms import delete_room, make_room
from signaling.http import bearer
from signaling.http.app_keys import CLOCK, COURIER, DATABASE, GATEWAY, PASSWORDS, SETTINGS
from signaling.http.bearer import asker_of
from signaling.http.problems import read_body, read_query, refuse
from signaling.http.routes import Route, json_answer
from signaling.identity.permissions import Asker, may, may_name_owner, may_to_room, owner_of_new
from signaling.storage import rooms
from signaling.storage.pages import PageRequest
from signaling.storage.room_record import Room, RoomFields, wanted_version

PATH = "/api/v1/rooms"


async def create(request: web.Request) -> web.StreamResponse:
    """Create a room. Its owner is the asker, unless an operator or a service names another."""
    asker = await asker_of(request)
    order = await read_body(request, RoomOrder, request.app[SETTINGS].read_timeout)
    if not may(asker.holder, "room.create", room=order.id):
        refuse("forbidden")
    _check_owner(order, asker)
    values = {"owner": owner_of_new(asker), **await _values(request, order)}
    creation = rooms.Creation(asker.identity, request.app[CLOCK].utc(), SYSTEM_CHANCE, order.id)
    async with request.app[DATABASE].transaction() as connection:
        room = await make_room(connection, RoomFields(**values), creation)
    request.app[COURIER].wake()
    _adopt(request, room)
    answer = _answer(room, 201)
    answer.headers["Location"] = f"{PATH}/{room.id}"
    return answer


async def listing(request: web.Request) -> web.StreamResponse:
    """A page of all rooms."""
    asker = await asker_of(request)
    if not may(asker.holder, "room.list"):
        refuse("forbidden")
    query = read_query(request, RoomQuery)
    wanted = rooms.RoomFilter(
        room_type=query.type, guild_id=query.guild, owner=query.owner, region=query.region, search=query.search
    )
    async with request.app[DATABASE].reading() as connection:
        page = await rooms.page(connection, wanted, PageRequest(query.limit, query.cursor))
    return json_answer(RoomPage(items=[RoomView.of(room) for room in page.items], next_cursor=page.next_cursor))


async def read(request: web.Request) -> web.StreamResponse:
    """One room."""
    return _answer(await _room_for(request, await asker_of(request), "room.read"))


async def change(request: web.Request) -> web.StreamResponse:
    """Change the named fields of the version in If-Match."""
    asker = await asker_of(request)
    room = await _room_for(request, asker, "room.update")
    if "If-Match" not in request.headers:
        refuse("precondition_required")
    version = wanted_version(request.headers.get("If-Match"))
    changes = await read_body(request, RoomChanges, request.app[SETTINGS].read_timeout)
    if "owner" in changes.model_fields_set and changes.owner != room.owner:
        _check_owner(changes, asker)
    values = await _values(request, changes)
    async with request.app[DATABASE].transaction() as connection:
        changed = await rooms.change(connection, room.id, values, version, request.app[CLOCK].utc())
    _adopt(request, changed)
    return _answer(changed)


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete a room, and remove its participants."""
    asker = await asker_of(request)
    room = await _room_for(request, asker, "room.delete")
    version, utc = wanted_version(request.headers.get("If-Match")), request.app[CLOCK].utc()
    async with request.app[DATABASE].transaction() as connection:
        room = await delete_room(connection, room.id, version, by=asker.identity, utc=utc, random=SYSTEM_CHANCE)
    request.app[COURIER].wake()
    empty_room(request.app[GATEWAY].conversation, room.id, request.app[CLOCK].now())
    return web.Response(status=204)


async def _room_for(request: web.Request, asker: Asker, action: str) -> Room:
    """The room of the path. An asker who may not do `action` does not learn whether it exists."""
    room_id = request.match_info["id"]
    async with request.app[DATABASE].reading() as connection:
        room = await rooms.find(connection, room_id)
    if not may_to_room(asker, action, room_id, None if room is None else room.owner):
        refuse("forbidden")
    if room is None:
        refuse("not_found", "There is no such room.")
    return room


def _adopt(request: web.Request, room: Room) -> None:
    """Apply the policy to the participants, also of a room that was not stored until now."""
    conversation = request.app[GATEWAY].conversation
    adopt(conversation, room.id, policy_of(room, conversation.default_policy))


def _check_owner(wanted: RoomChanges, asker: Asker) -> None:
    if "owner" in wanted.model_fields_set and not may_name_owner(asker, wanted.owner):
        refuse("forbidden", "Only an operator or a service may make another identity the owner.")


async def _values(request: web.Request, wanted: RoomChanges) -> dict[str, Any]:
    """The named fields, with the hash of the password."""
    values = wanted.named()
    if "password" in wanted.model_fields_set:
        password = wanted.password
        values["password_hash"] = None if password is None else await request.app[PASSWORDS].hash(password)
    return values


def _answer(room: Room, status: int = 200) -> web.Response:
    answer = json_answer(RoomView.of(room), status=status)
    answer.headers["ETag"] = room.etag
    return answer


_BODY_ERRORS = ("overloaded", "timeout", "too_large", "unsupported_media_type")
_ONE = f"{PATH}/{{id}}"
_COMMON = (*bearer.ERRORS, "storage_unavailable")
ROUTES = (
    Route(
        "POST",
        PATH,
        create,
        "Create a room.",
        answers={201: RoomView},
        body=RoomOrder,
        errors=(*_COMMON, *_BODY_ERRORS, "already_exists"),
        repeatable=True,
    ),
    Route("GET", PATH, listing, "List rooms.", answers={200: RoomPage}, query=RoomQuery, errors=_COMMON),
    Route("GET", _ONE, read, "Get a room.", answers={200: RoomView}, errors=(*_COMMON, "not_found")),
    Route(
        "PATCH",
        _ONE,
        change,
        "Change a room. Needs If-Match.",
        answers={200: RoomView},
        body=RoomChanges,
        errors=(*_COMMON, *_BODY_ERRORS, "not_found", "precondition_required", "stale"),
        headers=("If-Match",),
    ),
    Route(
        "DELETE",
        _ONE,
        delete,
        "Delete a room.",
        answers={204: ""},
        errors=(*_COMMON, "not_found", "stale"),
        headers=("If-Match",),
    ),
)
