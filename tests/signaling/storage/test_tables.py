from signaling.storage import access_tables, room_tables, tables


def test_every_table_is_named_here():
    assert set(tables.__all__) == {*tables.METADATA.tables, "METADATA"}
    for name in tables.METADATA.tables:
        home = room_tables if hasattr(room_tables, name) else access_tables
        assert getattr(tables, name) is getattr(home, name) is tables.METADATA.tables[name]
