"""Column types, and the names of constraints and indexes. Each subject declares its own tables."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, MetaData, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Complete once `tables` is imported."""


POSTGRESQL = "postgresql"


class UtcTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC, to the microsecond. SQLite keeps it as text that sorts by time.

    A naive time raises TypeError, as its meaning depends on the time zone of the host.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value!r} is naive: storage takes aware times only")
        value = value.astimezone(UTC)
        return value if dialect.name == POSTGRESQL else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        del dialect
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def key(length: int = 64) -> TypeEngine[str]:
    """Text that is compared code point by code point, whatever the locale: ids, identities, keys of a list."""
    return String(length).with_variant(String(length, collation="C"), POSTGRESQL)


def long_text() -> TypeEngine[str]:
    """Text whose length a check constraint bounds."""
    return Text()


def document() -> TypeEngine[Any]:
    """JSON, stored as written. `fields` bounds its size. None is SQL NULL."""
    return JSON(none_as_null=True)


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """The column holds one of these words, or NULL if it is nullable."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=f"{column}_known")


def at_most(column: str, length: int) -> CheckConstraint:
    """The column holds at most `length` characters. SQLite ignores the length of a type."""
    return CheckConstraint(f"length({column}) <= {length}", name=f"{column}_length")
