import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from signaling.cli import apikey, main
from signaling.errors import BadSettings, Refusal
from signaling.identity.bearer_secrets import parse_api_key
from signaling.settings.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_keys_are_made_listed_and_revoked(tmp_path):
    settings = Settings(data_dir=tmp_path)
    request = apikey.request_of("game", ["room.*"], ["den"], 60)
    made = apikey.create(settings, request, NOW)
    assert parse_api_key(made.key).prefix == made.prefix
    assert (made.created_by, made.rooms, made.expires_at) == ("cli", ["den"], NOW + timedelta(seconds=60))
    (listed,) = apikey.listing(settings)
    assert listed.model_dump() == {name: value for name, value in made.model_dump().items() if name != "key"}
    assert apikey.revoke(settings, made.id, NOW).revoked_at == NOW
    with pytest.raises(Refusal, match="no such API key") as caught:
        apikey.revoke(settings, made.id, NOW)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (("game", ["fly"], None, None), "--scope"),
        (("game", ["*"], ["a b"], None), "--room"),
        (("game", ["*"], None, 10**12), "--ttl"),
    ],
)
def test_what_cannot_be_asked_for_names_its_flag(arguments, flag):
    with pytest.raises(BadSettings, match=flag):
        apikey.request_of(*arguments)


def test_a_key_without_rooms_opens_all():
    assert apikey.request_of("game", ["*"], [], None).rooms is None


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
