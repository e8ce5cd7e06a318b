import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.http.origin import is_loopback_host, is_own_origin, is_valid_host, may_connect


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.8.8.8", "[::1]:80", "a.localhost"])
def test_names_of_this_machine(host):
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::1", "notlocalhost"]
)
def test_other_names_are_not_however_they_resolve(host):
    assert not is_loopback_host(host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://voice.example.org", "voice.example.org"),
        ("https://voice.example.org", "voice.example.org:443"),
        ("http://localhost:8080", "localhost:8080"),
        ("https://Voice.example.org:8443", "voice.example.org:8443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_own_origins(origin, host):
    assert is_own_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "voice.example.org"),
        ("https://voice.example.org:444", "voice.example.org"),
        ("https://voice.example.org.evil.example", "voice.example.org"),
        ("null", "voice.example.org"),
        ("https://voice.example.org/x", "voice.example.org"),
        ("ftp://voice.example.org", "voice.example.org"),
        ("https://voice.example.org:x", "voice.example.org"),
        ("https://a", "a b"),
    ],
)
def test_other_origins(origin, host):
    assert not is_own_origin(origin, host)


def test_a_browser_may_connect_from_our_page_and_from_allowed_ones():
    allowed = ("https://game.example",)
    assert may_connect("https://v.example", "v.example", (), has_token=False)
    assert may_connect("https://GAME.example", "v.example", allowed, has_token=False)
    assert not may_connect("https://evil.example", "v.example", allowed, has_token=True)


def test_without_origin_the_token_must_come_along():
    assert may_connect(None, "v.example", (), has_token=True)
    assert not may_connect(None, "v.example", (), has_token=False)


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_text_raises(origin, host):
    is_own_origin(origin, host)
    is_loopback_host(host)
    if is_valid_host(host):
        assert not set(host) & set(" ;,'\"\r\n")
