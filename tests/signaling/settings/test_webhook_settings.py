import pytest

from signaling.refusals import BadSettings
from signaling.settings.settings import load_settings
from signaling.settings.webhook_settings import SHORTEST_DAYS, check_static
from signaling.webhooks.lanes import GIVE_UP
from signaling.webhooks.signing import new_secret
from tests.signaling.storage.samples import seeded

SECRET = new_secret(seeded(9))
URL = "https://example.org/hook"


def test_events_are_kept_for_longer_than_they_are_tried():
    assert GIVE_UP.days < SHORTEST_DAYS


def test_none_and_a_whole_one_are_fine():
    check_static("", "", allow_private=False)
    check_static(URL, SECRET, allow_private=False)
    check_static("http://127.0.0.1:9/", SECRET, allow_private=True)


@pytest.mark.parametrize(
    ("url", "secret", "said"),
    [
        (URL, "", "webhook_secret is missing"),
        ("", SECRET, "webhook_url is missing"),
        ("http://example.org", SECRET, "webhook_url = "),
        ("https://127.0.0.1", SECRET, "webhook_url = "),
        (URL, "hunter2", "webhook_secret = "),
    ],
)
def test_what_cannot_work_is_refused_at_start(url, secret, said):
    with pytest.raises(BadSettings, match=said) as caught:
        check_static(url, secret, allow_private=False)
    assert "hunter2" not in str(caught.value)
    environment = {"PARLEY_DEV": "1", "PARLEY_WEBHOOK_URL": url, "PARLEY_WEBHOOK_SECRET": secret}
    with pytest.raises(BadSettings):
        load_settings(environment=environment)


def test_the_secret_is_masked():
    environment = {"PARLEY_DEV": "1", "PARLEY_WEBHOOK_URL": URL, "PARLEY_WEBHOOK_SECRET": SECRET}
    assert load_settings(environment=environment).masked()["webhook_secret"] == "(set)"
