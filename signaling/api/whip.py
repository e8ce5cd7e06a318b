"""WHIP (RFC 9725) and WHEP: a client publishes into a room, or listens to it, with one offer over HTTP.

Requests become messages of the protocol, which the conversation handles like those of any carrier. Handlers only.
"""

from functools import partial

from aiohttp import web
from multidict import CIMultiDict

from signaling.api.plain_http import exchange
from signaling.carriers.whip_carrier import WhipCarrier, part
from signaling.clock import SYSTEM_CHANCE
from signaling.http.app_keys import CLOCK, GATEWAY, SETTINGS
from signaling.http.bearer import ERRORS as BEARER_ERRORS
from signaling.http.bearer import claims_of
from signaling.http.headers import client_address
from signaling.http.problems import problem, read_octets, refuse
from signaling.http.routes import BODY_ERRORS, Route
from signaling.identity.names import clean_user_agent
from signaling.identity.permissions import may
from signaling.ids import new_secret
from signaling.protocol.envelope import MOST_BYTES
from signaling.protocol.plain_http import join_message, leave_message, message_text
from signaling.protocol.whip import MEDIA_TYPE as FRAGMENT_TYPE
from signaling.protocol.whip import (
    SDP_TYPE,
    WHEP,
    WHIP,
    Way,
    check_match,
    entity_tag,
    finished,
    fragment_of,
    link_headers,
    one_way_offer,
    parse_fragment,
    restarted,
)


async def begin(way: Way, request: web.Request) -> web.StreamResponse:
    """Answer an offer, and create the resource of the session (RFC 9725 section 4.2)."""
    claims = await claims_of(request)
    if not may(claims, way.action, room=request.match_info["id"]):
        refuse("forbidden", "The token does not allow this in this room.")
    if request.content_type != SDP_TYPE:
        return _other_type(request, "Accept-Post", SDP_TYPE)
    offer = one_way_offer(await read_octets(request, request.app[SETTINGS].read_timeout), way)
    gateway, now = request.app[GATEWAY], request.app[CLOCK].now
    gateway.check_open()
    carrier = WhipCarrier(client_address(request), clean_user_agent(request.headers.get("User-Agent", "")), now())
    carrier.open_as(new_secret(SYSTEM_CHANCE), request.match_info["id"], way, claims.identity, _bearer(request))
    try:
        answer = await _enter(request, carrier, offer)
    except BaseException:
        part(gateway.conversation, carrier, "join_failure", now())
        raise
    gateway.whip_resources.add(carrier)
    location = f"{request.path}/{carrier.id}"
    headers = CIMultiDict({"Location": location, "ETag": carrier.tag, "Accept-Patch": FRAGMENT_TYPE})
    headers.extend(("Link", link) for link in link_headers(gateway.settings.ice_servers))
    return _answer(201, SDP_TYPE, finished(answer, offer), headers)


async def change(way: Way, request: web.Request) -> web.StreamResponse:
    """Add candidates, which are kept for diagnosis, or restart ICE (RFC 9725 section 4.3)."""
    carrier = await _resource(way, request)
    if request.content_type != FRAGMENT_TYPE:
        return _other_type(request, "Accept-Patch", FRAGMENT_TYPE)
    check_match(request.headers.get("If-Match"), carrier.tag)
    fragment = parse_fragment(await read_octets(request, request.app[SETTINGS].read_timeout))
    if fragment.ice is None or not fragment.restarts(carrier.client_username):
        for candidate in fragment.candidates:
            await exchange(request, carrier, message_text("ice-candidate", {"candidate": candidate}))
        return web.Response(status=204)
    offer = restarted(carrier.offer, fragment.ice)
    answer = (await exchange(request, carrier, _offer_message(offer))).message.payload["sdp"]
    carrier.began(offer, answer)
    return _answer(200, FRAGMENT_TYPE, fragment_of(answer), CIMultiDict({"ETag": entity_tag(answer)}))


async def end(way: Way, request: web.Request) -> web.StreamResponse:
    """End the session (RFC 9725 section 4.2); If-Match is ignored."""
    carrier = await _resource(way, request)
    await exchange(request, carrier, leave_message())
    request.app[GATEWAY].conversation.lost(carrier, request.app[CLOCK].now())
    return web.Response()


async def look(way: Way, request: web.Request) -> web.StreamResponse:
    """Say that the resource exists; it has no content (RFC 9725 section 4.1)."""
    await _resource(way, request)
    return web.Response(status=204)


async def describe(way: Way, request: web.Request) -> web.StreamResponse:
    """Say that the endpoint exists; that of WHEP names its media type, by which players recognise it."""
    if way is WHIP:
        return web.Response(status=204)
    return web.Response(content_type=SDP_TYPE)


async def options(request: web.Request) -> web.StreamResponse:
    """List the methods and media types (RFC 9725 section 4.2); every answer has the CORS headers."""
    if "resource" in request.match_info:
        return web.Response(headers={"Allow": "DELETE, GET, HEAD, OPTIONS, PATCH", "Accept-Patch": FRAGMENT_TYPE})
    return web.Response(headers={"Allow": "GET, HEAD, OPTIONS, POST", "Accept-Post": SDP_TYPE})


async def _enter(request: web.Request, carrier: WhipCarrier, offer: str) -> str:
    """Authenticate, join and offer; then deafen a publisher, or mute a listener, so that the others see it."""
    carrier.collect()
    request.app[GATEWAY].conversation.open(carrier, request.app[CLOCK].now(), _bearer(request))
    carrier.opened = carrier.session
    carrier.answer()
    await exchange(request, carrier, join_message(carrier.room_id, b""))
    answer: str = (await exchange(request, carrier, _offer_message(offer))).message.payload["sdp"]
    await exchange(request, carrier, message_text(carrier.way.hush, {}))
    carrier.began(offer, answer)
    return answer


def _offer_message(offer: str) -> bytes:
    text = message_text("offer", {"sdp": offer})
    if len(text) > MOST_BYTES:
        refuse("too_large")
    return text


async def _resource(way: Way, request: web.Request) -> WhipCarrier:
    """The resource of the path, for the token that opened it or a valid one of the same identity.

    The token that opened a resource may have expired: the session outlives it, and must be ended with it.
    """
    gateway, path = request.app[GATEWAY], request.match_info
    carrier = gateway.whip_resources.find(way, path["id"], path["resource"], request.app[CLOCK].now())
    if not carrier.was_opened_with(_bearer(request)) and (await claims_of(request)).identity != carrier.identity:
        refuse("forbidden", "This resource belongs to another identity.")
    return carrier


def _bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").partition(" ")[2].strip()


def _other_type(request: web.Request, header: str, wanted: str) -> web.Response:
    """415, with the accepted type in a header (RFC 5789 section 2.2)."""
    answer = problem(request, "unsupported_media_type", f"The body must be {wanted}.")
    answer.headers[header] = wanted
    return answer


def _answer(status: int, content_type: str, text: str, headers: CIMultiDict[str]) -> web.Response:
    headers["Cache-Control"] = "no-store"
    return web.Response(status=status, body=text.encode(), content_type=content_type, headers=headers)


_OPENING = (
    *BEARER_ERRORS,
    *BODY_ERRORS,
    *("bad_sdp", "no_audio", "no_codec", "password_required", "invite_required", "not_found", "room_closed"),
    *("room_full", "duplicate_identity", "overloaded", "storage_unavailable", "server_shutdown"),
)
_OF_RESOURCE = (*BEARER_ERRORS, "not_found", "storage_unavailable")
_OF_MESSAGES = ("unexpected_message", "not_in_room")
_CHANGE = (*_OF_RESOURCE, *_OF_MESSAGES, *BODY_ERRORS, "bad_sdp", "stale", "precondition_required")
_END = (*_OF_RESOURCE, *_OF_MESSAGES)


def _routes(way: Way, does: str) -> tuple[Route, ...]:
    """The routes of WHIP or of WHEP."""
    path = f"/api/v1/rooms/{{id}}/{way.name}"
    one, upper = f"{path}/{{resource}}", way.name.upper()
    nothing = {204: ""} if way is WHIP else {200: SDP_TYPE}
    return (
        Route("POST", path, partial(begin, way), f"{upper}: {does}", {201: SDP_TYPE}, body=SDP_TYPE, errors=_OPENING),
        Route("GET", path, partial(describe, way), f"{upper}: no content; says that the resource exists.", nothing),
        Route("HEAD", path, partial(describe, way), f"{upper}: the same.", nothing),
        Route("OPTIONS", path, options, f"{upper}: get the accepted methods and media types.", {200: ""}),
        Route(
            "PATCH",
            one,
            partial(change, way),
            f"{upper}: send candidates, or restart ICE.",
            {200: FRAGMENT_TYPE, 204: ""},
            body=FRAGMENT_TYPE,
            errors=_CHANGE,
            headers=("If-Match",),
        ),
        Route("DELETE", one, partial(end, way), f"{upper}: end the session.", {200: ""}, errors=_END),
        Route(
            "GET",
            one,
            partial(look, way),
            f"{upper}: check whether the resource exists.",
            {204: ""},
            errors=_OF_RESOURCE,
        ),
        Route("HEAD", one, partial(look, way), f"{upper}: the same.", {204: ""}, errors=_OF_RESOURCE),
        Route("OPTIONS", one, options, f"{upper}: get the accepted methods and media types.", {200: ""}),
    )


ROUTES = (*_routes(WHIP, "publish into a room."), *_routes(WHEP, "listen to a room."))
