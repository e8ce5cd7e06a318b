"""Shared by all commands: the flags that name the settings, and the output of a refusal."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer

from signaling.errors import BadSettings, Refusal

if TYPE_CHECKING:
    from pydantic import BaseModel

    from signaling.settings.settings import Settings

_Parameters = ParamSpec("_Parameters")

ConfigFlag = Annotated[
    Path | None, typer.Option("--config", help="YAML file with settings [env: PARLEY_CONFIG].", show_default=False)
]
DataDirFlag = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder for the data of the server.", show_default="data")
]
SetFlag = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting, as name=value; see docs/settings.md.", show_default=False),
]
DevFlag = Annotated[
    bool | None,
    typer.Option(
        "--dev", help="Try Parley: loopback only, with tokens for every client that asks.", show_default=False
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def telling_refusals(command: Callable[_Parameters, None]) -> Callable[_Parameters, None]:
    """The command, which says a refusal in three parts and ends with its exit code."""

    @wraps(command)
    def wrapper(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Refusal as refusal:
            if kwargs.get("as_json"):
                typer.echo(json.dumps(refusal.as_json()))
            else:
                typer.echo(f"Error: {refusal.what}.", err=True)
                typer.echo(f"  Why:  {refusal.why}", err=True)
                typer.echo(f"  Next: {refusal.remedy}", err=True)
            raise typer.Exit(refusal.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return wrapper


def settings_of(
    flags: dict[str, Any], pairs: list[str] | None, config: Path | None, *, serving: bool = True
) -> "Settings":
    """The settings of this command; see `load_settings`. Raises BadSettings."""
    from signaling.settings.settings import load_settings  # noqa: PLC0415

    for pair in pairs or ():
        name, sign, value = pair.partition("=")
        if not sign:
            raise BadSettings(f"--set {name} is not valid", "the value is missing", "Write it as --set name=value.")
        flags[name.strip().replace("-", "_").lower()] = value
    return load_settings(flags, config=config, serving=serving)


def say(model: "BaseModel", text: str, *, as_json: bool) -> None:
    """A line: the model as JSON, or the text."""
    typer.echo(model.model_dump_json() if as_json else text)


def seconds_of(flag: str, time: str | None) -> int | None:
    """The whole seconds of a flag like `10m`, 1 at least; None without it. Raises BadSettings."""
    from signaling.settings.types import parse_duration  # noqa: PLC0415

    if time is None:
        return None
    try:
        seconds: float = parse_duration(time)
        return max(1, round(seconds))
    except (ValueError, OverflowError):
        raise BadSettings(
            f"{flag} {time!r} is not valid", "it is not a duration", "Write it like 10m or 12h."
        ) from None
