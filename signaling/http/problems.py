"""One shape for every HTTP error: RFC 9457 `application/problem+json` with a stable `code`."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from signaling.errors import ERRORS, ClientMistake, StorageUnavailable
from signaling.models import Model

CONTENT_TYPE = "application/problem+json"
_BY_STATUS = {
    400: "bad_message",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    421: "misdirected",
}
"""The code for an error that aiohttp itself raises."""
_SHORT_WAIT = 1
"""Retry-After in seconds of a 429 without a `retry_after` (RFC 6585 section 4)."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Read = TypeVar("Read", bound=BaseModel)
REQUEST_ID = web.RequestKey("request_id", str)

_log = structlog.get_logger("signaling.http")


class Problem(Model):
    """The body of every error (RFC 9457): `code` is stable and the same one as in the WebSocket protocol."""

    type: str = Field("about:blank", description="Always about:blank; `code` distinguishes errors.")
    title: str = Field(description="The meaning of the code, in one sentence.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable and machine-readable.")
    detail: str = Field(description="Details of this occurrence.")
    request_id: str = Field(description="Also in the X-Request-Id header and in the server's log.")
    details: dict[str, Any] | None = Field(None, description="Further details, for some codes.")


def refuse(code: str, detail: str = "", details: dict[str, Any] | None = None) -> NoReturn:
    """End this request with an error. Raises ClientMistake, which the middleware answers."""
    raise ClientMistake(code, detail, details)


def problem(request: web.Request, code: str, detail: str = "", details: dict[str, Any] | None = None) -> web.Response:
    """The answer for an error code, with Retry-After for a 429 or a `retry_after` in `details`."""
    row = ERRORS[code]
    body = Problem(
        type="about:blank",
        title=row.sentence,
        status=row.status,
        code=code,
        detail=detail or row.sentence,
        request_id=request.get(REQUEST_ID, ""),
        details=details or None,
    )
    headers = {"Cache-Control": "no-store"}
    wait = (details or {}).get("retry_after", _SHORT_WAIT if row.status == 429 else None)
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if row.status == 401:
        # RFC 9110 section 15.5.2; RFC 6750 section 3.1 names no error where nothing was sent.
        headers["WWW-Authenticate"] = "Bearer" if code == "unauthenticated" else 'Bearer error="invalid_token"'
    return web.Response(
        status=row.status,
        body=orjson.dumps(body.model_dump(exclude_none=True)),
        content_type=CONTENT_TYPE,
        headers=headers,
    )


def new_request_id() -> str:
    """A name for one request, unique enough to find it in a log."""
    return secrets.token_hex(8)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware that turns exceptions into problems. A mistake of the server is logged, and answered `internal`."""
    try:
        return await handler(request)
    except ClientMistake as mistake:
        return problem(request, mistake.code, mistake.message, mistake.details)
    except StorageUnavailable as error:
        _log.warning("storage_unavailable", method=request.method, path=request.path, reason=error.message)
        return problem(request, error.code)
    except web.HTTPException as error:
        return _from_aiohttp(request, error)
    except asyncio.CancelledError:
        raise
    except ConnectionError as error:
        # The client is gone and reads no answer; aiohttp would log a traceback for the exception.
        _log.debug("client_gone", method=request.method, path=request.path, reason=str(error))
        return problem(request, "timeout")
    except Exception:
        _log.exception("request_failed", method=request.method, path=request.path)
        return problem(request, "internal")


async def read_json_text(request: web.Request, time_limit: float) -> bytes:
    """The body of a request that says that it is JSON, as it came. Raises ClientMistake: wrong type, or too slow."""
    if request.content_type != "application/json":
        refuse("unsupported_media_type")
    return await read_octets(request, time_limit)


async def read_octets(request: web.Request, time_limit: float) -> bytes:
    """The body of a request, whatever it is. Raises ClientMistake (`timeout`) where it comes too slowly."""
    try:
        async with asyncio.timeout(time_limit):
            return await request.read()
    except TimeoutError:
        refuse("timeout")


async def read_body(request: web.Request, model: type[Read], time_limit: float) -> Read:
    """The JSON body of a request, validated. Raises ClientMistake: wrong type, too slow, or not what `model` says."""
    body = await read_json_text(request, time_limit)
    try:
        return model.model_validate_json(body or b"{}", strict=True)
    except ValidationError as error:
        _refuse_invalid(error)


def read_query(request: web.Request, model: type[Read]) -> Read:
    """The query of a request, validated. Raises ClientMistake (`bad_message`), also for a name that stands twice."""
    if len(request.query) != len(set(request.query)):
        refuse("bad_message", "A query parameter appears twice.")
    try:
        return model.model_validate_strings(dict(request.query))
    except ValidationError as error:
        _refuse_invalid(error)


def _refuse_invalid(error: ValidationError) -> NoReturn:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    refuse("bad_message", f"{where}: {first['msg']}" if where else first["msg"])


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        raise error
    code = _BY_STATUS.get(error.status, "internal" if error.status >= 500 else "bad_message")
    answer = problem(request, code)
    if isinstance(error, web.HTTPMethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return answer
