"""`/api/v1/webhooks` and `/api/v1/events`. Handlers only: who may is `permissions`, what may be kept is `storage`."""

from aiohttp import web

from signaling.api.webhook_models import (
    EventPage,
    EventQuery,
    ReplayQuery,
    SecretOrder,
    TrialAnswer,
    WebhookChanges,
    WebhookMade,
    WebhookOrder,
    WebhookPage,
    WebhookView,
)
from signaling.clock import SYSTEM_CHANCE
from signaling.http import bearer
from signaling.http.app_keys import CLOCK, COURIER, DATABASE, SENDER, SETTINGS
from signaling.http.bearer import asker_of
from signaling.http.problems import read_body, read_query, refuse
from signaling.http.routes import BODY_ERRORS, Route, json_answer
from signaling.identity.permissions import may
from signaling.storage import deliveries, outbox, webhooks
from signaling.storage.outbox import EVERYTHING, check_filter
from signaling.storage.room_record import wanted_version
from signaling.storage.webhook_record import Webhook
from signaling.webhooks.events import EventView, trial
from signaling.webhooks.signing import chosen_secret

PATH = "/api/v1/webhooks"
EVENTS = "/api/v1/events"


async def create(request: web.Request) -> web.StreamResponse:
    """Add a webhook; its secret is in this answer and in no other."""
    by = await _allowed(request, "webhook.create")
    order = await read_body(request, WebhookOrder, request.app[SETTINGS].read_timeout)
    await request.app[SENDER].check(order.url)
    secret = chosen_secret(order.secret, SYSTEM_CHANCE)
    made = (request.app[CLOCK].utc(), SYSTEM_CHANCE)
    async with request.app[DATABASE].transaction() as connection:
        webhook = await webhooks.create(connection, order.fields(), secret, by, made)
    answer = _tagged(json_answer(WebhookMade.made(webhook), status=201), webhook)
    answer.headers["Location"] = f"{PATH}/{webhook.id}"
    return answer


async def listing(request: web.Request) -> web.StreamResponse:
    """All webhooks, and in which rooms they fail."""
    await _allowed(request, "webhook.list")
    async with request.app[DATABASE].reading() as connection:
        found, lanes = await webhooks.every(connection), await deliveries.failing(connection)
    return json_answer(WebhookPage(items=[WebhookView.of(webhook, lanes) for webhook in found]))


async def read(request: web.Request) -> web.StreamResponse:
    """One webhook."""
    await _allowed(request, "webhook.list")
    async with request.app[DATABASE].reading() as connection:
        webhook = await webhooks.get(connection, request.match_info["id"])
        lanes = await deliveries.failing(connection)
    return _tagged(json_answer(WebhookView.of(webhook, lanes)), webhook)


async def change(request: web.Request) -> web.StreamResponse:
    """Change the fields that are named, of the version that was read."""
    await _allowed(request, "webhook.update")
    if "If-Match" not in request.headers:
        refuse("precondition_required")
    version = wanted_version(request.headers["If-Match"])
    changes = await read_body(request, WebhookChanges, request.app[SETTINGS].read_timeout)
    if "url" in changes.model_fields_set:
        await request.app[SENDER].check(changes.url)
    async with request.app[DATABASE].transaction() as connection:
        webhook = await webhooks.change(
            connection, request.match_info["id"], changes.named(), version, request.app[CLOCK].utc()
        )
    request.app[COURIER].wake()
    return _tagged(json_answer(WebhookView.of(webhook)), webhook)


async def delete(request: web.Request) -> web.StreamResponse:
    """Remove a webhook. Its pending deliveries are dropped."""
    await _allowed(request, "webhook.delete")
    version = wanted_version(request.headers.get("If-Match"))
    async with request.app[DATABASE].transaction() as connection:
        await webhooks.remove(connection, request.match_info["id"], version)
    return web.Response(status=204)


async def add_secret(request: web.Request) -> web.StreamResponse:
    """Sign with a new secret, and with up to two older ones until they are dropped."""
    await _allowed(request, "webhook.update")
    order = await read_body(request, SecretOrder, request.app[SETTINGS].read_timeout)
    secret = chosen_secret(order.secret, SYSTEM_CHANCE)
    async with request.app[DATABASE].transaction() as connection:
        webhook = await webhooks.rotate(connection, request.match_info["id"], secret, request.app[CLOCK].utc())
    return _tagged(json_answer(WebhookMade.made(webhook), status=201), webhook)


async def drop_secrets(request: web.Request) -> web.StreamResponse:
    """Sign with the newest secret only."""
    await _allowed(request, "webhook.update")
    async with request.app[DATABASE].transaction() as connection:
        await webhooks.drop_old_secrets(connection, request.match_info["id"], request.app[CLOCK].utc())
    return web.Response(status=204)


async def test(request: web.Request) -> web.StreamResponse:
    """Send one test delivery now, also to a disabled webhook."""
    await _allowed(request, "webhook.test")
    async with request.app[DATABASE].reading() as connection:
        webhook = await webhooks.get(connection, request.match_info["id"])
    utc = request.app[CLOCK].utc()
    event = trial(utc, SYSTEM_CHANCE)
    message = (event.id, event.as_body())
    outcome = await request.app[SENDER].send(webhook.url, webhook.secrets, message, int(utc.timestamp()))
    return json_answer(TrialAnswer.of(event.id, outcome))


async def replay(request: web.Request) -> web.StreamResponse:
    """Tell a webhook again of what happened after a position, under the same ids."""
    await _allowed(request, "webhook.test")
    query = read_query(request, ReplayQuery)
    async with request.app[DATABASE].transaction() as connection:
        webhook = await webhooks.get(connection, request.match_info["id"], lock=True)
        await deliveries.replay(connection, webhook.id, query.after, request.app[CLOCK].utc())
    request.app[COURIER].wake()
    return web.Response(status=202)


async def events(request: web.Request) -> web.StreamResponse:
    """List the stored events. A key bound to rooms must name one of them."""
    asker = await asker_of(request)
    query = read_query(request, EventQuery)
    if not may(asker.holder, "event.read", room=query.room):
        refuse("forbidden")
    patterns = (EVERYTHING,) if query.event is None else check_filter([query.event])
    async with request.app[DATABASE].reading() as connection:
        oldest, last = await outbox.oldest(connection), await outbox.head(connection)
        found = await outbox.after(connection, query.after, query.limit, room_id=query.room, patterns=patterns)
    return json_answer(EventPage.of([EventView.of(event) for event in found], query, oldest, last))


async def _allowed(request: web.Request, action: str) -> str:
    """The asker. Raises ClientMistake (`forbidden`)."""
    asker = await asker_of(request)
    if not may(asker.holder, action):
        refuse("forbidden")
    return asker.identity


def _tagged(answer: web.Response, webhook: Webhook) -> web.Response:
    answer.headers["ETag"] = webhook.etag
    return answer


_ONE = f"{PATH}/{{id}}"
_COMMON = (*bearer.ERRORS, "storage_unavailable")
_OF_ONE = (*_COMMON, "not_found")
ROUTES = (
    Route(
        "POST",
        PATH,
        create,
        "Add a webhook. Only this answer shows its secret.",
        answers={201: WebhookMade},
        body=WebhookOrder,
        errors=(*_COMMON, *BODY_ERRORS),
        repeatable=True,
    ),
    Route("GET", PATH, listing, "List webhooks.", answers={200: WebhookPage}, errors=_COMMON),
    Route("GET", _ONE, read, "Get a webhook.", answers={200: WebhookView}, errors=_OF_ONE),
    Route(
        "PATCH",
        _ONE,
        change,
        "Change a webhook. Needs If-Match.",
        answers={200: WebhookView},
        body=WebhookChanges,
        errors=(*_OF_ONE, *BODY_ERRORS, "precondition_required", "stale"),
        headers=("If-Match",),
    ),
    Route(
        "DELETE",
        _ONE,
        delete,
        "Remove a webhook.",
        answers={204: ""},
        errors=(*_OF_ONE, "stale"),
        headers=("If-Match",),
    ),
    Route(
        "POST",
        f"{_ONE}/secrets",
        add_secret,
        "Add a secret. Only this answer shows it.",
        answers={201: WebhookMade},
        body=SecretOrder,
        errors=(*_OF_ONE, *BODY_ERRORS),
        repeatable=True,
    ),
    Route(
        "DELETE",
        f"{_ONE}/secrets",
        drop_secrets,
        "Remove all secrets but the newest.",
        answers={204: ""},
        errors=_OF_ONE,
    ),
    Route("POST", f"{_ONE}/test", test, "Send a test event now.", answers={200: TrialAnswer}, errors=_OF_ONE),
    Route(
        "POST",
        f"{_ONE}/replay",
        replay,
        "Send the events after a position again.",
        answers={202: ""},
        query=ReplayQuery,
        errors=_OF_ONE,
    ),
    Route("GET", EVENTS, events, "Read events.", answers={200: EventPage}, query=EventQuery, errors=_COMMON),
)
