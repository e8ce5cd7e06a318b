import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from signaling.cli import doctor, main
from signaling.errors import Refusal
from signaling.http.app_keys import TOKENS
from signaling.identity.tokens import Tokens
from tests.signaling.serving import SECRET, served
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

PARLEY = Path(sys.executable).with_name("parley")
SETTINGS = {"PARLEY_JWT_SECRET": SECRET, "PARLEY_HOST": "127.0.0.1"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No setting of this process reaches a command."""
    for name in list(os.environ):
        if name.startswith("PARLEY_") or name in ("JWT_SECRET", "DATABASE_URL", "REDIS_URL"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*arguments, **environment):
    return CliRunner().invoke(main.app, list(arguments), env={**SETTINGS, **environment})


def really_run(*arguments, **environment):
    """In a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [PARLEY, *arguments],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_help_names_the_commands():
    said = run("--help").output
    named = set(re.findall(r"^\W*(\w+)  ", said, re.MULTILINE))
    service = {"serve", "doctor", "config", "db", "webhook", "openapi"}
    assert service | {"room", "participant", "ban", "invite", "token", "apikey"} <= named


def test_version():
    assert run("--version").output == "parley 0.1.0\n"


def test_a_taken_port_is_said_with_how_to_find_who_has_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = really_run("serve", "--dev", "--port", str(port), "--media-port", "0")
    assert ended.returncode == 1
    assert f"TCP port {port}" in ended.stderr
    assert "ss -ltnp" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_media_port_is_said():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        ended = really_run("serve", "--dev", "--port", "0", "--media-port", str(port))
    assert ended.returncode == 1
    assert f"UDP port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_bad_secret_is_refused_and_not_repeated():
    ended = really_run("serve", "--host", "127.0.0.1", PARLEY_JWT_SECRET="hunter2")
    assert ended.returncode == 2
    assert "secret" in ended.stderr
    assert "openssl rand" in ended.stderr
    assert "hunter2" not in ended.stderr + ended.stdout


def test_an_unknown_key_names_the_nearest_one():
    ended = really_run("serve", "--dev", PARLEY_MEDIA_PROT="1")
    assert ended.returncode == 2
    assert "PARLEY_MEDIA_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_server_starts_says_where_it_is_and_stops(tmp_path):
    with ServerProcess(tmp_path) as server:
        pass
    assert f"http://localhost:{server.port}/#room=lobby" in server.stdout
    assert f"UDP port {server.media_port}" in server.stdout


def test_an_option_that_does_not_exist_is_a_usage_error():
    assert run("serve", "--prot", "1").exit_code == 2


def test_a_refusal_can_be_json():
    result = run("config", "check", "--json", "--set", "prot=1")
    assert result.exit_code == 2
    assert "port" in json.loads(result.stdout)["remedy"]


def test_token_create():
    result = run("token", "create", "--room", "lobby", "--identity", "ana")
    assert result.exit_code == 0
    assert result.stdout.count(".") == 2
    made = json.loads(run("token", "create", "--room", "lobby", "--identity", "ana", "--json").stdout)
    assert made["room"] == "lobby"
    assert run("token", "create", "--room", "a b", "--identity", "ana").exit_code == 2
    assert run("token", "create", "--room", "lobby", "--identity", "ana", PARLEY_JWT_SECRET="").exit_code == 2


def test_token_create_takes_identity_role_life_and_grants():
    order = ("--room", "lobby", "--identity", "ana", "--role", "owner", "--ttl", "1h", "--grant", "roomRecord")
    made = json.loads(run("token", "create", *order, "--grant", "canPublish=false", "--json").stdout)
    assert (made["identity"], made["role"]) == ("ana", "owner")
    assert made["grants"] == {
        "room": "lobby", "roomJoin": True, "roomAdmin": True, "roomRecord": True, "canPublish": False,
    }  # fmt: skip
    assert run("token", "create", "--room", "r", "--identity", "ana", "--grant", "canFly").exit_code == 2


def test_token_create_with_dev_uses_the_secret_of_the_data_folder(tmp_path):
    arguments = ("token", "create", "--dev", "--data-dir", str(tmp_path / "d"), "--room", "lobby", "--identity", "ana")
    assert run(*arguments, PARLEY_JWT_SECRET="").exit_code == 0
    assert (tmp_path / "d" / "dev_secret").exists()


def test_db_upgrade_and_status(tmp_path):
    where = ("--data-dir", str(tmp_path / "d"))
    missing = run("db", "status", *where)
    assert (missing.exit_code, "there is no database" in missing.stderr) == (1, True)
    assert json.loads(run("db", "upgrade", *where, "--json").stdout)["state"] == "current"
    assert "match this version" in run("db", "status", *where).output
    assert json.loads(run("db", "status", *where, "--json").stdout)["state"] == "current"
    assert run("db", "upgrade", *where).exit_code == 0
    wrong = run("db", "status", DATABASE_URL="mysql://ana:hunter2@host/parley")
    assert wrong.exit_code == 2
    assert "postgresql://" in wrong.stderr
    assert "hunter2" not in wrong.output


def test_db_status_ends_with_1_where_the_tables_are_not_those_of_this_version(tmp_path):
    from signaling.cli import database
    from signaling.settings.settings import Settings

    database.upgrade(Settings(data_dir=tmp_path))
    with sqlite3.connect(tmp_path / "parley.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    result = run("db", "status", "--data-dir", str(tmp_path))
    assert (result.exit_code, "newer" in result.output) == (1, True)
    refused = run("db", "upgrade", "--data-dir", str(tmp_path))
    assert (refused.exit_code, "Run the newer version" in refused.stderr) == (1, True)


def test_openapi_prints_the_document():
    assert json.loads(run("openapi").stdout)["openapi"] == "3.1.0"


@pytest.mark.parametrize("state", ["ok", "problem"])
def test_doctor_says_what_it_found(monkeypatch, state):
    findings = [doctor.Finding("thing", state, "seen", "mend it")]
    monkeypatch.setattr(doctor, "examine", lambda _settings: findings)
    result = run("doctor")
    assert result.exit_code == (1 if state == "problem" else 0)
    assert "thing: seen" in result.output
    assert json.loads(run("doctor", "--json").stdout)["findings"][0]["name"] == "thing"


def test_serve_builds_and_runs_with_the_settings(monkeypatch):
    from signaling import app
    from signaling.operating import log

    built = []
    monkeypatch.setattr(log, "configure", lambda *_: None)
    monkeypatch.setattr(app, "build_app", lambda settings: built.append(settings) or "app")
    monkeypatch.setattr(app, "run", lambda application, _announce: built.append(application))
    assert run("serve", "--port", "1234").exit_code == 0
    assert built[0].port == 1234
    assert built[1] == "app"


def test_ctrl_c_before_the_loop_runs_is_no_traceback(monkeypatch):
    from signaling import app
    from signaling.operating import log

    monkeypatch.setattr(log, "configure", lambda *_: None)

    def interrupted(_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "build_app", interrupted)
    assert run("serve").exit_code == 130


async def test_the_start_is_announced_as_text_or_json(tmp_path, capsys):
    async with served(tmp_path, dev=True) as server:
        main._announce(server.app, server.port, as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["http_port"] == server.port
        assert isinstance(server.app[TOKENS], Tokens)
        main._announce(server.app, server.port, as_json=False)
        assert "Parley" in capsys.readouterr().out
    async with served(tmp_path) as server:
        main._announce(server.app, server.port, as_json=True)
        assert "token" not in json.loads(capsys.readouterr().out)


def test_main_is_the_console_script(monkeypatch):
    called = []
    monkeypatch.setattr(main, "app", lambda: called.append(True))
    main.main()
    assert called


def test_a_refusal_has_three_lines_for_people(monkeypatch):
    from signaling.settings import settings

    def refuse(*_args, **_kwargs):
        raise Refusal("it broke", "because", "do this")

    monkeypatch.setattr(settings, "load_settings", refuse)
    result = run("config", "check")
    assert result.exit_code == 1
    assert result.stderr == "Error: it broke.\n  Why:  because\n  Next: do this\n"


def test_light_commands_import_nothing_heavy():
    code = (
        "import sys; from signaling.cli.main import app; app(['config', 'check', '--dev'], standalone_mode=False);"
        "print([name for name in ('av', 'numpy', 'aiortc', 'aiohttp', 'sqlalchemy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_rooms_are_made_listed_and_deleted():
    made = json.loads(run("room", "create", "--name", "The den", "--room", "den", "--json").stdout)
    assert (made["id"], made["name"], made["owner"]) == ("den", "The den", None)
    assert run("room", "list").output == "den  The den  (group, 200 participants at most)\n"
    assert json.loads(run("room", "list", "--search", "den", "--json").stdout) == made
    assert run("room", "create", "--name", "Again", "--room", "den").exit_code == 2
    assert run("room", "create", "--name", "x" * 65).exit_code == 2
    assert run("room", "delete", "den").exit_code == 0
    assert run("room", "list").output == ""
