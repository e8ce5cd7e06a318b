"""Types of settings: lists, durations, addresses, networks, origins, STUN servers.

Each accepts what people write in a variable (`a, b`) as well as what YAML gives (a list). Raises ValueError only.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from signaling.errors import BadSettings, ClientMistake
from signaling.webhooks.signing import parse_secret
from signaling.webhooks.targets import check_url

Network = IPv4Network | IPv6Network

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_STUN = re.compile(r"(?:stun:)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]{1,253})(?::(?P<port>\d{1,5}))?")
STUN_PORT = 3478


def split_list(value: Any) -> Any:
    """`a, b` and `["a", "b"]` are the same list; a single value is a list of one."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, list | tuple):
        return tuple(value)
    return value


def parse_duration(value: Any) -> Any:
    """Seconds: `10`, `10s`, `1m30s`, `500ms`."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    found = _DURATION.fullmatch(text)
    if text and found:
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
        return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    try:
        return float(text)
    except ValueError:
        raise ValueError("write a duration as a number of seconds, or like 10s, 1m30s, 500ms") from None


def check_address(value: str) -> str:
    """An IP address as text, in its short form."""
    try:
        return str(ip_address(value.strip().strip("[]")))
    except ValueError:
        raise ValueError("this is not an IP address; the server does not resolve names here") from None


def check_public_address(value: str) -> str:
    """An IP address, `auto`, or nothing."""
    text = value.strip().lower()
    return text if text in ("", "auto") else check_address(text)


def check_network(value: Any) -> Network:
    """A network like 10.0.0.0/8; a single address is a network of one."""
    try:
        return ip_network(str(value).strip(), strict=False)
    except ValueError:
        raise ValueError("this is not a network; write one like 10.0.0.0/8 or fd00::/8") from None


def check_origin(value: str) -> str:
    """A web origin as browsers send it, `https://example.org` or with a port. `*` is refused: it lets any site in."""
    text = value.strip().rstrip("/").lower()
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(
            "write an origin like https://example.org or https://example.org:8443, without a path; * is not allowed"
        )
    if "@" in parts.netloc:
        raise ValueError("an origin must not contain a user name")
    return text


def check_database_url(value: str) -> str:
    """`postgresql://user:password@host:port/name` with or without `?sslmode=`, `sqlite:///path`, or nothing.

    The message never repeats the value, as it may hold a password.
    """
    if not value:
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("this is not a URL with a host and a port") from None
    if parts.scheme == "sqlite":
        if not value.startswith("sqlite:///") or len(parts.path) < 2 or parts.query or parts.fragment:
            raise ValueError("write a SQLite database like sqlite:///parley.db or sqlite:////var/lib/parley/parley.db")
    elif parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("write a database like postgresql://user:password@host/name or sqlite:///path")
    elif len(parts.path) < 2 or port == 0:
        raise ValueError("the name of the database is missing: postgresql://user:password@host/name")
    return value


def check_stun_server(value: str) -> str:
    """`stun:host:port`, `host:port` or `host`, given back as `stun:host:port`."""
    found = _STUN.fullmatch(value.strip())
    port = int(found["port"] or STUN_PORT) if found else 0
    if not found or not 0 < port < 65536:
        raise ValueError("write a STUN server like stun:stun.example.org:3478")
    return f"stun:{found['host']}:{port}"


def check_public_key(value: str) -> str:
    """A PEM file, as `path` or `kid=path`."""
    kid, sign, path = value.rpartition("=")
    if not path or (sign and not kid):
        raise ValueError("write a public key as the path of a PEM file, or as kid=path")
    return value


def check_jwks_url(value: str) -> str:
    """An https URL; http only for this machine, where no one is between."""
    text = value.strip()
    parts = urlsplit(text)
    near = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if text and (not parts.hostname or parts.username or not (parts.scheme == "https" or near)):
        raise ValueError("the URL of a key set must be https; an attacker who changes the answer could sign tokens")
    return text


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, le=86_400, allow_inf_nan=False)]
Address = Annotated[str, AfterValidator(check_address)]
Origin = Annotated[str, AfterValidator(check_origin)]
StunServer = Annotated[str, AfterValidator(check_stun_server)]
CheckedNetwork = Annotated[Network, BeforeValidator(check_network)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(split_list)]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(split_list)]
StunServers = Annotated[tuple[StunServer, ...], BeforeValidator(split_list)]
PublicKeys = Annotated[tuple[Annotated[str, AfterValidator(check_public_key)], ...], BeforeValidator(split_list)]
Networks = Annotated[tuple[CheckedNetwork, ...], BeforeValidator(split_list)]


SHORTEST_DAYS = 4
"""For which events are kept at least: longer than a delivery is tried."""


def check_static(url: str, secret: str, *, allow_private: bool) -> None:
    """Raises BadSettings, which does not repeat the secret."""
    if bool(url) != bool(secret):
        missing = "webhook_url" if secret else "webhook_secret"
        raise BadSettings(f"{missing} is missing", "a webhook needs a URL and a secret", f"Set {missing} too.")
    if not url:
        return
    try:
        check_url(url, allow_private=allow_private)
    except ClientMistake as mistake:
        raise BadSettings(
            f"webhook_url = {url!r} is not valid", mistake.message.removeprefix("url: "), "Correct the value."
        ) from None
    try:
        parse_secret(secret)
    except ClientMistake as mistake:
        raise BadSettings(
            "webhook_secret = (a secret) is not valid",
            mistake.message.removeprefix("secret: "),
            'Make one with `echo "whsec_$(openssl rand -base64 32)"`.',
        ) from None
