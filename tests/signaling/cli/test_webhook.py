import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from signaling.cli import room, webhook
from signaling.cli.webhook import WebhookOrder, webhook_app
from signaling.errors import Refusal
from signaling.settings.settings import Settings
from signaling.storage.room_record import RoomFields
from signaling.storage.webhook_record import WebhookFields
from tests.signaling.webhooks.receiver import receiver_thread

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def order(url, secret=None, **more):
    return WebhookOrder(WebhookFields(url=url, **more), secret)


def test_webhooks_are_made_listed_and_deleted(tmp_path):
    settings = Settings(data_dir=tmp_path, webhook_allow_private=True)
    made = webhook.create(settings, order("http://127.0.0.1:9/hook", events=("room.*",)), NOW)
    assert made.secret.startswith("whsec_")
    (listed,) = webhook.listing(settings)
    assert listed.as_text() == f"{made.id}  http://127.0.0.1:9/hook  (room.*; enabled)"
    assert made.secret not in listed.model_dump_json()
    room.create(settings, RoomFields(name="Den"), "den", NOW)
    assert webhook.replay(settings, made.id, 0, NOW).id == made.id
    assert webhook.delete(settings, made.id).id == made.id
    assert webhook.listing(settings) == []


def test_a_test_says_what_came_of_it(tmp_path):
    settings = Settings(data_dir=tmp_path, webhook_allow_private=True)
    with receiver_thread() as receiver:
        made = webhook.create(settings, order(receiver.url), NOW)
        answer = webhook.test(settings, made.id, NOW)
        assert (answer.result, answer.status, answer.as_text()) == ("delivered", 204, "delivered: status 204")
        assert [one.headers["webhook-id"] for one in receiver.requests] == [answer.id]
    answer = webhook.test(settings, made.id, NOW)
    assert answer.result == "failed"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "http://192.0.2.1/"])
def test_a_target_that_may_not_be_one_is_a_refusal(tmp_path, url):
    with pytest.raises(Refusal, match="url: ") as caught:
        webhook.create(Settings(data_dir=tmp_path), order(url), NOW)
    assert caught.value.exit_code == 2


def test_an_unknown_one_is_a_refusal(tmp_path):
    settings = Settings(data_dir=tmp_path)
    for ask in (
        lambda: webhook.delete(settings, "none"),
        lambda: webhook.test(settings, "none", NOW),
        lambda: webhook.replay(settings, "none", 0, NOW),
    ):
        with pytest.raises(Refusal, match="no such webhook"):
            ask()


ALLOWED = ("--set", "webhook-allow-private=true")


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No setting of this process reaches a command, and each test has a folder of its own."""
    for name in ("PARLEY_DATA_DIR", "DATABASE_URL", "PARLEY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(webhook_app, [*arguments, *ALLOWED])


def test_webhooks_are_made_listed_and_deleted_of_webhook_cli():
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
