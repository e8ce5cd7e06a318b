from datetime import UTC, datetime

import pytest

from signaling.cli.banner import DEV_TOKEN_LIFE, StartReport, dev_token, join_link, page_url, shown_host, start_report
from signaling.identity.tokens import Tokens
from tests.signaling.serving import SECRET, RememberingMedia, settings_for


def report(**changes):
    facts = {"url": "http://localhost:8080/", "http_port": 8080, "media_port": 7882, "advertised": ("10.0.0.1",)}
    return StartReport(**{**facts, "dev": False, **changes})


def test_for_people_it_says_where_to_go_and_what_is_open():
    text = report(warnings=("mind the gap",)).as_text()
    pages = ("http://localhost:8080/admin", "http://localhost:8080/docs")
    for part in (*pages, "TCP port 8080", "UDP port 7882", "10.0.0.1", "! mind the gap", "Ctrl-C"):
        assert part in text
    assert "parley token create" in text


def test_with_dev_there_is_a_link_and_a_token():
    text = report(dev=True, join_link="http://localhost:8080/#room=lobby", token="e.y.J").as_text()
    assert "#room=lobby" in text
    assert "e.y.J" in text
    assert "token create" not in text


def test_for_programs_it_is_one_object_without_empty_values():
    values = report(advertised=()).as_json()
    assert values["event"] == "started"
    assert values["http_port"] == 8080
    assert "token" not in values
    assert "nothing" in report(advertised=()).as_text()


@pytest.mark.parametrize(
    ("host", "port", "tls", "url"),
    [
        ("voice.example", 443, True, "https://voice.example/"),
        ("voice.example", 8443, True, "https://voice.example:8443/"),
        ("::1", 8080, False, "http://[::1]:8080/"),
        ("localhost", 80, False, "http://localhost/"),
    ],
)
def test_urls(host, port, tls, url):
    assert page_url(host, port, tls=tls) == url


def test_what_is_secret_stands_in_the_fragment():
    assert join_link("http://h/", "lobby", "T") == "http://h/#room=lobby&token=T"
    assert join_link("http://h/", "lobby") == "http://h/#room=lobby"


def test_the_shown_host():
    assert shown_host("", ("10.0.0.1",), loopback=True) == "localhost"
    assert shown_host("127.0.0.1", (), loopback=True) == "127.0.0.1"
    assert shown_host("voice.example", ("10.0.0.1",), loopback=False) == "voice.example"
    assert shown_host("0.0.0.0", ("10.0.0.1",), loopback=False) == "10.0.0.1"
    assert shown_host("", (), loopback=False) == "localhost"


NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_dev_has_a_link_to_the_room_and_a_token(tmp_path):
    report = start_report(settings_for(tmp_path, dev=True, host=""), RememberingMedia(), 8080, room="lobby", token="T")
    assert report.join_link == "http://localhost:8080/#room=lobby"
    assert report.token == "T"


def test_outside_dev_there_is_neither_and_the_proxy_is_mentioned(tmp_path):
    media = RememberingMedia()
    media.advertised = ("10.0.0.5",)
    report = start_report(settings_for(tmp_path, host="", trusted_proxies=["10.0.0.1"]), media, 8080, room="lobby")
    assert (report.url, report.join_link, report.token) == ("http://10.0.0.5:8080/", "", "")
    assert any("proxy" in warning for warning in report.warnings)


def test_the_token_of_the_terminal_lets_in_for_half_a_day():
    claims = Tokens(SECRET).verify(dev_token(Tokens(SECRET), "lobby", NOW), NOW)
    assert claims.grants.room == "lobby"
    assert claims.expires_at == NOW + DEV_TOKEN_LIFE
