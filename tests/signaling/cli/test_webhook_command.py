from datetime import UTC, datetime

import pytest

from signaling.cli import room_command, webhook_command
from signaling.cli.webhook_command import WebhookOrder
from signaling.refusals import Refusal
from signaling.settings.settings import Settings
from signaling.storage.room_record import RoomFields
from signaling.storage.webhook_record import WebhookFields
from tests.signaling.webhooks.receiver import receiver_thread

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def order(url, secret=None, **more):
    return WebhookOrder(WebhookFields(url=url, **more), secret)


def test_webhooks_are_made_listed_and_deleted(tmp_path):
    settings = Settings(data_dir=tmp_path, webhook_allow_private=True)
    made = webhook_command.create(settings, order("http://127.0.0.1:9/hook", events=("room.*",)), NOW)
    assert made.secret.startswith("whsec_")
    (listed,) = webhook_command.listing(settings)
    assert listed.as_text() == f"{made.id}  http://127.0.0.1:9/hook  (room.*; enabled)"
    assert made.secret not in listed.model_dump_json()
    room_command.create(settings, RoomFields(name="Den"), "den", NOW)
    assert webhook_command.replay(settings, made.id, 0, NOW).id == made.id
    assert webhook_command.delete(settings, made.id).id == made.id
    assert webhook_command.listing(settings) == []


def test_a_test_says_what_came_of_it(tmp_path):
    settings = Settings(data_dir=tmp_path, webhook_allow_private=True)
    with receiver_thread() as receiver:
        made = webhook_command.create(settings, order(receiver.url), NOW)
        answer = webhook_command.test(settings, made.id, NOW)
        assert (answer.result, answer.status, answer.as_text()) == ("delivered", 204, "delivered: status 204")
        assert [one.headers["webhook-id"] for one in receiver.requests] == [answer.id]
    answer = webhook_command.test(settings, made.id, NOW)
    assert answer.result == "failed"


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://localhost/", "http://192.0.2.1/"])
def test_a_target_that_may_not_be_one_is_a_refusal(tmp_path, url):
    with pytest.raises(Refusal, match="url: ") as caught:
        webhook_command.create(Settings(data_dir=tmp_path), order(url), NOW)
    assert caught.value.exit_code == 2


def test_an_unknown_one_is_a_refusal(tmp_path):
    settings = Settings(data_dir=tmp_path)
    for ask in (
        lambda: webhook_command.delete(settings, "none"),
        lambda: webhook_command.test(settings, "none", NOW),
        lambda: webhook_command.replay(settings, "none", 0, NOW),
    ):
        with pytest.raises(Refusal, match="no such webhook"):
            ask()
