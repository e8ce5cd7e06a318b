"""What of a room's settings the server itself reads; all else in them is its owner's. Pure."""

from collections.abc import Mapping
from typing import Any

from signaling.errors import ClientMistake
from signaling.storage.fields import check_number, check_object

MESSAGE_HISTORY = "message_history"
USUAL_DAYS = 30
MOST_DAYS = 3650


def check_settings(settings: Any) -> None:
    """Whether a room may have these settings. Raises ClientMistake (`bad_message`), which names the field.

    `message_history` is `{"keep": true or false, "days": 1 to 3650}`; days are 30 unless told.
    """
    check_object("settings", settings)
    if MESSAGE_HISTORY not in settings:
        return
    history = settings[MESSAGE_HISTORY]
    field = f"settings.{MESSAGE_HISTORY}"
    if not isinstance(history, dict) or not isinstance(history.get("keep"), bool) or history.keys() - {"keep", "days"}:
        raise ClientMistake("bad_message", f'{field}: {{"keep": true or false, "days": a number}}')
    check_number(f"{field}.days", history.get("days", USUAL_DAYS), 1, MOST_DAYS)


def message_days(settings: Mapping[str, Any]) -> int | None:
    """For how many days the room keeps its messages; None where it keeps none."""
    history = settings.get(MESSAGE_HISTORY) or {}
    return history.get("days", USUAL_DAYS) if history.get("keep") else None
