"""`/api/v1/tokens` and `/auth/token`: tokens that services and operators issue. Handlers only."""

import structlog
from aiohttp import web

from signaling.api.token_models import IssuedToken, KeyExchange, TokenRequest
from signaling.http import bearer
from signaling.http.app_keys import CLOCK, SETTINGS, TOKENS
from signaling.http.bearer import asker_of, service_of
from signaling.http.problems import read_body, refuse
from signaling.http.routes import BODY_ERRORS, Route, json_answer
from signaling.identity.issuing import TokenOrder, check_order
from signaling.identity.permissions import Asker

_log = structlog.get_logger("signaling.api.tokens")


async def create(request: web.Request) -> web.StreamResponse:
    """Make a token."""
    asker = await asker_of(request)
    wanted = await read_body(request, TokenRequest, request.app[SETTINGS].read_timeout)
    return _issue(request, asker, wanted.order(), 201)


async def exchange(request: web.Request) -> web.StreamResponse:
    """A short token for an API key."""
    asker = None if "Authorization" not in request.headers else await asker_of(request)
    wanted = await read_body(request, KeyExchange, request.app[SETTINGS].read_timeout)
    if asker is None:
        if wanted.api_key is None:
            refuse("unauthenticated", "Send an API key as Bearer in the header Authorization, or as api_key.")
        asker = await service_of(request, wanted.api_key)
    if asker.role != "service":
        refuse("forbidden", "This needs an API key.")
    return _issue(request, asker, wanted.order(), 200)


def _issue(request: web.Request, asker: Asker, order: TokenOrder, status: int) -> web.Response:
    check_order(asker.holder, order)
    utc = request.app[CLOCK].utc()
    token = request.app[TOKENS].issue_order(order, utc)
    _log.info(
        "token_issued",
        by=asker.identity,
        client=asker.address,
        identity=order.identity,
        room_id=order.grants.room,
        role=order.role,
    )
    return json_answer(IssuedToken.of(token, order, utc), status)


_ERRORS = (*bearer.ERRORS, *BODY_ERRORS, "storage_unavailable")
ROUTES = (
    Route(
        "POST",
        "/api/v1/tokens",
        create,
        "Issue a token. Needs the role operator, or the scope token.issue.",
        answers={201: IssuedToken},
        body=TokenRequest,
        errors=_ERRORS,
        repeatable=True,
        per_minute=120,
    ),
    Route(
        "POST",
        "/auth/token",
        exchange,
        "Exchange an API key for a token of ten minutes.",
        answers={200: IssuedToken},
        body=KeyExchange,
        errors=_ERRORS,
        per_minute=60,
        anonymous=True,
    ),
)
