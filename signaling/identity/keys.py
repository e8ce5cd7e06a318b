"""Keys that verify tokens. Pure.

Each key has exactly one algorithm, chosen where the key is configured and never by a token (RFC 8725 section 3.1). A
token's `kid` is looked up in a map and means nothing else: it is no path, no URL and no query.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from signaling.errors import BadKey

Algorithm = Literal["HS256", "RS256", "EdDSA"]
"""RFC 7518 sections 3.2 and 3.3, RFC 8037 section 3.1 (with Ed25519)."""

ALGORITHMS: tuple[Algorithm, ...] = ("HS256", "RS256", "EdDSA")
LEAST_RSA_BITS = 2048
"""RFC 7518 section 3.3."""

MOST_RSA_BITS = 8192
LONGEST_KID = 256

Material = bytes | RSAPublicKey | Ed25519PublicKey
_MATERIAL: dict[Algorithm, type] = {"HS256": bytes, "RS256": RSAPublicKey, "EdDSA": Ed25519PublicKey}


@dataclass(frozen=True, slots=True)
class Key:
    """One key and its algorithm. Raises BadKey if they do not match, or an RSA key is too short or too long."""

    algorithm: Algorithm
    material: Material = field(repr=False)
    kid: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.material, _MATERIAL[self.algorithm]):
            raise BadKey(f"the key has the wrong type for {self.algorithm}")
        if self.kid is not None and not 1 <= len(self.kid) <= LONGEST_KID:
            raise BadKey(f"a kid has 1 to {LONGEST_KID} characters")
        if isinstance(self.material, RSAPublicKey):
            bits = self.material.key_size
            if not LEAST_RSA_BITS <= bits <= MOST_RSA_BITS:
                raise BadKey(f"an RSA key of {bits} bits; {LEAST_RSA_BITS} to {MOST_RSA_BITS} are allowed")


class KeySet:
    """An immutable set of keys, found by `kid` or by algorithm. Raises BadKey if two share a `kid`."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = tuple(keys)
        self._by_kid = {key.kid: key for key in self._keys if key.kid is not None}
        if len(self._by_kid) != sum(key.kid is not None for key in self._keys):
            raise BadKey("two keys have the same kid")

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def knows(self, kid: str) -> bool:
        """Whether a key has this `kid`."""
        return kid in self._by_kid

    def candidates(self, algorithm: str, kid: str | None) -> tuple[Key, ...]:
        """Return the keys that may have signed a token with this header; none if `alg` is not the key's algorithm.

        With a `kid`, that is the key that has it. Without one (RFC 7515 section 4.1.4: it is optional), these are the
        keys without a `kid`; if every key has one, the only key of the algorithm.
        """
        if kid is not None:
            key = self._by_kid.get(kid)
            return (key,) if key is not None and key.algorithm == algorithm else ()
        fitting = tuple(key for key in self._keys if key.algorithm == algorithm)
        unnamed = tuple(key for key in fitting if key.kid is None)
        return unnamed or (fitting if len(fitting) == 1 else ())


class KeyRing:
    """The public keys in force: those of the settings, and those of a key set that is reloaded at runtime."""

    def __init__(self, fixed: Iterable[Key] = ()) -> None:
        self._fixed = tuple(fixed)
        self._current = KeySet(self._fixed)

    @property
    def current(self) -> KeySet:
        """The key set in force."""
        return self._current

    def replace(self, fetched: Iterable[Key]) -> None:
        """Replace the fetched keys. Raises BadKey; the former keys then stay in force."""
        self._current = KeySet((*self._fixed, *fetched))


def read_public_key(pem: bytes, kid: str | None = None) -> Key:
    """Read an RSA or Ed25519 public key from PEM (RFC 7468 section 13). Raises BadKey, also for a private key."""
    if b"PRIVATE KEY" in pem:
        raise BadKey("this is a private key; use the public key only")
    try:
        loaded = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("this is not a public key in PEM") from None
    return public_key(loaded, kid)


def public_key(loaded: object, kid: str | None = None) -> Key:
    """Return the key with the algorithm that Parley uses for its type. Raises BadKey."""
    if isinstance(loaded, RSAPublicKey):
        return Key("RS256", loaded, kid)
    if isinstance(loaded, Ed25519PublicKey):
        return Key("EdDSA", loaded, kid)
    raise BadKey("a public key must be RSA or Ed25519")
