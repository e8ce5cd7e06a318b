"""Hosts and origins: checks a Host header, and which pages may connect. Pure."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?")


_PORTS = {"http": 80, "https": 443}


def is_valid_host(host: str) -> bool:
    """`host` is a Host header that can stand in an answer (a policy, a link) as it is."""
    return _HOST.fullmatch(host) is not None


def is_loopback_host(host: str) -> bool:
    """`host` (a Host header) names this machine without asking DNS: localhost, 127.0.0.0/8, [::1]."""
    found = _HOST.fullmatch(host)
    if not found:
        return False
    name = found["name"].lower().strip("[]")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def is_own_origin(origin: str, host: str) -> bool:
    """The page comes from the server itself: Origin and Host name the same host and port.

    Schemes are not compared: behind a proxy that ends HTTPS only Host is known for certain.
    """
    parts = urlsplit(origin.lower())
    found = _HOST.fullmatch(host.lower())
    if not found or parts.scheme not in _PORTS or parts.path or parts.query or parts.fragment:
        return False
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError:
        return False
    own_port = int(found["port"]) if found["port"] else _PORTS[parts.scheme]
    return parts.hostname == found["name"].strip("[]") and port == own_port


def may_connect(origin: str | None, host: str, allowed: Collection[str], *, has_token: bool) -> bool:
    """May this WebSocket handshake go on? Without Origin it is no browser, and must bring its token along."""
    if origin is None:
        return has_token
    return origin.lower() in allowed or is_own_origin(origin, host)
