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
