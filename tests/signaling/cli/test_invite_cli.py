import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from signaling.cli import room_command
from signaling.cli.main import app
from signaling.settings.settings import Settings
from signaling.storage.room_record import RoomFields


@pytest.fixture
def run(tmp_path):
    """`run("create", ...)`: what a command says of the den, a room in a database of its own."""
    room_command.create(Settings(data_dir=tmp_path), RoomFields(name="Den"), "den", datetime.now(UTC))

    def one(command, *flags, code=0):
        result = CliRunner().invoke(app, ["invite", command, "--room", "den", "--data-dir", str(tmp_path), *flags])
        assert result.exit_code == code, result.output
        return result.output

    return one


def test_a_link_is_made_once_seen_and_withdrawn(run):
    link = run("create", "--url", "https://talk.example", "--uses", "5", "--ttl", "2h").strip()
    page, _, token = link.partition("/#invite=")
    assert page == "https://talk.example"
    assert len(token) >= 22
    listed = run("list")
    assert "open  member  0/5" in listed
    assert token not in listed
    which = listed.split()[0]
    assert "revoked" in run("revoke", which)
    assert "Next:" in run("revoke", which, code=2)


def test_it_is_said_as_json_too(run):
    made = json.loads(run("create", "--role", "moderator", "--for", "ben", "--json"))
    assert (made["role"], made["invitee"], made["max_uses"], made["state"]) == ("moderator", "ben", 1, "open")
    assert made["link"].endswith(f"/#invite={made['token']}")
    (listed,) = [json.loads(line) for line in run("list", "--json").splitlines()]
    assert listed["id"] == made["id"]
    assert json.loads(run("revoke", made["id"], "--json"))["state"] == "revoked"


@pytest.mark.parametrize("flags", [("--role", "king"), ("--uses", "0"), ("--ttl", "31d"), ("--ttl", "soon")])
def test_what_makes_no_sense_is_refused(run, flags):
    assert flags[0] in run("create", *flags, code=2)
