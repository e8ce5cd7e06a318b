"""Which handler answers which path: routes as values, and their registration with aiohttp."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from signaling.http.aliases import other_names
from signaling.http.idempotency import idempotent
from signaling.http.limits import limit_route
from signaling.http.problems import Handler

BODY_ERRORS = ("timeout", "too_large", "unsupported_media_type")
"""What a route that reads a body can answer for it, besides `bad_message`."""


@dataclass(frozen=True)
class Route:
    """One method of one path. `answers` gives for each status the JSON model, a media type for other
    bodies, or nothing for no body; `body` is a model, or a media type, too. Each field of `query` is a parameter. A
    route that is `repeatable` takes an `Idempotency-Key`; one with `per_minute` is limited to that many requests a
    minute of whoever asks, besides the limit that holds for all routes together. `headers` are read besides those that
    all routes share. Of the routes that ask who one is, an `anonymous` one also takes who does not say it.
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
    """Register them, under all their names."""
    for endpoint in endpoints:
        handler = idempotent(endpoint.handler) if endpoint.repeatable else endpoint.handler
        if endpoint.per_minute is not None:
            handler = limit_route(handler, endpoint.per_minute)
        for path in (endpoint.path, *other_names(endpoint.path)):
            app.router.add_route(endpoint.method, path, handler)


def json_answer(model: BaseModel, status: int = 200) -> web.Response:
    """A model as JSON that nobody keeps."""
    return web.Response(
        status=status,
        body=model.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
