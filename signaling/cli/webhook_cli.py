"""The commands of `parley webhook`."""

from typing import Annotated

import typer

from signaling.cli.command_line import ConfigFlag, DataDirFlag, JsonFlag, SetFlag, say, settings_of, telling_refusals
from signaling.clock import SYSTEM_CLOCK

webhook_app = typer.Typer(help="Webhooks: who is told of what happens.", no_args_is_help=True)
WebhookArgument = Annotated[str, typer.Argument(help="Its id.")]


@webhook_app.command("list")
@telling_refusals
def webhook_list(
    *, data_dir: DataDirFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Print the webhooks, the newest first."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import webhook_command  # noqa: PLC0415

    for one in webhook_command.listing(settings):
        say(one, one.as_text(), as_json=as_json)


@webhook_app.command("create")
@telling_refusals
def webhook_create(
    *,
    url: Annotated[str, typer.Option(help="Where to tell: https://...")],
    event: Annotated[
        list[str] | None, typer.Option(help="What to tell: a name, a family like room.*; all without it.")
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    secret: Annotated[str | None, typer.Option(help="whsec_ and base64, else one is made.")] = None,
    data_dir: DataDirFlag = None,
    config: ConfigFlag = None,
    set_: SetFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Add a webhook, and print it with its secret, this once."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import webhook_command  # noqa: PLC0415
    from signaling.storage.event_filters import EVERYTHING  # noqa: PLC0415
    from signaling.storage.webhook_record import WebhookFields  # noqa: PLC0415

    fields = WebhookFields(url=url, description=description, events=tuple(event or (EVERYTHING,)))
    made = webhook_command.create(settings, webhook_command.WebhookOrder(fields, secret), SYSTEM_CLOCK.utc())
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
    from signaling.cli import webhook_command  # noqa: PLC0415

    gone = webhook_command.delete(settings, webhook)
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
    """Send a test from here, now; ends with 1 where it did not get through."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import webhook_command  # noqa: PLC0415

    answer = webhook_command.test(settings, webhook, SYSTEM_CLOCK.utc())
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
    """Have a webhook told again of what happened after a position; a running server does it."""
    settings = settings_of({"data_dir": data_dir}, set_, config, serving=False)
    from signaling.cli import webhook_command  # noqa: PLC0415

    again = webhook_command.replay(settings, webhook, after, SYSTEM_CLOCK.utc())
    say(again, again.as_text(), as_json=as_json)
