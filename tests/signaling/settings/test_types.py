import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import BadSettings
from signaling.settings.settings import load_settings
from signaling.settings.types import (
    SHORTEST_DAYS,
    check_address,
    check_database_url,
    check_network,
    check_origin,
    check_public_address,
    check_static,
    check_stun_server,
    parse_duration,
    split_list,
)
from signaling.webhooks.lanes import GIVE_UP
from signaling.webhooks.signing import new_secret
from tests.signaling.storage.samples import seeded


def test_lists_are_written_with_commas_or_as_lists():
    assert split_list("a, b,,") == ("a", "b")
    assert split_list(["a"]) == ("a",)
    assert split_list("") == ()
    assert split_list(5) == 5


@pytest.mark.parametrize(
    ("text", "seconds"), [("10", 10), ("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), (" 1.5 ", 1.5), (3, 3)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10 parsecs", "s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_addresses_are_shortened_and_names_refused():
    assert check_address(" [2001:DB8:0::1] ") == "2001:db8::1"
    with pytest.raises(ValueError, match="not an IP address"):
        check_address("localhost")
    assert check_public_address("Auto") == "auto"
    assert check_public_address("") == ""


def test_a_single_address_is_a_network_of_one():
    assert str(check_network("10.1.2.3")) == "10.1.2.3/32"
    assert str(check_network("10.1.2.3/8")) == "10.0.0.0/8"


@pytest.mark.parametrize("text", ["https://example.org", "http://localhost:3000", "https://[::1]:8443"])
def test_origins(text):
    assert check_origin(text.upper() + "/") == text


@pytest.mark.parametrize("text", ["*", "example.org", "https://example.org/path", "ftp://x", "https://me@x", "null"])
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(ValueError, match="origin"):
        check_origin(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("stun.example.org", "stun:stun.example.org:3478"),
        ("stun:192.0.2.1:19302", "stun:192.0.2.1:19302"),
        ("[2001:db8::1]:3479", "stun:[2001:db8::1]:3479"),
    ],
)
def test_stun_servers(text, url):
    assert check_stun_server(text) == url


@pytest.mark.parametrize("text", ["turn:x:1", "x:99999", "", "a b"])
def test_what_is_no_stun_server_is_refused(text):
    with pytest.raises(ValueError, match="STUN"):
        check_stun_server(text)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:///parley.db",
        "sqlite:////var/lib/parley.db",
        "postgresql://ana:s%40crt@db:5433/parley?sslmode=require",
        "postgres://db/parley",
        "postgresql:///parley?host=/run/postgresql",
    ],
)
def test_databases(url):
    assert check_database_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "x",
        "mysql://ana:hunter2@db/parley",
        "sqlite:parley.db",
        "sqlite://",
        "sqlite://host/parley.db",
        "postgresql://hunter2@db",
        "postgresql://db:0/x",
        "postgresql://db:99999/hunter2",
        "postgresql://[hunter2/x",
    ],
)
def test_what_is_no_database_is_refused_and_not_repeated(url):
    with pytest.raises(ValueError, match=r"database|URL") as caught:
        check_database_url(url)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=50))
def test_any_text_is_a_value_or_a_value_error(text):
    for check in (parse_duration, check_address, check_network, check_origin, check_stun_server, check_database_url):
        try:
            check(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


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
