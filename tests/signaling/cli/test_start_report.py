from datetime import UTC, datetime

from signaling.cli.start_report import DEV_TOKEN_LIFE, dev_token, start_report
from signaling.identity.tokens import Tokens
from tests.signaling.serving import SECRET, RememberingMedia, settings_for

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
