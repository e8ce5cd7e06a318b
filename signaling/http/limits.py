"""Limits of plain HTTP: requests a minute from one address, and time for a client to take its answer."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from signaling.http.headers import client_address
from signaling.http.problems import Handler, refuse
from signaling.limits import address_key
from signaling.operating.settings import Settings

_log = structlog.get_logger("signaling.http")
_MOST_ADDRESSES = 10_000
LIMITED_PREFIXES = ("/api/", "/dev/", "/ws")
_WEBSOCKET_PATH = "/ws"


class Buckets:
    """A token bucket for each address: `per_minute` at once, and as many again in each minute.

    Bounded: of more than 10,000 addresses the one not heard for longest is forgotten. `now` is monotonic seconds.
    """

    def __init__(self, per_minute: int) -> None:
        self._rate = per_minute / 60
        self._size = float(per_minute)
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, now: float) -> float:
        """Take one: 0.0 when there is one, else the seconds until there is."""
        level, at = self._levels.get(address, (self._size, now))
        level = min(self._size, level + (now - at) * self._rate)
        enough = level >= 1.0
        self._levels[address] = (level - 1.0 if enough else level, now)
        self._levels.move_to_end(address)
        if len(self._levels) > _MOST_ADDRESSES:
            self._levels.popitem(last=False)
        return 0.0 if enough else (1.0 - level) / self._rate


def limit_rate(settings: Settings, clock: Callable[[], float] = monotonic) -> Middleware:
    """The middleware that counts requests to the API and new WebSockets; files and probes are free."""
    buckets = Buckets(settings.rate_limit_rpm)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(LIMITED_PREFIXES):
            wait = buckets.take(address_key(client_address(request)), clock())
            if wait:
                refuse("rate_limited", "Too many requests from this address.", {"retry_after": math.ceil(wait)})
        return await handler(request)

    return middleware


def limit_time(settings: Settings) -> Middleware:
    """The middleware that sends the answer itself, and cuts off a client that does not take it in time."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if request.path == _WEBSOCKET_PATH:
            return response
        try:
            async with asyncio.timeout(settings.write_timeout):
                await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            _log.info("answer_not_taken", address=client_address(request), path=request.path)
        return response

    return middleware
