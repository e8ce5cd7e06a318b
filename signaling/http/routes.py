"""What a route is: one row from which both the router and the OpenAPI document are made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from pydantic import BaseModel

from signaling.http.problems import Handler


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. `answers` gives for each status the JSON model, a media type for other
    bodies, or nothing for no body. Each field of `query` is a parameter.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, type[BaseModel] | str]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[str, ...] = field(default=())


def add_endpoints(app: web.Application, endpoints: Iterable[Endpoint]) -> None:
    """Register them."""
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, endpoint.handler)


def json_answer(model: BaseModel, status: int = 200) -> web.Response:
    """A model as JSON that nobody keeps."""
    return web.Response(
        status=status,
        body=model.model_dump_json().encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
