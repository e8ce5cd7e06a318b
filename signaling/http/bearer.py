"""Authenticates the bearer of a request (RFC 6750 section 2.1): a token as on the WebSocket, or an API key.

The token is verified once for each request, before its rate is counted; the result is stored in the request.
"""

from dataclasses import dataclass

from aiohttp import web

from signaling.call.sessions import check_failed_secrets, counting_failures, verify_token
from signaling.errors import SignalingError, StorageUnavailable
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, KEY_SET, SERVICE_KEYS
from signaling.http.headers import client_address
from signaling.http.problems import refuse
from signaling.identity.bearer_secrets import API_KEY_BEGIN
from signaling.identity.claims import Claims
from signaling.identity.names import ROOM_ID
from signaling.identity.permissions import Asker, in_room, may
from signaling.storage import rooms
from signaling.storage.room_record import Room

ERRORS = ("unauthenticated", "token_expired", "token_invalid", "forbidden", "banned", "rate_limited")
"""The error codes of a route that needs a token."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The result of the authentication: the asker, or the error."""

    asker: Asker | None
    why: SignalingError | None = None


_FOUND = web.RequestKey("asker", _Found)


async def recognise(request: web.Request) -> Asker | None:
    """The asker; None where the authentication failed, with the error that `asker_of` raises."""
    found = request.get(_FOUND)
    if found is None:
        try:
            found = _Found(await _authenticate(request, _bearer(request)))
        except SignalingError as error:
            found = _Found(None, error)
        request[_FOUND] = found
    return found.asker


async def asker_of(request: web.Request) -> Asker:
    """The asker: a person with a token, or a service with an API key.

    Raises ClientMistake: `unauthenticated` without either, `token_invalid`, `token_expired`, `banned`, and
    `rate_limited` after too many forged ones from this address; they are counted together with those of the WebSocket.
    Raises StorageUnavailable where a key cannot be looked up.
    """
    asker = await recognise(request)
    if asker is None:
        why = request[_FOUND].why
        assert why is not None
        raise why
    return asker


async def claims_of(request: web.Request) -> Claims:
    """The claims of a person's token. Raises as `asker_of`, and `forbidden` for a service."""
    holder = (await asker_of(request)).holder
    if not isinstance(holder, Claims):
        refuse("forbidden", "This needs the token of a participant; an API key is not accepted.")
    return holder


async def service_of(request: web.Request, key: str) -> Asker:
    """The asker with this API key, which came in a body. Raises as `asker_of`."""
    if not key.startswith(API_KEY_BEGIN):
        refuse("token_invalid", "This needs an API key.")
    return await _authenticate(request, key)


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        refuse("unauthenticated", "Send a token or an API key as Bearer in the header Authorization.")
    return token.strip()


async def _authenticate(request: web.Request, text: str) -> Asker:
    conversation, now, address = request.app[GATEWAY].conversation, request.app[CLOCK].now, client_address(request)
    if text.startswith(API_KEY_BEGIN):
        with counting_failures(conversation, address, now, "token_invalid"):
            return Asker(holder=await request.app[SERVICE_KEYS].verify(text), address=address)
    if KEY_SET in request.app:
        check_failed_secrets(conversation, address, now())
        await request.app[KEY_SET].prepare(text)
    return Asker(holder=verify_token(conversation, text, address, now()), address=address)


async def enter(request: web.Request, action: str) -> tuple[Asker, Room | None]:
    """The asker, with its role in the room of the path, and the room, if it is stored.

    Raises as `asker_of`, and ClientMistake (`forbidden`) for an asker who may not do `action` there, whether the room
    exists or not. While the database is down, an asker who needs no owner's role is still admitted.
    """
    asker, room_id = await asker_of(request), request.match_info["id"]
    if not ROOM_ID.match(room_id):
        refuse("forbidden")
    room: Room | None = None
    try:
        async with request.app[DATABASE].reading() as connection:
            room = await rooms.find(connection, room_id)
    except StorageUnavailable:
        if not may(asker.holder, action, room=room_id):
            raise
    there = asker if room is None else in_room(asker, room_id, room.owner)
    if not may(there.holder, action, room=room_id):
        refuse("forbidden")
    return there, room
