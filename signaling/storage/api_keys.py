"""API keys: a public prefix that finds the row, and the hash of a secret that is shown only at creation."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.identity.bearer_secrets import hash_of, matches, new_api_key, parse_api_key
from signaling.ids import RandomBytes, uuid7
from signaling.storage import words
from signaling.storage.access_tables import api_keys as table
from signaling.storage.fields import check_text
from signaling.storage.pages import columns_of, values_of

MOST_KEYS = 1000
_NOBODY = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key without its secret. `scopes` are actions of `identity.permissions`; `rooms` None is all rooms."""

    id: str
    prefix: str
    name: str
    scopes: tuple[str, ...]
    rooms: tuple[str, ...] | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def holds(self, utc: datetime) -> bool:
        """Whether the key is valid at `utc`."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """A request for a key."""

    name: str
    created_by: str
    scopes: Collection[str]
    rooms: Collection[str] | None = None
    expires_at: datetime | None = None


async def create(
    connection: AsyncConnection, order: KeyOrder, utc: datetime, random: RandomBytes
) -> tuple[ApiKey, str]:
    """Create a key. Return it with its text, which is not stored. Raises ClientMistake (`bad_message`)."""
    check_text("name", order.name, words.NAME_LENGTH, least=1)
    for one in (*order.scopes, *(order.rooms or ())):
        check_text("scopes and rooms", one, words.ID_LENGTH, least=1)
    if len(order.scopes) > MOST_KEYS or len(order.rooms or ()) > MOST_KEYS:
        raise ClientMistake("bad_message", f"at most {MOST_KEYS} scopes and rooms")
    text = new_api_key(random)
    made = ApiKey(
        id=uuid7(utc, random),
        prefix=text.prefix,
        name=order.name,
        scopes=tuple(sorted(order.scopes)),
        rooms=None if order.rooms is None else tuple(sorted(order.rooms)),
        created_by=order.created_by,
        created_at=utc,
        expires_at=order.expires_at,
    )
    await connection.execute(table.insert().values(**values_of(made), secret_hash=hash_of(text.secret)))
    return made, str(text)


async def verify(connection: AsyncConnection, text: str, utc: datetime) -> ApiKey:
    """Return the key of a text. Raises ClientMistake (`token_invalid`), the same in text and timing for each fault."""
    shown = parse_api_key(text)
    row = None
    if shown is not None:
        query = select(*columns_of(table, ApiKey), table.c.secret_hash).where(table.c.prefix == shown.prefix)
        row = (await connection.execute(query)).mappings().one_or_none()
    right = matches(shown.secret if shown else "", row["secret_hash"] if row else _NOBODY)
    if row is None or not right or not (key := _load(row)).holds(utc):
        raise ClientMistake("token_invalid", "the API key is not valid")
    return key


async def note_use(connection: AsyncConnection, key_id: str, utc: datetime) -> None:
    """Record the time of use of a key. Call it at most every minute."""
    await connection.execute(update(table).where(table.c.id == key_id).values(used_at=utc))


async def revoke(connection: AsyncConnection, key_id: str, utc: datetime) -> ApiKey:
    """Revoke a key. Raises ClientMistake (`not_found`) if it does not exist or is revoked."""
    revoking = update(table).where(table.c.id == key_id, table.c.revoked_at.is_(None)).values(revoked_at=utc)
    row = (await connection.execute(revoking.returning(*columns_of(table, ApiKey)))).mappings().one_or_none()
    if row is None:
        raise ClientMistake("not_found", "there is no such API key")
    return _load(row)


async def every(connection: AsyncConnection) -> list[ApiKey]:
    """Return all keys, newest first, revoked ones included. There are few."""
    query = select(*columns_of(table, ApiKey)).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(MOST_KEYS)
    return [_load(row) for row in (await connection.execute(query)).mappings()]


def _load(row: RowMapping) -> ApiKey:
    values = {**row, "scopes": tuple(row["scopes"]), "rooms": None if row["rooms"] is None else tuple(row["rooms"])}
    values.pop("secret_hash", None)
    return ApiKey(**values)
