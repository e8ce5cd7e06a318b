"""A webhook as a value, and the limits of its fields. Pure.

Checks raise ClientMistake (`bad_message`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signaling.errors import ClientMistake
from signaling.storage import words
from signaling.storage.fields import check_text
from signaling.storage.outbox import EVERYTHING, check_filter

MOST_WEBHOOKS = 50


MOST_SECRETS = 3


FROM_SETTINGS = "settings"
"""The id and the creator of the webhook from the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events. `secrets` are in clear, as they sign; the newest comes first.

    `disabled_reason` is None if it is enabled. `position` is that of the last event assigned to its lanes.
    """

    id: str
    url: str
    description: str
    events: tuple[str, ...]
    secrets: tuple[str, ...]
    enabled: bool
    disabled_reason: words.DisabledReason | None
    position: int
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        """The entity tag of the version (RFC 9110 section 8.8.3)."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFields:
    """The chosen fields of a webhook, without its secret."""

    url: str
    description: str = ""
    events: tuple[str, ...] = (EVERYTHING,)
    enabled: bool = True


_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


CHANGEABLE = ("url", "description", "events", "enabled")


def check_webhook(webhook: WebhookFields | Webhook) -> None:
    """Check that all fields can be stored. `webhooks.targets` decides whether the URL is allowed."""
    check_text("url", webhook.url, words.URL_LENGTH, least=1)
    check_text("description", webhook.description, words.DESCRIPTION_LENGTH)
    check_filter(webhook.events)


def named(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes as fields of a `Webhook`, with the fields that depend on them."""
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise ClientMistake("bad_message", f"{unknown[0]} cannot be changed")
    values = dict(changes)
    if "events" in values:
        values["events"] = check_filter(values["events"])
    if "enabled" in values:
        values["disabled_reason"] = None if values["enabled"] else "operator"
    return values


def with_secret(secrets: Sequence[str], new: str) -> tuple[str, ...]:
    """Return the secrets with a new one in front. At most three are kept."""
    return (new, *(one for one in secrets if one != new))[:MOST_SECRETS]


def may_be_id(text: str) -> bool:
    """Whether the id can be stored. An id that cannot is not queried either."""
    return _ID.fullmatch(text) is not None


def refuse_from_settings(webhook_id: str) -> None:
    """Raises ClientMistake (`forbidden`) for the webhook from the settings, which only they can change."""
    if webhook_id == FROM_SETTINGS:
        raise ClientMistake("forbidden", "the settings define this webhook; change it there")
