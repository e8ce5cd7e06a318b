"""`Idempotency-Key`: a request that is sent again is not done again. What is kept, and how long, is in `repeats`."""

import asyncio

from aiohttp import web

from signaling.http.app_keys import CLOCK, REPEATS, SETTINGS
from signaling.http.bearer import recognise
from signaling.http.headers import client_address
from signaling.http.problems import Handler, refuse
from signaling.http.repeats import HEADER, Kept, check_key, fingerprint_of

ERRORS = ("in_progress", "key_reused")
"""What a route that takes the header can answer for it."""
REPEATED = "Idempotency-Replayed"
_KEPT_HEADERS = ("Content-Type", "ETag", "Location", "Cache-Control")


def once(handler: Handler) -> Handler:
    """The handler, which does a request with the header once, and then gives the same answer for 24 h.

    Keys are those of whoever sends them, and of one address and method: nobody meets an answer to somebody else.
    """

    async def wrapped(request: web.Request) -> web.StreamResponse:
        if HEADER not in request.headers:
            return await handler(request)
        key = check_key(request.headers[HEADER])
        asker = await recognise(request)
        who = f"address {client_address(request)}" if asker is None else asker.counted_by
        where = (who, request.method, request.path, key)
        repeats = request.app[REPEATS]
        kept = repeats.begin(where, fingerprint_of(await _body(request)), request.app[CLOCK].now())
        if kept is not None:
            return _again(kept)
        answered = False
        try:
            response = await handler(request)
            if isinstance(response, web.Response) and response.status < 300 and isinstance(response.body, bytes):
                headers = tuple((name, response.headers[name]) for name in _KEPT_HEADERS if name in response.headers)
                repeats.keep(where, Kept(response.status, headers, response.body))
                answered = True
            return response
        finally:
            if not answered:
                repeats.drop(where)

    return wrapped


async def _body(request: web.Request) -> bytes:
    """The body, which aiohttp keeps for the handler."""
    try:
        async with asyncio.timeout(request.app[SETTINGS].read_timeout):
            return await request.read()
    except TimeoutError:
        refuse("timeout")


def _again(kept: Kept) -> web.Response:
    response = web.Response(status=kept.status, body=kept.body, headers=dict(kept.headers))
    response.headers[REPEATED] = "true"
    return response
