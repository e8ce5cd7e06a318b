"""Stored webhooks: create, read, change, rotate secrets, remove. Checks raise ClientMistake (`bad_message`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.ids import RandomBytes, uuid7
from signaling.storage import outbox, words
from signaling.storage.pages import columns_of, values_of
from signaling.storage.webhook_record import (
    FROM_SETTINGS,
    MOST_WEBHOOKS,
    Webhook,
    WebhookFields,
    check_webhook,
    may_be_id,
    named,
    refuse_from_settings,
    with_secret,
)
from signaling.storage.webhook_tables import webhook_lanes as lanes
from signaling.storage.webhook_tables import webhooks as table


async def create(
    connection: AsyncConnection, chosen: WebhookFields, secret: str, by: str, made: tuple[datetime, RandomBytes]
) -> Webhook:
    """Add a webhook, which receives events from now on. Raises ClientMistake (`bad_message`).

    `made` is the time, and the random source of its id.
    """
    utc, random = made
    count = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
    if count >= MOST_WEBHOOKS:
        raise ClientMistake("bad_message", f"there are {MOST_WEBHOOKS} webhooks already, which is the limit")
    return await _insert(connection, chosen, (uuid7(utc, random), secret), by, utc)


async def get(connection: AsyncConnection, webhook_id: str, *, lock: bool = False) -> Webhook:
    """Return the webhook; `lock` locks its row until the transaction ends. Raises ClientMistake (`not_found`)."""
    query = select(table).where(table.c.id == webhook_id)
    row = None
    if may_be_id(webhook_id):
        row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
    if row is None:
        raise ClientMistake("not_found", "there is no such webhook")
    return _load(row)


async def every(connection: AsyncConnection) -> list[Webhook]:
    """Return all webhooks, newest first. There are few."""
    query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc())
    return [_load(row) for row in (await connection.execute(query)).mappings()]


async def enabled(connection: AsyncConnection) -> list[Webhook]:
    """Return the enabled webhooks."""
    return [one for one in await every(connection) if one.enabled]


async def change(
    connection: AsyncConnection, webhook_id: str, changes: Mapping[str, Any], version: int | None, utc: datetime
) -> Webhook:
    """Change fields of the version that was read; None for any version.

    A webhook that is enabled again continues where it stopped, as far as events are still stored. Raises ClientMistake:
    `not_found`, `stale`, `bad_message`, `forbidden` for the one from the settings.
    """
    refuse_from_settings(webhook_id)
    values = named(changes)
    before = await _of_version(connection, webhook_id, version)
    return await _update(connection, before, values, utc)


async def rotate(connection: AsyncConnection, webhook_id: str, secret: str, utc: datetime) -> Webhook:
    """Add a new signing secret. The older ones still sign too. Raises as `change`."""
    refuse_from_settings(webhook_id)
    before = await get(connection, webhook_id, lock=True)
    return await _update(connection, before, {"secrets": with_secret(before.secrets, secret)}, utc)


async def drop_old_secrets(connection: AsyncConnection, webhook_id: str, utc: datetime) -> Webhook:
    """Sign with the newest secret only. Raises as `change`."""
    refuse_from_settings(webhook_id)
    before = await get(connection, webhook_id, lock=True)
    return await _update(connection, before, {"secrets": before.secrets[:1]}, utc)


async def disable(connection: AsyncConnection, webhook_id: str, reason: words.DisabledReason, utc: datetime) -> None:
    """Disable a webhook until it is enabled again. One that is deleted or disabled stays so."""
    values = {"enabled": False, "disabled_reason": reason, "updated_at": utc, "version": table.c.version + 1}
    await connection.execute(update(table).where(table.c.id == webhook_id, table.c.enabled.is_(True)).values(**values))


async def remove(connection: AsyncConnection, webhook_id: str, version: int | None = None) -> Webhook:
    """Delete a webhook and its lanes. Raises as `change`."""
    refuse_from_settings(webhook_id)
    found = await _of_version(connection, webhook_id, version)
    await connection.execute(delete(table).where(table.c.id == webhook_id))
    return found


async def keep_settings(connection: AsyncConnection, url: str, secret: str, utc: datetime) -> None:
    """Store the webhook from the settings, and delete that of earlier settings. Without `url` there is none.

    A start enables it again if it was disabled.
    """
    query = select(table).where(table.c.id == FROM_SETTINGS)
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if not url:
        await connection.execute(delete(table).where(table.c.id == FROM_SETTINGS))
    elif row is None:
        await _insert(connection, WebhookFields(url=url), (FROM_SETTINGS, secret), FROM_SETTINGS, utc)
    else:
        wanted = {"url": url, "secrets": (secret,), "enabled": True, "disabled_reason": None}
        before = _load(row)
        if any(getattr(before, name) != value for name, value in wanted.items()):
            await _update(connection, before, wanted, utc)


async def _insert(
    connection: AsyncConnection, chosen: WebhookFields, named_by: tuple[str, str], by: str, utc: datetime
) -> Webhook:
    webhook_id, secret = named_by
    check_webhook(chosen)
    made = Webhook(
        id=webhook_id,
        secrets=with_secret((), secret),
        position=await outbox.head(connection),
        version=1,
        created_by=by,
        created_at=utc,
        updated_at=utc,
        **values_of(chosen) | named({"events": chosen.events, "enabled": chosen.enabled}),
    )
    await connection.execute(insert(table).values(**_columns(made)))
    return made


async def _of_version(connection: AsyncConnection, webhook_id: str, version: int | None) -> Webhook:
    found = await get(connection, webhook_id, lock=True)
    if version is not None and version != found.version:
        raise ClientMistake("stale", details={"version": found.version})
    return found


async def _update(connection: AsyncConnection, before: Webhook, values: Mapping[str, Any], utc: datetime) -> Webhook:
    after = Webhook(**values_of(before) | dict(values) | {"version": before.version + 1, "updated_at": utc})
    check_webhook(after)
    await connection.execute(update(table).where(table.c.id == before.id).values(**_columns(after)))
    # A courier that works on one of its lanes drops it, as the data it has read is outdated.
    moving = update(lanes).where(lanes.c.webhook_id == before.id, lanes.c.next_attempt_at.is_not(None))
    await connection.execute(moving.values(next_attempt_at=utc, attempts=0, failing_since=None))
    return after


def _load(row: RowMapping) -> Webhook:
    values = {column.name: row[column.name] for column in columns_of(table, Webhook)}
    return Webhook(**values | {"events": tuple(row["events"]), "secrets": tuple(row["secrets"])})


def _columns(webhook: Webhook) -> dict[str, Any]:
    return values_of(webhook) | {"events": list(webhook.events), "secrets": list(webhook.secrets)}
