"""Sources of settings: the environment, a YAML file, flags. Pure: text in, names and values out.

A setting has one name. `media_port` is `PARLEY_MEDIA_PORT` in the environment, `media_port:` or `media: {port: }` in
the file, and `--media-port` on the command line. Some bare names that people already have work too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

PREFIX = "PARLEY_"
CONFIG_VARIABLE = "PARLEY_CONFIG"

BARE_NAMES: dict[str, str] = {
    "SERVER_HOST": "host",
    "SERVER_PORT": "port",
    "JWT_SECRET": "jwt_secret",
    "DATABASE_URL": "database_url",
    "STUN_SERVERS": "stun_servers",
    "STUN_SERVER": "stun_servers",
    "STUN_URL": "stun_servers",
    "READ_TIMEOUT": "read_timeout",
    "WRITE_TIMEOUT": "write_timeout",
    "RATE_LIMIT_RPM": "rate_limit_rpm",
    "CORS_ORIGINS": "allowed_origins",
    "LOG_LEVEL": "log_level",
    "METRICS_ENABLED": "metrics_enabled",
}
"""Bare variables that work without the prefix; the first one that is set wins over the later ones of a setting."""

ADDRESS_VARIABLE = "SERVER_ADDR"
"""`host:port` in one variable; SERVER_HOST and SERVER_PORT win over it."""

UNUSED_NAMES = ("REDIS_URL", "REDIS_HOST", "TURN_SERVERS", "TURN_SERVER", "TURN_URL")
"""Bare variables of the field that mean nothing to this version: said at start, so that nobody relies on them."""


@dataclass(frozen=True)
class Written:
    """One value as somebody wrote it, and where: `where` is what an error calls it."""

    value: Any
    where: str


@dataclass(frozen=True)
class UnknownName:
    """A name that is no setting, where it stands, and the nearest one that is (empty: none is near)."""

    name: str
    where: str
    nearest: str


def from_environment(
    environment: Mapping[str, str], fields: Iterable[str]
) -> tuple[dict[str, Written], list[UnknownName]]:
    """Settings in the environment. An empty variable counts as not set, as compose files leave such."""
    known = {PREFIX + field.upper(): field for field in fields}
    found: dict[str, Written] = {}
    unknown: list[UnknownName] = []
    host, port = _split_address(environment.get(ADDRESS_VARIABLE, ""))
    for field, value in (("host", host), ("port", port)):
        if value:
            found[field] = Written(value, ADDRESS_VARIABLE)
    for name, field in reversed(BARE_NAMES.items()):
        if field in known.values() and environment.get(name):
            found[field] = Written(environment[name], name)
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        if name not in known:
            unknown.append(UnknownName(name, "the environment", _nearest(name, [*known, CONFIG_VARIABLE])))
        elif value:
            found[known[name]] = Written(value, name)
    return found, unknown


def from_mapping(
    document: Mapping[Any, Any], fields: Iterable[str], file: str
) -> tuple[dict[str, Written], list[UnknownName]]:
    """Settings of a parsed YAML document; nested keys are joined by `_`, so `media: {port: 1}` is `media_port`."""
    names = list(fields)
    found: dict[str, Written] = {}
    unknown: list[UnknownName] = []
    for path, value in _flatten(document, ()):
        field = "_".join(path)
        spelled = ".".join(path)
        if field not in names:
            unknown.append(UnknownName(spelled, file, _nearest(field, names)))
        elif value is not None:
            found[field] = Written(value, f"{spelled} in {file}")
    return found, unknown


def from_flags(flags: Mapping[str, Any], fields: Iterable[str]) -> tuple[dict[str, Written], list[UnknownName]]:
    """Settings given on the command line; None is a flag that was not given."""
    names = list(fields)
    given = {field: value for field, value in flags.items() if value is not None}
    unknown = [UnknownName(name, "the command line", _nearest(name, names)) for name in given if name not in names]
    found = {name: Written(value, "--" + name.replace("_", "-")) for name, value in given.items() if name in names}
    return found, unknown


def unused_variables(environment: Mapping[str, str]) -> list[str]:
    """The bare variables that are set and mean nothing to this version."""
    return [name for name in UNUSED_NAMES if environment.get(name)]


def _nearest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name.lower(), [known.lower() for known in names], n=1, cutoff=0.6)
    return next((known for known in names if close and known.lower() == close[0]), "")


def _flatten(document: Mapping[Any, Any], path: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], Any]]:
    for key, value in document.items():
        here = (*path, str(key))
        if isinstance(value, Mapping):
            yield from _flatten(value, here)
        else:
            yield here, value


def _split_address(address: str) -> tuple[str, str]:
    """`:8080`, `host:8080`, `[::1]:8080` or a bare host."""
    if not address:
        return "", ""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return address.strip("[]"), ""
    return host.strip("[]"), port
