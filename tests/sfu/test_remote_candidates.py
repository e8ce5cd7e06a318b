"""By which kind of candidate a client is reached (RFC 8445 sections 5.1.3 and 7.3.1.3)."""

import pytest

from sfu.offer import MAX_CANDIDATES
from sfu.remote_candidates import RemoteCandidates
from sfu.sdp import parse_candidate


def named(*texts: str) -> RemoteCandidates:
    known = RemoteCandidates()
    for text in texts:
        known.learn(parse_candidate(text))
    return known


@pytest.mark.parametrize("kind", ["host", "srflx", "prflx", "relay"])
def test_an_address_that_was_named_has_the_type_that_was_named(kind: str) -> None:
    known = named(f"candidate:1 1 udp 100 192.0.2.7 5000 typ {kind} raddr 10.0.0.1 rport 9")
    assert known.type_of(("192.0.2.7", 5000)) == kind


@pytest.mark.parametrize("address", [("192.0.2.7", 5001), ("192.0.2.8", 5000)])
def test_an_address_that_nobody_named_is_peer_reflexive(address: tuple[str, int]) -> None:
    assert named("candidate:1 1 udp 100 192.0.2.7 5000 typ host").type_of(address) == "prflx"


def test_an_ipv6_address_is_the_same_however_it_is_spelled() -> None:
    known = named("candidate:1 1 udp 100 2001:DB8:0:0::0007 5000 typ host")
    assert known.type_of(("2001:db8::7", 5000, 0, 0)) == "host"


def test_of_two_candidates_for_an_address_the_higher_priority_counts() -> None:
    srflx, host = (
        f"candidate:1 1 udp {priority} 192.0.2.7 5000 typ {kind}" for kind, priority in (("srflx", 1), ("host", 2))
    )
    for order in ((srflx, host), (host, srflx)):
        assert named(*order).type_of(("192.0.2.7", 5000)) == "host"


def test_names_are_not_looked_up_and_tcp_is_not_udp() -> None:
    known = named(
        "candidate:1 1 udp 100 6b1c4f6e-0000-4000-8000-000000000000.local 5000 typ host",
        "candidate:1 1 udp 100 localhost 5000 typ host",
        "candidate:1 1 tcp 100 127.0.0.1 5000 typ host tcptype active",
    )
    assert known.type_of(("127.0.0.1", 5000)) == "prflx"


def test_no_more_than_thirty_are_kept() -> None:
    known = named(*(f"candidate:1 1 udp 100 192.0.2.7 {5000 + n} typ host" for n in range(1000)))
    assert known.type_of(("192.0.2.7", 5000 + MAX_CANDIDATES - 1)) == "host"
    assert known.type_of(("192.0.2.7", 5000 + MAX_CANDIDATES)) == "prflx"


def test_a_restart_forgets() -> None:
    known = named("candidate:1 1 udp 100 192.0.2.7 5000 typ host")
    known.forget()
    assert known.type_of(("192.0.2.7", 5000)) == "prflx"
