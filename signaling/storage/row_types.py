"""From rows to frozen dataclasses: a field is the column of its name. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import Column, Table

Record = TypeVar("Record")


def field_names(kind: type[Any]) -> tuple[str, ...]:
    """The names of the fields, in order."""
    return tuple(field.name for field in fields(kind))


def columns_of(table: "Table", kind: type[Any]) -> list["Column[Any]"]:
    """The columns that make a `kind`."""
    return [table.c[name] for name in field_names(kind)]


def load(kind: type[Record], row: Mapping[Any, Any]) -> Record:
    """A `kind` of a row's mapping."""
    return kind(**{name: row[name] for name in field_names(kind)})


def values_of(record: Any) -> dict[str, Any]:
    """What goes into the columns of a record."""
    return {name: getattr(record, name) for name in field_names(type(record))}
