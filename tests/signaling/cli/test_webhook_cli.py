import json

import pytest
from typer.testing import CliRunner

from signaling.cli.webhook_cli import webhook_app
from tests.signaling.webhooks.receiver import receiver_thread

ALLOWED = ("--set", "webhook-allow-private=true")


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No setting of this process reaches a command, and each test has a folder of its own."""
    for name in ("PARLEY_DATA_DIR", "DATABASE_URL", "PARLEY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(webhook_app, [*arguments, *ALLOWED])


def test_webhooks_are_made_listed_and_deleted():
    made = run("create", "--url", "http://127.0.0.1:9/", "--event", "room.*", "--event", "call.ended")
    line, secret = made.output.splitlines()
    assert (made.exit_code, secret[:6]) == (0, "whsec_")
    assert line.endswith("http://127.0.0.1:9/  (call.ended, room.*; enabled)")
    assert run("list").output == line + "\n"
    (told,) = map(json.loads, run("list", "--json").output.splitlines())
    assert "secret" not in told
    assert run("delete", told["id"]).output == line + "\n"
    assert run("list").output == ""


def test_a_given_secret_is_used():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = run("create", "--url", "http://127.0.0.1:9/", "--secret", secret, "--description", "Bot", "--json")
    assert (json.loads(made.output)["secret"], json.loads(made.output)["description"]) == (secret, "Bot")


def test_a_test_ends_with_1_where_it_does_not_get_through():
    with receiver_thread() as receiver:
        webhook = json.loads(run("create", "--url", receiver.url, "--json").output)["id"]
        tested = run("test", webhook)
        assert (tested.exit_code, tested.output) == (0, "delivered: status 204\n")
        receiver.answer = lambda _event: 500
        tested = run("test", webhook, "--json")
        assert (tested.exit_code, json.loads(tested.output)["status"]) == (1, 500)
    assert run("test", webhook).exit_code == 1


def test_a_replay_wants_a_position():
    webhook = json.loads(run("create", "--url", "http://127.0.0.1:9/", "--json").output)["id"]
    assert run("replay", webhook, "--after", "0").exit_code == 0
    assert run("replay", webhook).exit_code == 2
    assert run("replay", webhook, "--after", "-1").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("create", "--url", "https://user@example.org/"),
        ("create", "--url", "https://a.example", "--event", "zoo"),
        ("create", "--url", "https://a.example", "--secret", "hunter2"),
        ("delete", "none"),
        ("test", "none"),
        ("replay", "none", "--after", "1"),
    ],
)
def test_what_is_not_possible_is_said_in_three_parts(command):
    ended = run(*command)
    assert ended.exit_code == 2
    assert all(part in ended.stderr for part in ("Error: ", "Why: ", "Next: "))
    assert "hunter2" not in ended.output + ended.stderr
