"""Allowed URLs and addresses of webhooks. Pure.

The check of the URL tells an operator early. What protects the network behind the server is the check of the address
that is about to be connected to, at each connection: a name may resolve to something else every time.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from signaling.errors import ClientMistake
from signaling.storage import words

_PRINTABLE = re.compile(r"[!-\[\]-~]+")
"""ASCII without spaces and backslashes, which readers of URLs take in different ways."""
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that is assigned of the IPv6 internet."""


def check_url(url: str, *, allow_private: bool) -> str:
    """The URL itself, if webhooks may be sent there. Raises ClientMistake (`bad_message`).

    https only, unless private targets are allowed: then http too. Refuses a literal address that is not public, and
    always one that is written in an unusual way (decimal, octal, hexadecimal, shortened).
    """
    parts, host = _parts(url)
    if parts.scheme not in ("https", "http"):
        raise _refused("https://host/path")
    if parts.scheme == "http" and not allow_private:
        raise _refused("https, unless webhook_allow_private is set")
    literal = _literal(host)
    if literal is None and not _NAME.fullmatch(host):
        raise _refused("a name or an address as its host")
    if literal is None and _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise _refused("an address as four decimal numbers, like 192.0.2.1")
    if literal is not None and not allow_private and not is_public(host):
        raise _refused("a public address, unless webhook_allow_private is set")
    return url


def host_and_port(url: str) -> tuple[str, int]:
    """Whom to look up. Raises ClientMistake (`bad_message`)."""
    parts, host = _parts(url)
    return host, parts.port or (443 if parts.scheme == "https" else 80)


def refusal(address: str, *, secure: bool, allow_private: bool) -> str | None:
    """Why this address may not be connected to, by https (`secure`) or http; None where it may.

    http is accepted for private addresses only, and those only if the operator allows them.
    """
    if is_public(address):
        return None if secure else "plain http to a public address"
    return None if allow_private else "the address is not public: see webhook_allow_private"


def is_public(address: str) -> bool:
    """Whether an address, as text, is one of the open internet: neither private, loopback, link-local, shared,
    multicast nor reserved, nor an IPv6 address that leads to such an IPv4 one (mapped, NAT64, 6to4, Teredo).
    """
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is not None:
            return is_public(str(inner))
        if found not in _UNICAST:
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end at."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _parts(url: str) -> tuple[SplitResult, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("https://host/path") from None
    if len(url) > words.URL_LENGTH or not _PRINTABLE.fullmatch(url):
        raise _refused(f"at most {words.URL_LENGTH} characters of ASCII without spaces and backslashes")
    if not host or port == 0:
        raise _refused("https://host/path")
    if "@" in parts.netloc or "#" in url:
        raise _refused("no user name, password or fragment")
    return parts, host


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _refused(wanted: str) -> ClientMistake:
    return ClientMistake("bad_message", f"url: {wanted}")
