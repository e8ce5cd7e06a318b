"""Rows as frozen dataclasses, and pages of rows with sealed cursors. Pure."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Select, String, Table, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.storage.columns import POSTGRESQL, UtcTime

Record = TypeVar("Record")


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """Return the names of the fields, in order."""
    return tuple(field.name for field in fields(kind))


def columns_of(table: "Table", kind: type[Any]) -> list["Column[Any]"]:
    """Return the columns for the fields of `kind`."""
    return [table.c[name] for name in field_names(kind)]


def load(kind: type[Record], row: Mapping[Any, Any]) -> Record:
    """Make a `kind` from the mapping of a row."""
    return kind(**{name: row[name] for name in field_names(kind)})


def values_of(record: Any) -> dict[str, Any]:
    """Return the column values of a record."""
    return {name: getattr(record, name) for name in field_names(type(record))}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_TEXT = re.compile(r"[A-Za-z0-9_-]{1,300}\Z")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """The last row of a page: its time and its id."""

    at: datetime
    id: str


def encode_cursor(scope: str, place: Place) -> str:
    """Return the cursor after `place`. `scope` names the list and its filters."""
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    body = json.dumps([_seal(scope, microseconds, place.id), microseconds, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).rstrip(b"=").decode()


def decode_cursor(scope: str, text: str) -> Place:
    """Return the place of a cursor of the same list. Raises ClientMistake (`bad_message`) for anything else."""
    try:
        found = json.loads(base64.b64decode(_padded(text), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _foreign() from None
    if not isinstance(found, list) or len(found) != 3:
        raise _foreign()
    seal, microseconds, row_id = found
    if type(microseconds) is not int or not 0 <= microseconds <= _LAST:
        raise _foreign()
    if not isinstance(row_id, str) or not _ID.match(row_id) or seal != _seal(scope, microseconds, row_id):
        raise _foreign()
    return Place(_EPOCH + timedelta(microseconds=microseconds), row_id)


def _padded(text: str) -> bytes:
    if not _TEXT.match(text):
        raise _foreign()
    return text.encode() + b"=" * (-len(text) % 4)


def _seal(scope: str, microseconds: int, row_id: str) -> str:
    """Return a checksum that detects a damaged or foreign cursor. It is no secret: a forged cursor grants no access."""
    return hashlib.sha256(f"{scope}\n{microseconds}\n{row_id}".encode()).hexdigest()[:12]


def _foreign() -> ClientMistake:
    return ClientMistake("bad_message", "the cursor does not belong to this list")


Item = TypeVar("Item")
MOST = 200


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The number of rows and the cursor to continue from, None for the first page."""

    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows of a list. `next_cursor` is None on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """A paginated list: rows of `table` as `kind`, by the column `time`."""

    table: Table
    kind: type[Item]
    time: str

    async def page(
        self,
        connection: AsyncConnection,
        wanted: Mapping[str, object],
        conditions: list[ColumnElement[bool]],
        request: PageRequest,
        until: datetime | None = None,
    ) -> Page[Item]:
        """Return one page of the rows before `until`. Raises ClientMistake.

        `wanted` names all filters: a cursor is valid only for the same filters.
        """
        if not 1 <= request.limit <= MOST:
            raise ClientMistake("bad_message", f"limit: from 1 to {MOST}")
        time: Column[datetime] = self.table.c[self.time]
        scope = _scope(self.table.name, wanted)
        query: Select[Any] = select(*columns_of(self.table, self.kind)).where(*conditions)
        if request.cursor is not None:
            after = decode_cursor(scope, request.cursor)
            place = tuple_(literal(after.at, UtcTime()), literal(after.id, String()))
            # It is before `until`. With a single upper bound SQLite uses the index.
            query = query.where(tuple_(time, self.table.c.id) < place)
        elif until is not None:
            query = query.where(time < until)
        query = query.order_by(time.desc(), self.table.c.id.desc()).limit(request.limit + 1)
        rows = (await connection.execute(query)).mappings().all()
        items = tuple(load(self.kind, row) for row in rows[: request.limit])
        if len(rows) <= request.limit:
            return Page(items, None)
        last = rows[request.limit - 1]
        return Page(items, encode_cursor(scope, Place(last[self.time], last["id"])))


async def insert_once(connection: AsyncConnection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert a row unless one with the same key exists. Return whether it was inserted."""
    if connection.dialect.name == POSTGRESQL:
        statement: Any = postgresql.insert(table).values(**values).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).values(**values).on_conflict_do_nothing()
    return bool((await connection.execute(statement)).rowcount)


def _scope(table: str, wanted: Mapping[str, object]) -> str:
    filters = {name: str(value) for name, value in wanted.items() if value is not None}
    return hashlib.sha256(json.dumps([table, filters], sort_keys=True).encode()).hexdigest()
