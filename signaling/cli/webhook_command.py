"""`parley webhook`: webhooks in the database itself, with or without a running server."""

from dataclasses import dataclass
from datetime import datetime

from signaling.api.webhook_models import TrialAnswer, WebhookMade, WebhookView
from signaling.chance import SYSTEM_CHANCE
from signaling.cli.database_work import do
from signaling.settings.settings import Settings
from signaling.storage import deliveries, webhooks
from signaling.storage.database import Database
from signaling.storage.webhook_record import WebhookFields
from signaling.webhooks.events import trial
from signaling.webhooks.sender import Sender
from signaling.webhooks.signing import new_secret

COMMAND_LINE = "command-line"
"""Who made what was made here."""


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """A webhook as it is asked for; without a secret one is made."""

    fields: WebhookFields
    secret: str | None = None


def create(settings: Settings, order: WebhookOrder, utc: datetime) -> WebhookMade:
    """Add a webhook; what it is, with its secret. Raises Refusal."""

    async def work(database: Database) -> WebhookMade:
        await _sender(settings).check(order.fields.url)
        secret = new_secret(SYSTEM_CHANCE) if order.secret is None else order.secret
        async with database.transaction() as connection:
            made = (utc, SYSTEM_CHANCE)
            return WebhookMade.made(await webhooks.create(connection, order.fields, secret, COMMAND_LINE, made))

    return do(settings, work)


def delete(settings: Settings, webhook_id: str) -> WebhookView:
    """Remove a webhook; what it was. Raises Refusal."""

    async def work(database: Database) -> WebhookView:
        async with database.transaction() as connection:
            return WebhookView.of(await webhooks.remove(connection, webhook_id))

    return do(settings, work)


def listing(settings: Settings) -> list[WebhookView]:
    """All webhooks, the newest first. Raises Refusal."""

    async def work(database: Database) -> list[WebhookView]:
        async with database.reading() as connection:
            failing = await deliveries.failing(connection)
            return [WebhookView.of(one, failing) for one in await webhooks.every(connection)]

    return do(settings, work)


def test(settings: Settings, webhook_id: str, utc: datetime) -> TrialAnswer:
    """Send a test from here, once; what came of it. Raises Refusal."""

    async def work(database: Database) -> TrialAnswer:
        async with database.reading() as connection:
            webhook = await webhooks.get(connection, webhook_id)
        event = trial(utc, SYSTEM_CHANCE)
        async with _sender(settings) as sender:
            message = (event.id, event.as_body())
            outcome = await sender.send(webhook.url, webhook.secrets, message, int(utc.timestamp()))
        return TrialAnswer.of(event.id, outcome)

    return do(settings, work)


def replay(settings: Settings, webhook_id: str, position: int, utc: datetime) -> WebhookView:
    """Have a webhook told again of what happened after a position; a running server does it. Raises Refusal."""

    async def work(database: Database) -> WebhookView:
        async with database.transaction() as connection:
            webhook = await webhooks.get(connection, webhook_id, lock=True)
            await deliveries.replay(connection, webhook_id, position, utc)
            return WebhookView.of(webhook)

    return do(settings, work)


def _sender(settings: Settings) -> Sender:
    return Sender(seconds=settings.webhook_timeout, allow_private=settings.webhook_allow_private)
