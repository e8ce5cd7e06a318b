import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from signaling.cli import invite, room
from signaling.cli.main import app
from signaling.errors import BadSettings, Refusal
from signaling.settings.settings import Settings
from signaling.storage.room_record import RoomFields

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAGE = "https://talk.example"


@pytest.fixture
def settings(tmp_path):
    """The settings of a database with one room, the den."""
    one = Settings(data_dir=tmp_path)
    room.create(one, RoomFields(name="Den"), "den", NOW)
    return one


def rows(settings, question):
    with sqlite3.connect(settings.data_dir / "parley.db") as connection:
        return connection.execute(question).fetchall()


def test_invites_are_made_listed_and_withdrawn(settings):
    request = invite.request_of(role="moderator", max_uses=3, expires_in=3600, invitee=None)
    made = invite.create(settings, "den", request, PAGE, NOW)
    assert made.link == f"{PAGE}/#invite={made.token}"
    assert (made.role, made.max_uses, made.created_by) == ("moderator", 3, "cli")
    assert made.expires_at == NOW + timedelta(hours=1)
    (listed,) = invite.listing(settings, "den", NOW)
    assert made.token not in listed.model_dump_json()
    assert listed.state == "open"
    assert invite.listing(settings, "den", NOW + timedelta(hours=1))[0].state == "expired"
    assert invite.revoke(settings, "den", made.id, NOW).state == "revoked"
    acts = rows(settings, "SELECT action, actor, target, room_id FROM moderation_events ORDER BY id")
    assert sorted(acts) == [(f"invite.{verb}", "cli", f"invite:{made.id}", "den") for verb in ("create", "revoke")]


def test_what_is_not_chosen_is_as_over_http():
    request = invite.request_of(role=None, max_uses=None, expires_in=None, invitee=None)
    assert (request.role, request.max_uses, request.expires_in, request.invitee) == ("member", 1, 86_400, None)


def test_all_pages_are_listed(settings, monkeypatch):
    monkeypatch.setattr(invite, "MOST", 1)
    for _ in range(3):
        invite.create(settings, "den", invite.request_of(), PAGE, NOW)
    assert len(invite.listing(settings, "den", NOW)) == 3


@pytest.mark.parametrize(
    ("chosen", "flag"),
    [
        ({"role": "operator"}, "--role"),
        ({"max_uses": 0}, "--uses"),
        ({"expires_in": 10**9}, "--ttl"),
        ({"invitee": "\n"}, "--for"),
    ],
)
def test_what_makes_no_sense_names_its_flag(chosen, flag):
    with pytest.raises(BadSettings, match=flag):
        invite.request_of(**chosen)


def test_a_room_or_an_invite_that_is_not_there_is_a_refusal(settings):
    for doing in (
        lambda: invite.create(settings, "nowhere", invite.request_of(), PAGE, NOW),
        lambda: invite.listing(settings, "nowhere", NOW),
        lambda: invite.revoke(settings, "den", "x", NOW),
    ):
        with pytest.raises(Refusal, match="there is no such") as caught:
            doing()
        assert caught.value.exit_code == 2


def test_a_link_opens_the_page_that_was_named(settings, tmp_path):
    assert invite.page_of(settings, None) == "http://localhost:8080"
    assert invite.page_of(Settings(server_url="https://a.example"), None) == "https://a.example"
    assert invite.page_of(Settings(server_url="https://a.example"), "https://b.example") == "https://b.example"


@pytest.fixture
def run(tmp_path):
    """`run("create", ...)`: what a command says of the den, a room in a database of its own."""
    room.create(Settings(data_dir=tmp_path), RoomFields(name="Den"), "den", datetime.now(UTC))

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
