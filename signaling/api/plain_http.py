"""Signaling over plain HTTP: requests with one message each, and the event stream with the server's messages.

A request becomes the text of a message, and `Conversation.read` parses it like any other. The models of the bodies here
are for the OpenAPI document only.
"""

import asyncio
import contextlib
import socket
import weakref
from typing import Any

from aiohttp import web
from pydantic import Field, JsonValue

from signaling.call.sessions import check_failed_secrets, check_room, find_session
from signaling.carriers.http_carrier import (
    ALIVE_SECONDS,
    MOST_WAITING,
    RETRY_SECONDS,
    UNNAMED_ID,
    Answer,
    HttpCarrier,
    carrier_of,
    open_stream,
)
from signaling.errors import ERRORS, ClientMistake
from signaling.http.app_keys import CLOCK, GATEWAY, SETTINGS
from signaling.http.bearer import claims_of
from signaling.http.headers import client_address
from signaling.http.problems import read_json_text, refuse
from signaling.http.routes import Route
from signaling.identity.names import clean_user_agent
from signaling.models import Model
from signaling.protocol.client_messages import CLIENT_MESSAGES
from signaling.protocol.envelope import MOST_BYTES
from signaling.protocol.plain_http import (
    HEARTBEAT,
    SESSION_HEADER,
    Credentials,
    EventStream,
    auth_message,
    check_opening,
    join_answer,
    join_message,
    leave_message,
    parse_credentials,
    parse_last_event_id,
)
from signaling.protocol.server_messages import SERVER_MESSAGES, Joined, Outgoing, Welcome


class JoinBody(Model):
    """The payload of `join`; the path names the room."""

    display_name: str = Field("", max_length=512)
    capabilities: dict[str, JsonValue] = Field(default_factory=dict, max_length=32)
    password: str | None = Field(None, max_length=1024)
    invite: str | None = Field(None, max_length=256)


class JoinAnswer(Model):
    """A session with its secret, and the payloads of `welcome` and `joined`."""

    session: str
    secret: str
    seq: int = Field(description="The `seq` of the last message in this answer, for Last-Event-ID.")
    welcome: Welcome
    joined: Joined


class MessageBody(Model):
    """A message of the protocol; the payloads are in signaling/schema/parley.v1.json."""

    type: str = Field(json_schema_extra={"enum": list(CLIENT_MESSAGES)})
    id: str | int | None = Field(None, description="The answer repeats it. Default: 0.")
    payload: dict[str, Any] = Field(default_factory=dict)


class MessageAnswer(Model):
    """A message of the server, as on the WebSocket."""

    type: str = Field(json_schema_extra={"enum": list(SERVER_MESSAGES)})
    id: str | int
    seq: int
    payload: dict[str, Any]


LOOK_SECONDS = 1.0
"""The interval at which an idle stream checks that its connection is open."""

_STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    # nginx would buffer the stream.
    "X-Accel-Buffering": "no",
}
_LATER = {"retry_after": RETRY_SECONDS}

_turns: "weakref.WeakKeyDictionary[HttpCarrier, asyncio.Lock]" = weakref.WeakKeyDictionary()


async def join(request: web.Request) -> web.StreamResponse:
    """`auth` and `join` in one request. If `join` fails, the session ends."""
    await claims_of(request)
    token = request.headers["Authorization"].partition(" ")[2].strip()
    text = join_message(request.match_info["id"], await _text(request) if request.can_read_body else b"")
    carrier = _new_carrier(request)
    welcome = await exchange(request, carrier, auth_message(token))
    try:
        joined = await exchange(request, carrier, text)
    except BaseException:
        request.app[GATEWAY].conversation.lost(carrier, request.app[CLOCK].now())
        raise
    return _answer(join_answer(welcome.message, joined.message, joined.seq), welcome.message)


async def signal(request: web.Request) -> web.StreamResponse:
    """Handle one message of the protocol, and return its answer."""
    text = await _text(request)
    if SESSION_HEADER in request.headers:
        answer = await exchange(request, _carrier(request), text)
    else:
        check_opening(text)
        check_failed_secrets(request.app[GATEWAY].conversation, client_address(request), request.app[CLOCK].now())
        answer = await exchange(request, _new_carrier(request), text)
    return _answer(answer.frame(), answer.message)


async def leave(request: web.Request) -> web.StreamResponse:
    """Handle `leave`, and end the session and its stream."""
    carrier = _carrier(request)
    answer = await exchange(request, carrier, leave_message())
    request.app[GATEWAY].conversation.lost(carrier, request.app[CLOCK].now())
    carrier.end_stream("client_initiated")
    return _answer(answer.frame(), answer.message)


async def events(request: web.Request) -> web.StreamResponse:
    """Stream all messages of the server to the session, until either side ends it."""
    gateway, clock = request.app[GATEWAY], request.app[CLOCK]
    gateway.check_open()
    carrier = _carrier(request)
    last_event_id = parse_last_event_id(request.headers.get("Last-Event-ID"))
    stream = open_stream(gateway.conversation, carrier, last_event_id, clock.now())
    response = web.StreamResponse(headers=_STREAM_HEADERS)
    with gateway.carrying():
        try:
            await response.prepare(request)
            await _write(request, response, stream)
            await response.write_eof()
        except (ConnectionError, TimeoutError):
            _cut(request)
        finally:
            carrier.detach(stream, clock.now())
    return response


def _carrier(request: web.Request) -> HttpCarrier:
    """The carrier of the session in the header, which must be in the room of the path."""
    gateway, now = request.app[GATEWAY], request.app[CLOCK].now()
    conversation = gateway.conversation
    credentials = parse_credentials(request.headers.get(SESSION_HEADER, ""))
    session = find_session(conversation, credentials, client_address(request), now)
    check_room(conversation, session, request.match_info["id"])
    carrier = carrier_of(conversation, session, _make_carrier(request, now), now)
    gateway.http_carriers.add(carrier)
    return carrier


def _new_carrier(request: web.Request) -> HttpCarrier:
    """A carrier with a new session, not yet authenticated."""
    gateway, now = request.app[GATEWAY], request.app[CLOCK].now()
    gateway.check_open()
    carrier = _make_carrier(request, now)
    gateway.conversation.open(carrier, now)
    gateway.http_carriers.add(carrier)
    return carrier


def _make_carrier(request: web.Request, now: float) -> HttpCarrier:
    return HttpCarrier(client_address(request), clean_user_agent(request.headers.get("User-Agent", "")), now)


async def _text(request: web.Request) -> bytes:
    """The body, at most as large as a message."""
    text = await read_json_text(request, request.app[SETTINGS].read_timeout)
    if len(text) > MOST_BYTES:
        refuse("too_large")
    return text


async def exchange(request: web.Request, carrier: HttpCarrier, text: bytes) -> Answer:
    """Handle one message, after the earlier ones of its carrier. Raises ClientMistake where the answer is `error`."""
    conversation, now = request.app[GATEWAY].conversation, request.app[CLOCK].now
    if carrier.waiting >= MOST_WAITING:
        refuse("rate_limited", "Too many requests of this session are waiting.", _LATER)
    carrier.waiting += 1
    try:
        async with _turns.setdefault(carrier, asyncio.Lock()):
            return await _act(request, carrier, text)
    finally:
        carrier.waiting -= 1
        carrier.heard(now())
        if carrier.is_spent:
            conversation.lost(carrier, now())


async def _act(request: web.Request, carrier: HttpCarrier, text: bytes) -> Answer:
    """Read, look up, act. A mistake of the server ends this carrier only."""
    gateway, now = request.app[GATEWAY], request.app[CLOCK].now
    conversation, session = gateway.conversation, carrier.speaker()
    carrier.collect()
    message = conversation.read(carrier, text, now())
    carrier.answer()
    if message is None:
        # The flood guard answers the first message over the rate only.
        refuse("rate_limited", details=_LATER)
    if message.id is None:
        message = message._replace(id=UNNAMED_ID)
    try:
        message = await gateway.prepare(session, message)
        carrier.speaker()
        carrier.collect()
        conversation.act(carrier, message, now())
    except ClientMistake:
        raise
    except Exception:
        conversation.fail(carrier)
        raise
    answer = carrier.answer(message.id)
    assert answer is not None
    return answer


async def _write(request: web.Request, response: web.StreamResponse, stream: EventStream) -> None:
    """Write messages as they come, and a comment as heartbeat. Raises ConnectionError, TimeoutError."""
    transport, settings, gateway = request.transport, request.app[SETTINGS], request.app[GATEWAY]
    if transport is None:
        raise ConnectionResetError
    _give_up_the_unacknowledged(transport)
    woken = asyncio.Event()

    def rouse() -> None:
        woken.set()
        if stream.ended == "slow_consumer":
            transport.abort()

    stream.watch(rouse)
    quiet = 0.0
    while not transport.is_closing():
        woken.clear()
        data = stream.take()
        if not data and stream.ended is not None:
            return
        if not data:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await woken.wait()
            quiet += LOOK_SECONDS
            if woken.is_set() or quiet < gateway.settings.heartbeat_seconds:
                continue
            data = HEARTBEAT
        quiet = 0.0
        async with asyncio.timeout(settings.write_timeout):
            await response.write(data)


def _give_up_the_unacknowledged(transport: asyncio.Transport) -> None:
    """Have the kernel end a connection whose peer acknowledges no data (RFC 5482), heartbeats included.

    Without it, a client that vanishes stays connected for a quarter of an hour.
    """
    one = transport.get_extra_info("socket")
    if one is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(ALIVE_SECONDS * 1000))


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _answer(body: bytes, message: Outgoing) -> web.Response:
    """The HTTP answer, not to be cached. With a `welcome`, its header is that of the client's next requests."""
    headers = {"Cache-Control": "no-store"}
    if message.type == "welcome":
        headers[SESSION_HEADER] = str(Credentials(message.payload["session"], message.payload["secret"]))
    return web.Response(body=body, content_type="application/json", headers=headers)


_ROOM = "/api/v1/rooms/{id}"
_SESSION = ("unauthenticated", "session_taken", "not_in_room", "rate_limited", "banned", "token_invalid")
_BODY = ("timeout", "too_large", "unsupported_media_type")
_NOT_OF_MESSAGES = frozenset({"already_exists", "stale", "precondition_required", "method_not_allowed"})
_MESSAGES = tuple(code for code in ERRORS if code not in _NOT_OF_MESSAGES)
"""The error codes of all messages together."""

ROUTES = (
    Route(
        "POST",
        f"{_ROOM}/join",
        join,
        "Join a room, and start signaling over plain HTTP.",
        answers={200: JoinAnswer},
        body=JoinBody,
        errors=_MESSAGES,
    ),
    Route(
        "POST",
        f"{_ROOM}/signal",
        signal,
        "Send one message of the protocol, and get its answer.",
        answers={200: MessageAnswer},
        body=MessageBody,
        errors=_MESSAGES,
        headers=(SESSION_HEADER,),
        anonymous=True,
    ),
    Route(
        "POST",
        f"{_ROOM}/leave",
        leave,
        "Leave the room and end the session.",
        answers={200: MessageAnswer},
        errors=(*_SESSION, "unexpected_message"),
        headers=(SESSION_HEADER,),
    ),
    Route(
        "GET",
        f"{_ROOM}/events",
        events,
        "Stream all messages of the server to a session, as server-sent events.",
        answers={200: "text/event-stream"},
        errors=(*_SESSION, "server_shutdown"),
        headers=(SESSION_HEADER, "Last-Event-ID"),
    ),
)
