from dataclasses import replace

import pytest

from signaling.errors import ClientMistake
from signaling.storage.webhook_record import (
    FROM_SETTINGS,
    WebhookFields,
    check_webhook,
    may_be_id,
    named,
    refuse_from_settings,
    with_secret,
)
from signaling.webhooks.signing import new_secret
from tests.signaling.storage.samples import seeded

FIELDS = WebhookFields(url="https://example.org/hook")


@pytest.mark.parametrize(
    "wrong",
    [{"url": ""}, {"url": "x" * 2049}, {"description": "x" * 1001}, {"description": "\0"}, {"events": ("zoo",)}],
)
def test_what_cannot_be_kept_is_refused(wrong):
    check_webhook(FIELDS)
    with pytest.raises(ClientMistake) as caught:
        check_webhook(replace(FIELDS, **wrong))
    assert caught.value.code == "bad_message"


def test_who_disables_it_is_its_reason():
    assert named({"enabled": False}) == {"enabled": False, "disabled_reason": "operator"}
    assert named({"enabled": True}) == {"enabled": True, "disabled_reason": None}
    assert named({"events": ["room.*", "room.*"]}) == {"events": ("room.*",)}


def test_only_what_is_chosen_changes():
    with pytest.raises(ClientMistake, match="position"):
        named({"position": 0})


def test_a_new_secret_comes_first_and_a_fourth_one_ends_the_oldest():
    random = seeded()
    secrets = [new_secret(random) for _ in range(4)]
    kept = ()
    for secret in secrets:
        kept = with_secret(kept, secret)
    assert kept == (secrets[3], secrets[2], secrets[1])
    assert with_secret(kept, secrets[2]) == (secrets[2], secrets[3], secrets[1])
    with pytest.raises(ClientMistake):
        with_secret((), "hunter2")


def test_an_id_is_one_that_can_be_kept():
    assert may_be_id(FROM_SETTINGS)
    assert not any(map(may_be_id, ("", "\0", "a b", "x" * 65, "a\n")))


def test_the_webhook_of_the_settings_is_changed_there():
    with pytest.raises(ClientMistake) as caught:
        refuse_from_settings(FROM_SETTINGS)
    assert caught.value.code == "forbidden"
    refuse_from_settings("another")
