from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.http.client_address import client_of

PROXIES = (ip_network("10.0.0.0/8"), ip_network("::1/128"))


def address(peer, tls=False, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client_of(peer, names, PROXIES, tls=tls)


def test_without_headers_the_peer_is_the_client():
    client = address("203.0.113.9", tls=True)
    assert (client.address, client.secure, client.forwarded) == ("203.0.113.9", True, False)


def test_headers_of_a_stranger_are_not_believed():
    client = address("203.0.113.9", X_Forwarded_For="1.2.3.4", X_Forwarded_Proto="https")
    assert (client.address, client.secure, client.forwarded) == ("203.0.113.9", False, True)


def test_a_trusted_proxy_is_believed():
    client = address("10.0.0.1", X_Forwarded_For="198.51.100.7", X_Forwarded_Proto="https")
    assert (client.address, client.secure) == ("198.51.100.7", True)


def test_what_the_client_wrote_itself_is_skipped():
    assert address("10.0.0.1", X_Forwarded_For="1.1.1.1, 198.51.100.7, 10.0.0.2").address == "198.51.100.7"
    assert address("10.0.0.1", X_Forwarded_For="10.9.9.9, 10.0.0.2").address == "10.9.9.9"
    assert address("10.0.0.1", X_Forwarded_For="garbage, 10.0.0.2").address == "10.0.0.2"
    assert address("10.0.0.1", X_Forwarded_For="garbage").address == "10.0.0.1"


def test_rfc_7239_forwarded():
    client = address("10.0.0.1", Forwarded='for="[2001:db8::7]:4711";proto=https')
    assert (client.address, client.secure) == ("2001:db8::7", True)
    assert address("10.0.0.1", Forwarded="for=1.1.1.1, for=198.51.100.7:80;by=x").address == "198.51.100.7"
    assert address("10.0.0.1", Forwarded="for=unknown").address == "10.0.0.1"


def test_two_kinds_of_header_that_disagree_are_both_not_believed():
    headers = {"Forwarded": "for=1.1.1.1;proto=https", "X_Forwarded_For": "198.51.100.7"}
    client = address("10.0.0.1", **headers)
    assert (client.address, client.secure) == ("10.0.0.1", False)
    assert address("10.0.0.1", Forwarded="for=2.2.2.2", X_Forwarded_For="2.2.2.2").address == "2.2.2.2"


def test_mapped_addresses_are_ipv4():
    assert address("::ffff:10.0.0.1", X_Forwarded_For="198.51.100.7").address == "198.51.100.7"


def test_loopback_counts_as_this_machine_only_without_a_proxy_between():
    assert address("127.0.0.1").on_this_machine
    assert not address("127.0.0.1", X_Forwarded_For="127.0.0.1").on_this_machine
    assert not address("::1", Forwarded="for=127.0.0.1").on_this_machine
    assert not address("192.0.2.1").on_this_machine
    assert not address("").on_this_machine


def test_networks_never_hold_for_a_client_behind_an_untrusted_proxy():
    inside = (ip_network("127.0.0.0/8"), ip_network("198.51.100.0/24"))
    assert address("127.0.0.1").within(inside)
    assert not address("127.0.0.1", X_Forwarded_For="8.8.8.8").within(inside)
    assert address("10.0.0.1", X_Forwarded_For="198.51.100.7").within(inside)
    assert not address("").within(inside)


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=50))
def test_no_header_raises(forwarded, common, peer):
    address(peer, Forwarded=forwarded, X_Forwarded_For=common)
    client = address("10.0.0.1", Forwarded=forwarded, X_Forwarded_For=common)
    assert client.address


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded"])
def test_a_very_long_chain_is_cut(header):
    hop = "for=10.0.0.2" if header == "Forwarded" else "10.0.0.2"
    assert address("10.0.0.1", **{header: ",".join([hop] * 5000)}).address == "10.0.0.2"
