import json

from signaling.cli.config import config_app
from tests.signaling.cli.test_main import SECRET, run


def test_both_commands_are_there():
    assert {command.name for command in config_app.registered_commands} == {"check", "print"}


def test_set_takes_any_setting_and_wants_a_value():
    assert json.loads(run("config", "print", "--json", "--set", "max-participants=7").stdout)["max_participants"] == 7
    assert run("config", "check", "--set", "slots").exit_code == 2


def test_config_check(tmp_path):
    assert "The settings are valid" in run("config", "check").output
    said = run("config", "check", REDIS_URL="x").output
    assert "! REDIS_URL" in said
    assert json.loads(run("config", "check", "--json").stdout) == {"ok": True, "warnings": []}
    assert run("config", "check", PARLEY_JWT_SECRET="").exit_code == 2
    file = tmp_path / "parley.yaml"
    file.write_text("slots: no\n")
    result = run("config", "check", "--config", str(file))
    assert result.exit_code == 2
    assert f"slots in {file}" in result.output


def test_config_print_masks_secrets():
    said = run("config", "print").output
    assert 'jwt_secret: "(set)"' in said
    assert SECRET not in said
