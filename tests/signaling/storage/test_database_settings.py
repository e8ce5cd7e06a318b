from pathlib import Path

import pytest

from signaling.storage.database_settings import choose_database


def test_without_a_url_the_database_is_a_file_of_the_data_folder():
    chosen = choose_database("", Path("data"))
    assert (chosen.kind, chosen.path, chosen.embedded) == ("sqlite", Path("data/parley.db"), True)


@pytest.mark.parametrize(("url", "path"), [("sqlite:///a/b.db", "a/b.db"), ("sqlite:////var/b.db", "/var/b.db")])
def test_a_sqlite_database_may_be_anywhere(url, path):
    assert choose_database(url, Path("data")).path == Path(path)


@pytest.mark.parametrize(
    ("url", "rewritten", "ssl"),
    [
        ("postgresql://a:b%40c@h:1/n", "postgresql+asyncpg://a:b%40c@h:1/n", None),
        ("postgres://h/n?sslmode=require", "postgresql+asyncpg://h/n", "require"),
        ("postgresql:///n?host=%2Frun", "postgresql+asyncpg:///n?host=%2Frun", None),
    ],
)
def test_a_postgresql_url_becomes_what_the_driver_takes(url, rewritten, ssl):
    chosen = choose_database(url, Path("data"), pool_size=3, statement_seconds=2.0)
    assert (chosen.url, chosen.ssl, chosen.path, chosen.embedded) == (rewritten, ssl, None, False)
    assert (chosen.pool_size, chosen.statement_seconds) == (3, 2.0)
