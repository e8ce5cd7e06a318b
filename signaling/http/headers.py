"""Headers of every answer, the client's address, and the rules for Origin and Host. Pure.

Browsers send Origin with each WebSocket handshake and each cross-site request, and a page cannot forge it. Host is
looked at in `dev`: a foreign name that resolves to loopback (DNS rebinding) makes a foreign page look like our own.
"""

import re
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from signaling.http.client_address import Client, client_of
from signaling.http.origin import is_loopback_host, is_own_origin, is_valid_host, may_connect
from signaling.http.problems import REQUEST_ID, Handler, new_request_id, refuse
from signaling.settings.settings import Settings

CLIENT = web.RequestKey("client", Client)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_HSTS = "max-age=31536000"
_TOKEN_SUBPROTOCOL = "parley.token."  # noqa: S105 - the name of a place for a token
_STATIC_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), autoplay=(self), speaker-selection=(self), camera=(), geolocation=(),"
    " display-capture=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NUL = "\0"
"""In no id and no filter of ours, and PostgreSQL takes no text that has it."""
_HEALTH_SOCKET = "/health/ws"
_SOCKETS = ("/ws", _HEALTH_SOCKET)
_CORS_METHODS = "GET, POST, PATCH, DELETE"
_CORS_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Parley-Session"
_CORS_EXPOSED = "Accept-Patch, Accept-Post, ETag, Idempotency-Replayed, Link, Location, Retry-After, X-Request-Id"
_CORS_SECONDS = "600"

Hook = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


def content_security_policy(host: str) -> str:
    """The policy of all answers: our own files only, nothing inline; WebSockets to this host."""
    sockets = f" ws://{host} wss://{host}" if is_valid_host(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        f" connect-src 'self'{sockets}; media-src 'self' blob: mediastream:; worker-src 'self'; manifest-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    )


def client_of_request(request: web.Request) -> Client:
    """The client, as `identify` found it."""
    return request[CLIENT]


def client_address(request: web.Request) -> str:
    """The address to count against; behind a trusted proxy that of the client."""
    return client_of_request(request).address


def identify(settings: Settings) -> Middleware:
    """The outermost middleware: request id, client address, and the log's context for this request."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        client = client_of(request.remote or "", request.headers, settings.trusted_proxies, tls=request.secure)
        request[CLIENT] = client
        given = request.headers.get("X-Request-Id", "")
        believed = client.address != client.peer and _REQUEST_ID.fullmatch(given)
        request[REQUEST_ID] = given if believed else new_request_id()
        with structlog.contextvars.bound_contextvars(request_id=request[REQUEST_ID]):
            return await handler(request)

    return middleware


def check_origin(settings: Settings) -> Middleware:
    """Turns away foreign pages (Host in `dev`, Origin of a WebSocket) and paths with NUL; answers CORS preflights."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if settings.dev and not is_loopback_host(request.host):
            refuse("misdirected", "With --dev the server answers only to localhost, 127.0.0.1 and [::1].")
        if _NUL in request.path or _NUL in request.query_string:
            refuse("bad_message", "An address must not contain NUL.")
        origin = request.headers.get("Origin")
        if request.path in _SOCKETS and not may_connect(
            origin,
            request.host,
            settings.allowed_origins,
            has_token=request.path == _HEALTH_SOCKET or _brings_token(request),
        ):
            refuse(
                "forbidden",
                "A client without Origin must send its token in the handshake."
                if origin is None
                else f"Pages of {origin[:200]} must not connect; see the setting allowed_origins.",
            )
        preflight = request.method == "OPTIONS" and origin is not None and origin.lower() in settings.allowed_origins
        # A path that answers OPTIONS itself (WHIP) has more to say.
        if preflight and request.match_info.http_exception is not None:
            return web.Response(status=204)
        return await handler(request)

    return middleware


def security_headers(settings: Settings) -> Hook:
    """The hook, run before any answer goes out, that sets the headers."""

    async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        for name, value in _STATIC_HEADERS.items():
            headers[name] = value
        headers["Content-Security-Policy"] = content_security_policy(request.host)
        headers["X-Request-Id"] = request.get(REQUEST_ID, "")
        headers["Server"] = "parley"
        client = request.get(CLIENT)
        if client and client.secure and not is_loopback_host(request.host):
            headers["Strict-Transport-Security"] = _HSTS
        origin = request.headers.get("Origin", "").lower()
        if settings.allowed_origins:
            headers.add("Vary", "Origin")
        if origin in settings.allowed_origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Methods"] = _CORS_METHODS
            headers["Access-Control-Allow-Headers"] = _CORS_HEADERS
            headers["Access-Control-Expose-Headers"] = _CORS_EXPOSED
            headers["Access-Control-Max-Age"] = _CORS_SECONDS

    return on_prepare


def is_own_page(request: web.Request) -> bool:
    """The request comes from our own page, or from no page at all (curl)."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    return site in ("same-origin", "none") and (origin is None or is_own_origin(origin, request.host))


def _brings_token(request: web.Request) -> bool:
    offered = request.headers.getall("Sec-WebSocket-Protocol", [])
    return request.headers.get("Authorization", "").lower().startswith("bearer ") or any(
        name.strip().startswith(_TOKEN_SUBPROTOCOL) for line in offered for name in line.split(",")
    )
