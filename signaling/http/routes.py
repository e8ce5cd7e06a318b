"""Routes as values, and their registration with aiohttp."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from signaling.http.aliases import other_names
from signaling.http.app_keys import CLOCK, SETTINGS
from signaling.http.bearer import recognise
from signaling.http.headers import client_address
from signaling.http.idempotency import HEADER, KEPT_HEADERS, REPEATED, Kept, KeptAnswers, check_key, fingerprint_of
from signaling.http.limits import limit_route
from signaling.http.problems import Handler, refuse

KEPT_ANSWERS = web.AppKey("kept_answers", KeptAnswers)

BODY_ERRORS = ("timeout", "too_large", "unsupported_media_type")
"""The error codes of a route that reads a body, besides `bad_message`."""


@dataclass(frozen=True)
class Route:
    """One method of one path.

    - `answers`: by status, the JSON model, or the media type of another body, or "" for no body.
    - `body`: a model or a media type. `query`: a model with a field for each parameter.
    - `errors`: the error codes that the route can answer.
    - `repeatable`: the route takes an `Idempotency-Key`.
    - `per_minute`: requests a minute of one asker, besides the limit of all routes together.
    - `headers`: request headers that the route reads, besides those of all routes.
    - `anonymous`: the route authenticates a bearer token if one is sent, but does not require it.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, type[BaseModel] | str]
    body: type[BaseModel] | str | None = None
    query: type[BaseModel] | None = None
    errors: tuple[str, ...] = field(default=())
    repeatable: bool = False
    per_minute: int | None = None
    headers: tuple[str, ...] = ()
    anonymous: bool = False


def add_routes(app: web.Application, endpoints: Iterable[Route]) -> None:
    """Register routes, under all their paths."""
    for endpoint in endpoints:
        handler = idempotent(endpoint.handler) if endpoint.repeatable else endpoint.handler
        if endpoint.per_minute is not None:
            handler = limit_route(handler, endpoint.per_minute)
        for path in (endpoint.path, *other_names(endpoint.path)):
            app.router.add_route(endpoint.method, path, handler)


def json_answer(model: BaseModel, status: int = 200) -> web.Response:
    """A model as JSON, not to be cached."""
    return web.Response(
        status=status,
        body=model.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def idempotent(handler: Handler) -> Handler:
    """Wrap a handler to run once for each `Idempotency-Key`: further requests get the same answer for 24 hours.

    A key belongs to one asker, method and path.
    """

    async def wrapped(request: web.Request) -> web.StreamResponse:
        if HEADER not in request.headers:
            return await handler(request)
        key = check_key(request.headers[HEADER])
        asker = await recognise(request)
        who = f"address {client_address(request)}" if asker is None else asker.counted_by
        where = (who, request.method, request.path, key)
        answers = request.app[KEPT_ANSWERS]
        kept = answers.begin(where, fingerprint_of(await _body(request)), request.app[CLOCK].now())
        if kept is not None:
            return _again(kept)
        answered = False
        try:
            response = await handler(request)
            if isinstance(response, web.Response) and response.status < 300 and isinstance(response.body, bytes):
                headers = tuple((name, response.headers[name]) for name in KEPT_HEADERS if name in response.headers)
                answers.keep(where, Kept(response.status, headers, response.body))
                answered = True
            return response
        finally:
            if not answered:
                answers.drop(where)

    return wrapped


async def _body(request: web.Request) -> bytes:
    """The body, which aiohttp stores for the handler."""
    try:
        async with asyncio.timeout(request.app[SETTINGS].read_timeout):
            return await request.read()
    except TimeoutError:
        refuse("timeout")


def _again(kept: Kept) -> web.Response:
    response = web.Response(status=kept.status, body=kept.body, headers=dict(kept.headers))
    response.headers[REPEATED] = "true"
    return response
