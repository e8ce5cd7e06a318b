"""The keys that sign and verify tokens, from the settings: the secret, public keys, a key set."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from signaling.errors import BadKey, BadSettings
from signaling.identity.jwks import read_jwks
from signaling.identity.keys import Key, KeyRing, read_public_key
from signaling.identity.tokens import Tokens
from signaling.settings.settings import Settings, secret_of

if TYPE_CHECKING:
    from signaling.identity.jwks_source import JwksWatcher, Source

FILE_POLL_SECONDS = 10.0


def make_ring(settings: Settings) -> KeyRing:
    """Return the public keys of the settings and of `jwks_file`. Raises BadSettings for an unusable key.

    A key set at a URL is read later: the server starts without it.
    """
    try:
        ring = KeyRing([_public_key(one) for one in settings.jwt_public_keys])
    except BadKey as error:
        raise BadSettings("jwt_public_keys cannot be used", error.message, "Give each key its own kid.") from error
    if settings.jwks_file is not None:
        try:
            ring.replace(read_jwks(settings.jwks_file.read_bytes()).keys)
        except (OSError, BadKey) as error:
            raise _unusable("jwks_file", str(settings.jwks_file), error) from error
    return ring


def make_tokens(settings: Settings, ring: KeyRing | None = None) -> Tokens:
    """Return the issuer and verifier of tokens. Raises Refusal."""
    return Tokens(
        secret_of(settings),
        issuer=settings.token_issuer or None,
        audience=settings.token_audience or None,
        ring=ring,
    )


def make_watcher(settings: Settings, ring: KeyRing, now: Callable[[], float]) -> "JwksWatcher | None":
    """Return the watcher of the key set, or None without one."""
    from signaling.identity.jwks_source import FileSource, JwksWatcher, UrlSource  # noqa: PLC0415 - heavy: aiohttp

    source: Source
    if settings.jwks_file is not None:
        source, interval = FileSource(settings.jwks_file), FILE_POLL_SECONDS
    elif settings.jwks_url:
        source, interval = UrlSource(settings.jwks_url), settings.jwks_refresh
    else:
        return None
    return JwksWatcher(ring, source, now, interval=interval, least_interval=settings.jwks_least_interval)


def _public_key(setting: str) -> Key:
    kid, _, path = setting.rpartition("=")
    try:
        return read_public_key(Path(path).read_bytes(), kid or None)
    except (OSError, BadKey) as error:
        raise _unusable("jwt_public_keys", path, error) from error


def _unusable(setting: str, path: str, error: OSError | BadKey) -> BadSettings:
    why = error.message if isinstance(error, BadKey) else error.strerror or str(error)
    return BadSettings(
        f"{setting}: {path} cannot be used",
        why,
        "It must be readable by this user and contain public keys only: RSA of 2048 bits or more, or Ed25519.",
    )
