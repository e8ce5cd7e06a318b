"""Every HTTP error in one shape: RFC 9457 `application/problem+json` with a stable `code`."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signaling.errors import ERRORS, ClientMistake, ErrorRow

CONTENT_TYPE = "application/problem+json"
HTTP_CODES: dict[str, tuple[int, str]] = {
    "not_found": (404, "There is nothing at this address."),
    "method_not_allowed": (405, "This address does not know that method."),
    "timeout": (408, "The request took too long."),
    "unsupported_media_type": (415, "The body must be application/json."),
    "misdirected": (421, "This server does not answer to that host name."),
}
"""Codes that only HTTP has, with status and sentence; all others are those of the protocol."""

_BY_STATUS = {status: code for code, (status, _) in HTTP_CODES.items()} | {400: "bad_message", 413: "too_large"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Model = TypeVar("Model", bound=BaseModel)
REQUEST_ID = web.RequestKey("request_id", str)

_log = structlog.get_logger("signaling.http")


class Problem(BaseModel):
    """The body of every error (RFC 9457): `code` is stable and the same one as in the WebSocket protocol."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field("about:blank", description="Always about:blank; `code` tells errors apart.")
    title: str = Field(description="What this code means, in one sentence.")
    status: int = Field(description="The HTTP status again.")
    code: str = Field(description="Stable and machine-readable.")
    detail: str = Field(description="What happened this time.")
    request_id: str = Field(description="Also in the X-Request-Id header and in the server's log.")
    details: dict[str, Any] | None = Field(None, description="More, for some codes.")


class HttpRefusal(ClientMistake):
    """A request that is not served: a code of the protocol or of `HTTP_CODES`, and what happened this time."""

    def __init__(self, code: str, detail: str = "", details: dict[str, Any] | None = None) -> None:
        status, sentence = _row(code)
        Exception.__init__(self, detail or sentence)
        self.row = ErrorRow(status, None, sentence)
        self.code = code
        self.message = detail or sentence
        self.details = details


def status_of(code: str) -> int:
    """The HTTP status of an error code."""
    return _row(code)[0]


def refuse(code: str, detail: str = "", details: dict[str, Any] | None = None) -> NoReturn:
    """End this request with an error. Raises HttpRefusal, which the middleware answers."""
    raise HttpRefusal(code, detail, details)


def problem(request: web.Request, code: str, detail: str = "", details: dict[str, Any] | None = None) -> web.Response:
    """The answer for an error code."""
    status, title = _row(code)
    body = Problem(
        type="about:blank",
        title=title,
        status=status,
        code=code,
        detail=detail or title,
        request_id=request.get(REQUEST_ID, ""),
        details=details or None,
    )
    return web.Response(
        status=status,
        body=orjson.dumps(body.model_dump(exclude_none=True)),
        content_type=CONTENT_TYPE,
        headers={"Cache-Control": "no-store"},
    )


def new_request_id() -> str:
    """A name for one request, unique enough to find it in a log."""
    return secrets.token_hex(8)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns whatever a handler raises into a problem; what we did wrong is logged, and told as `internal` only."""
    try:
        return await handler(request)
    except ClientMistake as mistake:
        answer = problem(request, mistake.code, mistake.message, mistake.details)
        if mistake.details and "retry_after" in mistake.details:
            answer.headers["Retry-After"] = str(mistake.details["retry_after"])
        return answer
    except web.HTTPException as error:
        return _from_aiohttp(request, error)
    except asyncio.CancelledError:
        raise
    except ConnectionError as error:
        # The client is gone and nobody will read this answer; aiohttp would log a traceback for the exception.
        _log.debug("client_gone", method=request.method, path=request.path, reason=str(error))
        return problem(request, "timeout")
    except Exception:
        _log.exception("request_failed", method=request.method, path=request.path)
        return problem(request, "internal")


async def read_body(request: web.Request, model: type[Model], time_limit: float) -> Model:
    """The JSON body of a request, validated. Raises HttpRefusal: wrong type, too slow, or not what `model` says."""
    if request.content_type != "application/json":
        refuse("unsupported_media_type")
    try:
        async with asyncio.timeout(time_limit):
            body = await request.read()
    except TimeoutError:
        refuse("timeout")
    try:
        return model.model_validate_json(body or b"{}", strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        refuse("bad_message", f"{where}: {first['msg']}" if where else first["msg"])


def _row(code: str) -> tuple[int, str]:
    """Status and sentence of a code."""
    return HTTP_CODES[code] if code in HTTP_CODES else (ERRORS[code].status, ERRORS[code].sentence)


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    code = _BY_STATUS.get(error.status, "internal" if error.status >= 500 else "bad_message")
    answer = problem(request, code)
    if isinstance(error, web.HTTPMethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return answer
