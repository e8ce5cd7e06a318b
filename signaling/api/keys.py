"""`/api/v1/api-keys`: API keys. For operators with a token; an API key cannot create keys. Handlers only."""

from aiohttp import web

from signaling.api.key_models import KeyList, KeyRequest, KeyView, NewKey
from signaling.call.acts import record_access
from signaling.clock import SYSTEM_CHANCE
from signaling.http import bearer
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, SERVICE_KEYS, SETTINGS
from signaling.http.bearer import asker_of
from signaling.http.problems import read_body, refuse
from signaling.http.routes import BODY_ERRORS, Route, json_answer
from signaling.identity.permissions import Asker, may
from signaling.storage import api_keys

PATH = "/api/v1/api-keys"


async def create(request: web.Request) -> web.StreamResponse:
    """Make a key; its secret is in this answer and nowhere else."""
    asker = await _asker(request, "apikey.create")
    wanted = await read_body(request, KeyRequest, request.app[SETTINGS].read_timeout)
    utc = request.app[CLOCK].utc()
    order = wanted.order(asker.identity, utc)
    async with request.app[DATABASE].transaction() as connection:
        made, text = await api_keys.create(connection, order, utc, SYSTEM_CHANCE)
    _record(request, asker, "apikey.create", made)
    answer = json_answer(NewKey.of_new(made, text), 201)
    answer.headers["Location"] = f"{PATH}/{made.id}"
    return answer


async def listing(request: web.Request) -> web.StreamResponse:
    """All keys."""
    await _asker(request, "apikey.list")
    async with request.app[DATABASE].reading() as connection:
        found = await api_keys.every(connection)
    return json_answer(KeyList(items=[KeyView.of(one) for one in found], next_cursor=None))


async def revoke(request: web.Request) -> web.StreamResponse:
    """Revoke a key, effective at once."""
    asker = await _asker(request, "apikey.revoke")
    async with request.app[DATABASE].transaction() as connection:
        revoked = await api_keys.revoke(connection, request.match_info["id"], request.app[CLOCK].utc())
    request.app[SERVICE_KEYS].forget(revoked.id)
    _record(request, asker, "apikey.revoke", revoked)
    return web.Response(status=204)


async def _asker(request: web.Request, action: str) -> Asker:
    asker = await asker_of(request)
    if not may(asker.holder, action):
        refuse("forbidden")
    return asker


def _record(request: web.Request, asker: Asker, action: str, key: api_keys.ApiKey) -> None:
    record_access(request.app[GATEWAY].conversation, asker, action, f"apikey:{key.prefix}", reason=key.name)


_ERRORS = (*bearer.ERRORS, "storage_unavailable")
ROUTES = (
    Route(
        "POST",
        PATH,
        create,
        "Create an API key.",
        answers={201: NewKey},
        body=KeyRequest,
        errors=(*_ERRORS, *BODY_ERRORS),
        repeatable=True,
        per_minute=60,
    ),
    Route("GET", PATH, listing, "List the API keys.", answers={200: KeyList}, errors=_ERRORS),
    Route(
        "DELETE",
        f"{PATH}/{{id}}",
        revoke,
        "Revoke an API key.",
        answers={204: ""},
        errors=(*_ERRORS, "not_found"),
    ),
)
