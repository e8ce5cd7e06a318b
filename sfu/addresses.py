"""The machine's own addresses: which are bound, and in which order an answer names them."""

import ipaddress
from collections.abc import Iterable

import ifaddr

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def local_addresses(*, loopback: bool) -> tuple[str, ...]:
    """Every address of this machine that a client may reach, in the order of `preferred`."""
    entries = [entry.ip for adapter in ifaddr.get_adapters() for entry in adapter.ips]
    found = [address if isinstance(address, str) else address[0] for address in entries]
    return preferred(address for address in found if usable(address, loopback=loopback))


def usable(address: str, *, loopback: bool) -> bool:
    """Whether a media socket can serve this address: neither link-local nor multicast, loopback only if asked for."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
        return False
    return loopback or not parsed.is_loopback


def preferred(addresses: Iterable[str]) -> tuple[str, ...]:
    """The order of candidates: IPv4 before IPv6, as some clients use only the first; loopback last; no repeats."""

    def place(address: str) -> tuple[bool, bool, bool]:
        parsed = ipaddress.ip_address(address)
        return parsed.is_loopback, parsed.version == 6, not parsed.is_global

    return tuple(sorted(dict.fromkeys(addresses), key=place))
