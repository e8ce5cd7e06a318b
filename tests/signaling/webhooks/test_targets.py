import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake
from signaling.webhooks.targets import check_url, host_and_port, is_public, refusal

CLOSED = (
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:808:808:0:0:80ff:fffe",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
)
OPEN = ("1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
SPELLINGS = (
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.0.0.0x1",
    "1.2.3.4.5",
    "256.1.1.1",
    "1.1.1",
)


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_of_the_open_internet_is_refused_unless_allowed(address):
    assert not is_public(address)
    for secure in (True, False):
        assert refusal(address, secure=secure, allow_private=False) is not None
        assert refusal(address, secure=secure, allow_private=True) is None
    host = f"[{address}]" if ":" in address else address
    for scheme in ("https", "http"):
        with pytest.raises(ClientMistake, match="url: "):
            check_url(f"{scheme}://{host}/", allow_private=False)
    if "%" not in address:
        assert check_url(f"https://{host}/", allow_private=True)


@pytest.mark.parametrize("address", OPEN)
def test_a_public_address_is_taken_by_https(address):
    assert is_public(address)
    assert refusal(address, secure=True, allow_private=False) is None
    assert refusal(address, secure=False, allow_private=True) == "plain http to a public address"
    host = f"[{address}]" if ":" in address else address
    assert check_url(f"https://{host}:8443/a?b", allow_private=False)


@pytest.mark.parametrize("host", SPELLINGS)
def test_an_address_in_an_unusual_spelling_is_refused(host):
    for allow_private in (False, True):
        with pytest.raises(ClientMistake, match="url: "):
            check_url(f"https://{host}/", allow_private=allow_private)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "https://",
        "https:///path",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org",
        "https://user@example.org/",
        "https://user:password@example.org/",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/#fragment",
        "https://exa mple.org/",
        "https://example.org/\r\nHost: a",
        "https://example.org:99999/",
        "https://example.org:0/",
        "https://[::1/",
        "https://ex\u00e4mple.org/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://-example.org/",
        "https://a..b/",
        f"https://{'a' * 64}.org/",
        f"https://example.org/{'a' * 2048}",
    ],
)
def test_what_is_no_target_is_refused(url):
    for allow_private in (False, True):
        with pytest.raises(ClientMistake) as caught:
            check_url(url, allow_private=allow_private)
        assert caught.value.code == "bad_message"


def test_plain_http_is_for_private_targets():
    with pytest.raises(ClientMistake, match="https"):
        check_url("http://hooks.internal/", allow_private=False)
    assert check_url("http://hooks.internal:8000/a", allow_private=True) == "http://hooks.internal:8000/a"
    assert check_url("https://hooks.example.org", allow_private=False)


def test_whom_to_look_up():
    assert host_and_port("https://Example.org/a") == ("example.org", 443)
    assert host_and_port("http://[::1]:81/") == ("::1", 81)
    assert host_and_port("http://a") == ("a", 80)


@given(st.text() | st.text().map("https://{}".format))
def test_any_text_is_a_target_or_a_mistake(text):
    with contextlib.suppress(ClientMistake):
        assert check_url(text, allow_private=True) == text
        host_and_port(text)


@given(st.ip_addresses())
def test_any_address_is_public_or_not(address):
    if address.is_private and getattr(address, "ipv4_mapped", None) is None:
        assert not is_public(str(address)) or str(address).startswith("64:ff9b:")
