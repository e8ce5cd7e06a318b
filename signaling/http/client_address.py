"""The client's address of a request, behind trusted proxies. Pure: peer address, headers and trusted networks in;
address and scheme out.

A forwarding header is believed only when a trusted proxy sent it, and of its addresses only what stands right of the
first untrusted one: everything left of that was written by the client. Where both kinds of header are present and
disagree, one of them came from the client, so neither is believed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from signaling.settings.types import Network

_FORWARDED_PAIR = re.compile(r'\s*(\w+)\s*=\s*(?:"([^"]*)"|([^;,\s]*))\s*')
_MOST_HOPS = 32
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto")

_Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Client:
    """The client of a request. `peer` is the connection's peer, `address` the client behind trusted proxies."""

    peer: str
    address: str
    secure: bool
    forwarded: bool
    """A forwarding header came along, believed or not: the peer is a proxy, and the client is not on this machine."""

    @property
    def on_this_machine(self) -> bool:
        """The client itself is on loopback, with no proxy between."""
        parsed = _parse(self.peer)
        return parsed is not None and parsed.is_loopback and not self.forwarded

    def within(self, networks: Sequence[Network]) -> bool:
        """The client is in one of the networks; never true for one behind a proxy that is not trusted."""
        parsed = _parse(self.address)
        if parsed is None or (self.forwarded and self.address == self.peer):
            return False
        return _inside(parsed, networks)


def client_of(peer: str, headers: Mapping[str, str], trusted: Sequence[Network], *, tls: bool) -> Client:
    """The client of one request. `tls` says that the connection itself is HTTPS."""
    forwarded = any(name in headers for name in FORWARDING_HEADERS)
    from_proxy = _parse(peer)
    if not forwarded or from_proxy is None or not _inside(from_proxy, trusted):
        return Client(peer, peer, tls, forwarded)
    standard = _forwarded(headers.get("Forwarded", ""), trusted)
    common = _x_forwarded(headers.get("X-Forwarded-For", ""), trusted)
    if standard and common and standard[0] != common[0]:
        return Client(peer, peer, tls, forwarded)
    address, scheme = standard or common or ("", "")
    scheme = headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower() or scheme
    return Client(peer, address or peer, tls or scheme in ("https", "wss"), forwarded)


def _x_forwarded(header: str, trusted: Sequence[Network]) -> tuple[str, str] | None:
    hops = header.split(",")[-_MOST_HOPS:] if header else []
    found = _first_untrusted(hops, trusted)
    return (hops and found and (found[1], "")) or None


def _forwarded(header: str, trusted: Sequence[Network]) -> tuple[str, str] | None:
    """RFC 7239: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`."""
    elements = [
        {name.lower(): quoted or plain for name, quoted, plain in _FORWARDED_PAIR.findall(element)}
        for element in header.split(",")[-_MOST_HOPS:]
        if element.strip()
    ]
    found = _first_untrusted([element.get("for", "") for element in elements], trusted)
    return (found[1], elements[found[0]].get("proto", "").lower()) if found else None


def _first_untrusted(hops: Sequence[str], trusted: Sequence[Network]) -> tuple[int, str] | None:
    """Index and address of the right-most hop that is no trusted proxy; what cannot be read ends the search."""
    last: tuple[int, str] | None = None
    for index in range(len(hops) - 1, -1, -1):
        parsed = _parse(hops[index].strip())
        if parsed is None:
            break
        last = (index, str(parsed))
        if not _inside(parsed, trusted):
            break
    return last


def _parse(text: str) -> _Address | None:
    """An address with or without brackets and port."""
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        parsed = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _inside(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
