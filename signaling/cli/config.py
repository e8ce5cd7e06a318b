"""`parley config`: whether the settings are valid, and their effective values."""

import json

import typer

from signaling.cli.command_line import (
    ConfigFlag,
    DevFlag,
    JsonFlag,
    SetFlag,
    settings_of,
    telling_refusals,
)
from signaling.settings.settings import warnings_about

config_app = typer.Typer(help="Settings: show and check them.", no_args_is_help=True)


@config_app.command("check")
@telling_refusals
def config_check(
    *, dev: DevFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Check whether the server would start with these settings."""
    settings = settings_of({"dev": dev}, set_, config)
    warnings = warnings_about(settings)
    if as_json:
        typer.echo(json.dumps({"ok": True, "warnings": warnings}))
        return
    for warning in warnings:
        typer.echo(f"! {warning}")
    typer.echo("The settings are valid.")


@config_app.command("print")
@telling_refusals
def config_print(
    *, dev: DevFlag = None, config: ConfigFlag = None, set_: SetFlag = None, as_json: JsonFlag = False
) -> None:
    """Print the effective settings, secrets masked."""
    values = settings_of({"dev": dev}, set_, config, serving=False).masked()
    if as_json:
        typer.echo(json.dumps(values))
        return
    for name, value in values.items():
        typer.echo(f"{name}: {json.dumps(value)}")
