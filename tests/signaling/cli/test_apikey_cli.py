import json

import pytest
from typer.testing import CliRunner

from signaling.cli import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main.app, ["apikey", *arguments])


def test_a_key_is_printed_once(run):
    created = run("create", "--name", "game", "--scope", "room.*", "--scope", "token.issue", "--room", "den")
    assert (created.exit_code, created.stdout.startswith("parley_")) == (0, True)
    listed = run("list")
    assert "game  active  (room.*, token.issue; den)" in listed.stdout
    assert created.stdout.strip() not in listed.stdout
    (one,) = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert run("revoke", one["id"]).exit_code == 0
    assert "revoked" in run("list").stdout
    again = run("revoke", one["id"], "--json")
    assert (again.exit_code, json.loads(again.stdout)["why"]) == (2, "there is no such API key")


def test_the_answer_as_json_has_the_key(run):
    made = json.loads(run("create", "--name", "game", "--scope", "*", "--ttl", "1h", "--json").stdout)
    assert made["key"].startswith(f"parley_{made['prefix']}_")
    assert made["expires_at"] is not None


def test_what_is_wrong_is_said(run):
    for arguments in (("--scope", "fly"), ("--scope", "*", "--ttl", "soon"), ("--scope", "*", "--ttl", "inf")):
        refused = run("create", "--name", "game", *arguments)
        assert (refused.exit_code, "Error: --" in refused.stderr) == (2, True)
    assert run("create", "--name", "game").exit_code == 2
