from signaling.storage import access_tables, room_tables, tables, webhook_tables


def test_every_table_is_named_here():
    assert set(tables.__all__) == {*tables.METADATA.tables, "METADATA"}
    for name in tables.METADATA.tables:
        home = next(one for one in (room_tables, webhook_tables, access_tables) if hasattr(one, name))
        assert getattr(tables, name) is getattr(home, name) is tables.METADATA.tables[name]
