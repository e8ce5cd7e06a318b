import pytest

from signaling.cli import db_command
from signaling.refusals import Refusal
from signaling.settings.settings import Settings


def test_the_settings_name_the_database(tmp_path):
    settings = Settings(data_dir=tmp_path, database_pool_size=3, database_statement_timeout=2)
    chosen = db_command.database_settings(settings)
    assert (chosen.path, chosen.pool_size, chosen.statement_seconds) == (tmp_path / "parley.db", 3, 2.0)
    named = Settings(database_url="postgres://ana:secret@db/parley")
    assert db_command.database_settings(named).url == "postgresql+asyncpg://ana:secret@db/parley"


def test_a_look_makes_nothing(tmp_path):
    with pytest.raises(Refusal, match="there is no database") as caught:
        db_command.look(Settings(data_dir=tmp_path / "data"))
    assert "parley db upgrade" in caught.value.remedy
    assert not (tmp_path / "data").exists()


def test_an_upgrade_makes_the_tables(tmp_path):
    settings = Settings(data_dir=tmp_path)
    told = db_command.upgrade(settings)
    assert told == db_command.look(settings) == db_command.upgrade(settings)
    assert told["state"] == "current"
    assert db_command.as_text(told).endswith("The tables are those of this version.")


def test_nobody_there_is_a_refusal(free_tcp_port):
    settings = Settings(database_url=f"postgresql://x@127.0.0.1:{free_tcp_port()}/x")
    with pytest.raises(Refusal, match="does not answer"):
        db_command.look(settings)


@pytest.mark.parametrize("state", db_command.SENTENCES)
def test_every_state_is_said_with_what_to_do(state):
    told = {"state": state, "current": None, "head": "0003", "missing": ("rooms",)}
    said = db_command.as_text(told)
    assert "Revision none, this version works with 0003." in said
    assert said.endswith("Not as it should be: rooms.")
