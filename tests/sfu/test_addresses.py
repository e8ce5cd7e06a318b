from types import SimpleNamespace

import ifaddr
import pytest

from sfu.addresses import local_addresses, preferred, usable


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.168.1.5", True),
        ("203.0.113.9", True),
        ("2001:db8::1", True),
        ("fd00::7", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("169.254.10.1", False),
        ("fe80::1", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("0.0.0.0", False),
        ("::", False),
    ],
)
def test_a_client_can_reach_neither_link_local_nor_multicast_addresses(address, expected):
    assert usable(address, loopback=False) is expected


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_is_usable_where_it_is_asked_for(address):
    assert usable(address, loopback=True)


@pytest.mark.parametrize("address", ["169.254.10.1", "fe80::1", "0.0.0.0"])
def test_loopback_does_not_open_anything_else(address):
    assert not usable(address, loopback=True)


def test_the_first_candidate_is_a_reachable_ipv4_address():
    # RFC 8421 would interleave families; some clients use the first candidate only.
    addresses = ["::1", "127.0.0.1", "2606:4700::1", "10.0.0.5", "8.8.8.8", "fd00::7"]
    assert preferred(addresses) == ("8.8.8.8", "10.0.0.5", "2606:4700::1", "fd00::7", "127.0.0.1", "::1")


def test_an_address_is_named_once():
    assert preferred(["10.0.0.1", "10.0.0.2", "10.0.0.1"]) == ("10.0.0.1", "10.0.0.2")


def adapters(*addresses):
    # As ifaddr has them: text for IPv4, (text, flow, scope) for IPv6.
    entries = [SimpleNamespace(ip=(one, 0, 0) if ":" in one else one) for one in addresses]
    return lambda: [SimpleNamespace(ips=entries[:1]), SimpleNamespace(ips=entries[1:])]


def test_the_addresses_of_all_adapters_are_found(monkeypatch):
    monkeypatch.setattr(ifaddr, "get_adapters", adapters("127.0.0.1", "::1", "fe80::2", "2606:4700::1", "10.0.0.5"))
    assert local_addresses(loopback=False) == ("10.0.0.5", "2606:4700::1")
    assert local_addresses(loopback=True) == ("10.0.0.5", "2606:4700::1", "127.0.0.1", "::1")


def test_a_machine_may_have_no_usable_address(monkeypatch):
    monkeypatch.setattr(ifaddr, "get_adapters", adapters("127.0.0.1", "fe80::2"))
    assert local_addresses(loopback=False) == ()


def test_this_machine_has_a_loopback_address():
    assert "127.0.0.1" in local_addresses(loopback=True)
