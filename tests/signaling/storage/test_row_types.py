from dataclasses import dataclass

from sqlalchemy import Column, Integer, MetaData, Table

from signaling.storage.row_types import columns_of, field_names, load, values_of


@dataclass(frozen=True)
class Thing:
    a: int
    b: int


TABLE = Table("things", MetaData(), Column("b", Integer), Column("a", Integer), Column("c", Integer))


def test_a_field_is_the_column_of_its_name():
    assert field_names(Thing) == ("a", "b")
    assert [column.name for column in columns_of(TABLE, Thing)] == ["a", "b"]
    assert load(Thing, {"a": 1, "b": 2, "c": 3}) == Thing(1, 2)
    assert values_of(Thing(1, 2)) == {"a": 1, "b": 2}
