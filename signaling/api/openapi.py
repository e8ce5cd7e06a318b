"""The OpenAPI 3.1 document, generated from the same routes as the router.

`scripts/write_reference.py` writes it to `PATH`, and a test compares. A server serves the file: to generate the
document it would have to build the schema of each model at every start.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel

from signaling.api import config as http_api
from signaling.api import invites as invites_api
from signaling.api import keys as keys_api
from signaling.api import messages as messages_api
from signaling.api import moderation as moderation_api
from signaling.api import people as people_api
from signaling.api import plain_http, whip
from signaling.api import rooms as rooms_api
from signaling.api import tokens as tokens_api
from signaling.api import webhooks as webhooks_api
from signaling.errors import ERRORS
from signaling.http import idempotency
from signaling.http import probes as http_probes
from signaling.http.idempotency import HEADER
from signaling.http.limits import LIMITED_PREFIXES
from signaling.http.problems import CONTENT_TYPE, Problem
from signaling.http.routes import Route
from signaling.protocol.plain_http import SESSION_HEADER
from signaling.version import VERSION

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaMode

PATH = Path(__file__).parents[1] / "schema" / "openapi.json"
_REFERENCE = "#/components/schemas/{model}"
MATCH, NEEDS_MATCH = "If-Match", "precondition_required"
"""The header that names a version, and the error of a route that wants it."""
BEARER, SESSION = "bearer", "session"
_SCHEMES = {
    BEARER: {"type": "http", "scheme": "bearer", "description": "A token (JWT), or the API key of a service."},
    SESSION: {
        "type": "apiKey",
        "in": "header",
        "name": SESSION_HEADER,
        "description": "`<session>.<secret>`, both from the answer to `join`.",
    },
}
EVERYWHERE = ("bad_message", "internal", "misdirected")
"""Errors that any route can give."""


def all_routes(*, dev: bool = True) -> tuple[Route, ...]:
    """Every route that is documented; `dev` says whether with those of `--dev`. The router is made of the same rows."""
    return (
        *http_probes.ROUTES,
        *http_api.ROUTES,
        *rooms_api.ROUTES,
        *plain_http.ROUTES,
        *whip.ROUTES,
        *people_api.ROUTES,
        *messages_api.ROUTES,
        *moderation_api.ROUTES,
        *invites_api.ROUTES,
        *tokens_api.ROUTES,
        *keys_api.ROUTES,
        *webhooks_api.ROUTES,
        *(http_api.DEV_ROUTES if dev else ()),
    )


def document(endpoints: Iterable[Route] | None = None) -> dict[str, Any]:
    """The document as JSON values."""
    from pydantic.json_schema import models_json_schema  # noqa: PLC0415 - a server does without it

    rows = tuple(endpoints) if endpoints is not None else all_routes()
    _, schemas = models_json_schema(list(_models(rows).items()), ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        paths[row.path][row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Parley",
            "version": VERSION,
            "description": "The HTTP API of a Parley server. Calls use the WebSocket at /ws; see docs/protocol.md.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(paths),
        "components": {"schemas": schemas["$defs"], "securitySchemes": _SCHEMES},
    }


def as_text(endpoints: Iterable[Route] | None = None) -> str:
    """The document as it is committed."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(document(endpoints), option=options).decode()


def _models(rows: Iterable[Route]) -> "dict[type[BaseModel], JsonSchemaMode]":
    found: dict[type[BaseModel], JsonSchemaMode] = {Problem: "serialization"}
    for row in rows:
        for answer in row.answers.values():
            if not isinstance(answer, str):
                found[answer] = "serialization"
        if row.body and not isinstance(row.body, str):
            found[row.body] = "validation"
    return found


def _operation(row: Route) -> dict[str, Any]:
    responses = {str(status): _content(answer) for status, answer in row.answers.items()}
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in sorted({*row.errors, *EVERYWHERE, *_shared_errors(row)}):
        by_status[ERRORS[code].status].append(code)
    for status, codes in by_status.items():
        problem = {CONTENT_TYPE: {"schema": {"$ref": _REFERENCE.format(model=Problem.__name__)}}}
        responses.setdefault(str(status), {"description": "Error: " + ", ".join(codes), "content": problem})
    name = row.path.strip("/").replace("/", "_").replace(".", "_").replace("-", "_").replace("{", "").replace("}", "")
    operation: dict[str, Any] = {
        "operationId": f"{row.method.lower()}_{name}",
        "summary": row.summary,
        "responses": dict(sorted(responses.items())),
    }
    if "unauthenticated" in row.errors:
        shown: dict[str, list[str]] = {SESSION if SESSION_HEADER in row.headers else BEARER: []}
        operation["security"] = [shown, {}] if row.anonymous else [shown]
    if parameters := _parameters(row):
        operation["parameters"] = parameters
    if row.per_minute is not None:
        operation["description"] = f"At most {row.per_minute} requests a minute."
    if row.body:
        operation["requestBody"] = {"required": True, "content": _taken(row.body)}
    return operation


def _shared_errors(row: Route) -> Iterator[str]:
    """Errors that come from around the handler."""
    if row.repeatable:
        yield from idempotency.ERRORS
    if row.path.startswith(LIMITED_PREFIXES):
        yield "rate_limited"


def _taken(body: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(body, str):
        return {body: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=body.__name__)}}}


def _parameters(row: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", row.path)
    ]
    if row.query:
        properties = row.query.model_json_schema()["properties"]
        found += [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]
    found += [_header(name, required=name == MATCH and NEEDS_MATCH in row.errors) for name in row.headers]
    if row.repeatable:
        found.append({"name": HEADER, "in": "header", "schema": {"type": "string", "maxLength": 128}})
    return found


def _header(name: str, *, required: bool) -> dict[str, Any]:
    header: dict[str, Any] = {"name": name, "in": "header", "schema": {"type": "string"}}
    return header | {"required": True} if required else header


def _content(answer: type[BaseModel] | str) -> dict[str, Any]:
    if answer == "":
        return {"description": "Success, without a body."}
    if isinstance(answer, str):
        kind = {"type": "object"} if answer == "application/json" else {"type": "string"}
        return {"description": "The body.", "content": {answer: {"schema": kind}}}
    description = (answer.__doc__ or "").strip().splitlines()[0]
    schema = {"$ref": _REFERENCE.format(model=answer.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
