"""Pages of a list in the order (time, id), newest first, and rows that are written once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Select, String, Table, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.errors import ClientMistake
from signaling.storage.columns import POSTGRESQL, UtcTime
from signaling.storage.cursors import Place, decode_cursor, encode_cursor
from signaling.storage.row_types import columns_of, load

Item = TypeVar("Item")
MOST = 200


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many rows, and after which cursor; the first page has none."""

    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows of a list; `next_cursor` is None where there are no more."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """A list that can be paged through: rows of `table` as `kind`, by the column `time`."""

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
        """One page of the rows before `until`. Raises ClientMistake.

        `wanted` names all filters: a cursor holds for the same ones only.
        """
        if not 1 <= request.limit <= MOST:
            raise ClientMistake("bad_message", f"limit: from 1 to {MOST}")
        time: Column[datetime] = self.table.c[self.time]
        scope = _scope(self.table.name, wanted)
        query: Select[Any] = select(*columns_of(self.table, self.kind)).where(*conditions)
        if request.cursor is not None:
            after = decode_cursor(scope, request.cursor)
            place = tuple_(literal(after.at, UtcTime()), literal(after.id, String()))
            # It lies before `until`; with one upper bound SQLite takes it for the index.
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
    """Insert a row, unless one with a key of its is there; whether it was inserted."""
    if connection.dialect.name == POSTGRESQL:
        statement: Any = postgresql.insert(table).values(**values).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).values(**values).on_conflict_do_nothing()
    return bool((await connection.execute(statement)).rowcount)


def _scope(table: str, wanted: Mapping[str, object]) -> str:
    filters = {name: str(value) for name, value in wanted.items() if value is not None}
    return hashlib.sha256(json.dumps([table, filters], sort_keys=True).encode()).hexdigest()
