"""`parley webhook`: manages webhooks directly in the database, with or without a running server."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from signaling.api.webhook_models import TrialAnswer, WebhookMade, WebhookView
from signaling.cli.command_line import ConfigFlag, DataDirFlag, JsonFlag, SetFlag, say, settings_of, telling_refusals
from signaling.cli.database import do
from signaling.clock import SYSTEM_CHANCE, SYSTEM_CLOCK
from signaling.settings.settings import Settings
from signaling.storage import deliveries, webhooks
from signaling.storage.database import Database
from signaling.storage.webhook_record import WebhookFields
from signaling.webhooks.events import trial
from signaling.webhooks.sender import Sender
from signaling.webhooks.signing import chosen_secret

COMMAND_LINE = "command-line"
"""The creator of webhooks made on the command line."""


@dataclass(frozen=True, slots=True)
class WebhookOrder:
    """A webhook as it is asked for; without a secret one is made."""

    fields: WebhookFields
    secret: str | None = None


def create(settings: Settings, order: WebhookOrder, utc: datetime) -> WebhookMade:
    """Add a webhook; what it is, with its secret. Raises Refusal."""

    async def work(database: Database) -> WebhookMade:
        await _sender(settings).check(order.fields.url)
        secret = chosen_secret(order.secret, SYSTEM_CHANCE)
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
    """Have a running server send the events after a position to a webhook again. Raises Refusal."""

    async def work(database: Database) -> WebhookView:
        async with database.transaction() as connection:
            webhook = await webhooks.get(connection, webhook_id, lock=True)
            await deliveries.replay(connection, webhook_id, position, utc)
            return WebhookView.of(webhook)

    return do(settings, work)


def _sender(settings: Settings) -> Sender:
    return Sender(seconds=settings.webhook_timeout, allow_private=settings.webhook_allow_private)


webhook_app = typer.Typer(help="Webhooks: URLs that get events.", no_args_is_help=True)
WebhookArgument = Annotated[str, typer.Argument(help="Its id.")]


@webhook_app.command("list")
@telling_refusals
def webhook_list(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """List the webhooks, newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    for one in listing(settings):
        say(one, one.as_text(), as_json=as_json)


@webhook_app.command("create")
@telling_refusals
def webhook_create(
    *,
    url: Annotated[str, typer.Option(help="URL of the receiver: https://...")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="An event, or a family such as room.*. Repeat the flag for more. Default: all events."),
    ] = None,
    description: Annotated[str, typer.Option(help="Its purpose.")] = "",
    secret: Annotated[str | None, typer.Option(help="whsec_ and base64. Default: Parley makes one.")] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a webhook and print it with its secret. The secret is not shown again."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.storage.outbox import EVERYTHING  # noqa: PLC0415
    from signaling.storage.webhook_record import WebhookFields  # noqa: PLC0415

    fields = WebhookFields(url=url, description=description, events=tuple(event or (EVERYTHING,)))
    made = create(settings, WebhookOrder(fields, secret), SYSTEM_CLOCK.utc())
    say(made, f"{made.as_text()}\n{made.secret}", as_json=as_json)


@webhook_app.command("delete")
@telling_refusals
def webhook_delete(
    *,
    webhook: WebhookArgument,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove a webhook."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    gone = delete(settings, webhook)
    say(gone, gone.as_text(), as_json=as_json)


@webhook_app.command("test")
@telling_refusals
def webhook_test(
    *,
    webhook: WebhookArgument,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a test event from this machine now; exits with 1 if the delivery failed."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    answer = test(settings, webhook, SYSTEM_CLOCK.utc())
    say(answer, answer.as_text(), as_json=as_json)
    raise typer.Exit(0 if answer.result == "delivered" else 1)


@webhook_app.command("replay")
@telling_refusals
def webhook_replay(
    *,
    webhook: WebhookArgument,
    after: Annotated[int, typer.Option(min=0, help="The position of the last event that arrived.")],
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a running server send the events after a position to a webhook again."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)

    again = replay(settings, webhook, after, SYSTEM_CLOCK.utc())
    say(again, again.as_text(), as_json=as_json)
