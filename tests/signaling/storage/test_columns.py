from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, StatementError

from signaling.storage.columns import UtcTime, at_most, document, key, long_text, one_of
from signaling.storage.tables import METADATA


def test_every_constraint_and_index_has_a_name_that_postgresql_keeps_whole():
    names = []
    for table in METADATA.tables.values():
        names += [str(index.name) for index in table.indexes]
        for constraint in table.constraints:
            constraint_name = str(constraint.name or f"pk_{table.name}")
            names.append(constraint_name)
    assert all(names)
    assert max(map(len, names)) <= 63


moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 1, 1), timezones=st.timezones())  # noqa: DTZ001
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001


@given(moments)
def test_a_moment_is_the_same_moment_when_it_comes_back(moment):
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        kept = UtcTime().process_bind_param(moment, dialect)
        back = UtcTime().process_result_value(kept, dialect)
        # A time that a change to summer time leaves out equals no other; in UTC it is one.
        assert back == moment.astimezone(UTC)
        assert back.tzinfo is UTC


def test_no_moment_stays_none():
    assert UtcTime().process_bind_param(None, sqlite.dialect()) is None
    assert UtcTime().process_result_value(None, sqlite.dialect()) is None


async def test_what_the_columns_hold_on_both_databases(empty_database):
    table = Table(
        "things",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("at", UtcTime()),
        Column("word", key()),
        Column("text", long_text()),
        Column("doc", document()),
        one_of("word", ("yes", "no")),
        at_most("text", 3),
    )
    moment = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    document_value = {"a": [1, 2.5, None, True, "ü"], "b": {}}
    async with empty_database.transaction() as connection:
        await connection.run_sync(table.metadata.create_all)
        await connection.execute(insert(table).values(id=1, at=moment, word="yes", text="übe", doc=document_value))
        await connection.execute(insert(table).values(id=2))
    async with empty_database.reading() as connection:
        rows = (await connection.execute(select(table).order_by(table.c.id))).all()
    assert tuple(rows[0]) == (1, moment, "yes", "übe", document_value)
    assert rows[0].at.tzinfo is UTC
    assert tuple(rows[1]) == (2, None, None, None, None)
    for wrong in ({"word": "perhaps"}, {"text": "long"}):
        with pytest.raises(IntegrityError):
            async with empty_database.transaction() as connection:
                await connection.execute(insert(table).values(id=3, **wrong))
    with pytest.raises((TypeError, StatementError), match="naive"):
        async with empty_database.transaction() as connection:
            await connection.execute(insert(table).values(id=3, at=NAIVE))


async def test_ids_sort_by_code_point_on_both_databases(empty_database):
    table = Table("things", MetaData(), Column("id", key(), primary_key=True))
    words = ["a", "B", "_", "-", "0", "aa", "Z", "ä", "\U0001f600", "\uffee"]
    async with empty_database.transaction() as connection:
        await connection.run_sync(table.metadata.create_all)
        await connection.execute(insert(table), [{"id": word} for word in words])
        found = (await connection.execute(select(table.c.id).order_by(table.c.id))).scalars().all()
    assert found == sorted(words)
