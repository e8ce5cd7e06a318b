"""Parses a JSON Web Key Set (RFC 7517 section 5, RFC 8037 for Ed25519) into keys. Pure; only BadKey leaves `read_jwks`.

Unusable entries (another `kty`, `use`, `alg`, a key too short) are skipped and counted, as RFC 7517 section 5 requires.
A document that holds a secret is refused as a whole, as any reader of it could sign.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from jwt.utils import base64url_decode

from signaling.errors import BadKey
from signaling.identity.keys import LEAST_RSA_BITS, LONGEST_KID, MOST_RSA_BITS, Key, KeySet, public_key

MOST_BYTES = 256 * 1024
MOST_KEYS = 64
_ED25519_BYTES = 32
_LEAST_EXPONENT = 65_537
_MOST_EXPONENT = 2**32
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+\Z")
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ALGORITHMS = {"RSA": "RS256", "OKP": "EdDSA"}


class JwksReading(NamedTuple):
    """The keys of a document, and the number of skipped entries by reason."""

    keys: tuple[Key, ...]
    skipped: Mapping[str, int]


def read_jwks(document: bytes) -> JwksReading:
    """Read the keys of a document.

    Raises BadKey: not a key set, too large, more than 64 keys, a secret or private key among them, a `kid` twice.
    """
    entries = _entries(document)
    keys: list[Key] = []
    skipped: Counter[str] = Counter()
    for entry in entries:
        if not isinstance(entry, dict):
            raise BadKey("an entry of the key set is not an object")
        if entry.get("kty") == "oct" or not _PRIVATE_MEMBERS.isdisjoint(entry):
            raise BadKey("the key set contains a secret, which lets every reader sign tokens")
        found = _key(entry)
        if isinstance(found, Key):
            keys.append(found)
        else:
            skipped[found] += 1
    KeySet(keys)
    return JwksReading(tuple(keys), dict(skipped))


def _entries(document: bytes) -> list[Any]:
    if len(document) > MOST_BYTES:
        raise BadKey(f"the key set has more than {MOST_BYTES} bytes")
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise BadKey("the key set is not JSON") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise BadKey("this is not a key set: it has no list `keys`")
    if len(entries) > MOST_KEYS:
        raise BadKey(f"the key set has more than {MOST_KEYS} keys")
    return entries


def _key(entry: dict[str, Any]) -> Key | str:
    """Return the key of an entry, or why it is skipped."""
    kind, kid = entry.get("kty"), entry.get("kid")
    if not isinstance(kind, str) or kind not in _ALGORITHMS:
        return "kty"
    if entry.get("use", "sig") != "sig":
        return "use"
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return "key_ops"
    if entry.get("alg", _ALGORITHMS[kind]) != _ALGORITHMS[kind]:
        return "alg"
    if kid is not None and not (isinstance(kid, str) and 1 <= len(kid) <= LONGEST_KID):
        return "kid"
    return _rsa(entry, kid) if kind == "RSA" else _ed25519(entry, kid)


def _rsa(entry: dict[str, Any], kid: str | None) -> Key | str:
    """RFC 7518 section 6.3.1."""
    modulus = int.from_bytes(_octets(entry, "n"), "big")
    exponent = int.from_bytes(_octets(entry, "e"), "big")
    if modulus and not LEAST_RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS:
        return "size"
    if not (modulus & 1 and _LEAST_EXPONENT <= exponent < _MOST_EXPONENT):
        return "malformed"
    try:
        return public_key(RSAPublicNumbers(exponent, modulus).public_key(), kid)
    except ValueError:
        return "malformed"


def _ed25519(entry: dict[str, Any], kid: str | None) -> Key | str:
    """RFC 8037 section 2."""
    if entry.get("crv") != "Ed25519":
        return "crv"
    point = _octets(entry, "x")
    if len(point) != _ED25519_BYTES:
        return "malformed"
    return public_key(Ed25519PublicKey.from_public_bytes(point), kid)


def _octets(entry: dict[str, Any], name: str) -> bytes:
    """Decode a base64url member. Empty if it is missing or malformed."""
    value = entry.get(name)
    if not isinstance(value, str) or len(value) % 4 == 1 or not _BASE64URL.match(value):
        return b""
    return base64url_decode(value)
