"""Limits of HTTP: requests a minute of one identity, API key or address, and time for a client to read its answer.

Many people may share an address, so that only those who cannot be made out are counted by it; all others by who they
are. Forged tokens are counted by address on every path: see `bearer`.
"""

import asyncio
import math
import re

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from signaling.http.aliases import other_names
from signaling.http.app_keys import CLOCK, GATEWAY
from signaling.http.bearer import recognise
from signaling.http.headers import client_address
from signaling.http.problems import Handler, refuse
from signaling.limits import KeyedLimit, address_key
from signaling.protocol.plain_http import SESSION_HEADER
from signaling.settings.settings import Settings

_log = structlog.get_logger("signaling.http")
_ROOMS = "/api/v1/rooms"
_OF_SESSIONS = re.compile(rf"(?:{'|'.join((_ROOMS, *other_names(_ROOMS)))})/[^/]+/(?:signal|events|leave)")
LIMITED_PREFIXES = ("/api/", "/auth/", "/calls", "/dev/", "/health/", "/ws")


def limit_rate(settings: Settings) -> Middleware:
    """The middleware that counts requests to the API and new WebSockets; files and probes are free.

    Addresses and askers have buckets of their own, so that no flood of addresses makes a key be forgotten.
    """
    by_address, by_asker = KeyedLimit(settings.rate_limit_rpm), KeyedLimit(settings.rate_limit_rpm)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(LIMITED_PREFIXES) and not _names_a_session(request):
            asker, now = await recognise(request), request.app[CLOCK].now()
            if asker is None:
                wait = by_address.take_or_wait(address_key(client_address(request)), now)
                _refuse_late(wait, "Too many requests from this address.")
            else:
                _refuse_late(by_asker.take_or_wait(asker.counted_by, now), "Too many requests.")
        return await handler(request)

    return middleware


def _names_a_session(request: web.Request) -> bool:
    """Whether a request carries messages of a session over plain HTTP, which have a rate of their own. Wrong session
    secrets are counted where they are compared.
    """
    named = request.headers.get(SESSION_HEADER)
    if named is None or not _OF_SESSIONS.fullmatch(request.path):
        return False
    return request.app[GATEWAY].conversation.has_session(named.partition(".")[0])


def limit_route(handler: Handler, per_minute: int) -> Handler:
    """The handler, limited to `per_minute` requests of one asker, or of one address where there is no asker."""
    buckets = KeyedLimit(per_minute)

    async def limited(request: web.Request) -> web.StreamResponse:
        asker = await recognise(request)
        key = address_key(client_address(request)) if asker is None else asker.counted_by
        wait = buckets.take_or_wait(key, request.app[CLOCK].now())
        _refuse_late(wait, f"Too many requests to this route; the limit is {per_minute} a minute.")
        return await handler(request)

    return limited


def _refuse_late(wait: float, why: str) -> None:
    if wait:
        refuse("rate_limited", why, {"retry_after": math.ceil(wait)})


def lasts(response: web.StreamResponse) -> bool:
    """Whether this is a WebSocket or an event stream, which lasts as long as its client, and writes by itself."""
    return isinstance(response, web.WebSocketResponse) or response.content_type == "text/event-stream"


def limit_time(settings: Settings) -> Middleware:
    """The middleware that sends the answer itself, and cuts off a client that does not take it in time."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if lasts(response):
            return response
        try:
            async with asyncio.timeout(settings.write_timeout):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            _log.info("answer_not_taken", address=client_address(request), path=request.path)
        except ConnectionError as error:
            # The client has not waited for its answer; aiohttp would log a traceback for the exception.
            _log.debug("client_gone", method=request.method, path=request.path, reason=str(error))
        return response

    return middleware
