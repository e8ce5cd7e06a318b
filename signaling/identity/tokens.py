"""Signed tokens (RFC 7515 section 3.1, compact form): parse, verify, issue, refresh. Pure.

A header cannot point to a key: only `alg`, `typ` and `kid` are accepted, so `jku`, `jwk`, `x5u`, `x5c`, `crit`, `b64`,
`zip` and `cty` are refused. JSON with a duplicate key is refused (RFC 7519 section 4: names are unique).
"""

import binascii
import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import jwt
import orjson
from jwt.utils import base64url_decode

from signaling.clock import SYSTEM_CHANCE
from signaling.errors import WeakSecret
from signaling.identity.claims import LIFETIME, MOST_LEEWAY, Claims, check_parties, read_claims, refuse
from signaling.identity.grants import Grants, Role
from signaling.identity.issuing import TokenOrder
from signaling.identity.keys import ALGORITHMS, LONGEST_KID, Algorithm, Key, KeyRing, KeySet
from signaling.identity.names import check_identity
from signaling.identity.signing_secrets import weakness
from signaling.ids import RandomBytes, new_secret

LONGEST_TOKEN = 8192
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_HEADER_KEYS = frozenset({"alg", "typ", "kid"})


class Header(NamedTuple):
    """The accepted members of a header. `kid` only names one of our keys."""

    algorithm: str
    kid: str | None


def read_header(token: str) -> Header:
    """Parse the header of a well-formed token. Raises ClientMistake (`token_invalid`)."""
    if len(token) > LONGEST_TOKEN:
        refuse(f"it has more than {LONGEST_TOKEN} bytes")
    if not _SHAPE.match(token):
        refuse("it is not three parts of base64url")
    try:
        raw = base64url_decode(token.partition(".")[0])
    except (binascii.Error, ValueError):
        refuse("its header cannot be read")
    header = _read_object(raw, "header")
    if not _HEADER_KEYS.issuperset(header):
        refuse("its header names keys or extensions")
    if not isinstance(header.get("typ", "JWT"), str) or header.get("typ", "JWT").upper() != "JWT":
        refuse("it is not a JWT")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        refuse("it names no algorithm")
    if "kid" in header and not (isinstance(kid, str) and 1 <= len(kid) <= LONGEST_KID):
        refuse("its kid is not a valid name")
    return Header(algorithm, kid)


def read_payload(raw: bytes) -> dict[str, Any]:
    """Parse the claims of a verified payload. Raises ClientMistake (`token_invalid`)."""
    return _read_object(raw, "payload")


def fingerprint(token: str) -> str:
    """Return a name for a token without `jti`. It hashes the signed part, as a signature has several encodings."""
    return "sha256:" + hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def _read_object(raw: bytes, part: str) -> dict[str, Any]:
    """Parse one JSON object. orjson refuses malformed and deep JSON; a second parse detects duplicate keys."""
    try:
        orjson.loads(raw)
        parsed = json.loads(raw, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        refuse(f"its {part} cannot be read")
    if not isinstance(parsed, dict):
        refuse(f"its {part} is not an object")
    return parsed


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        refuse("it contains a name twice")
    return parsed


OWN_ALGORITHM: Algorithm = "HS256"
_JWS = jwt.PyJWS(algorithms=list(ALGORITHMS))


class Tokens:
    """Issues tokens with one secret, and verifies with it and with the public keys of `ring`.

    A token must have the `issuer` and `audience` that are configured. Raises WeakSecret for a secret that is shorter
    than 32 bytes or well known, ValueError for a leeway over 60 s.
    """

    def __init__(
        self,
        secret: str | bytes,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        leeway: float = 10.0,
        ring: KeyRing | None = None,
        random: RandomBytes = SYSTEM_CHANCE,
    ) -> None:
        text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
        if why := weakness(text):
            raise WeakSecret(f"the secret cannot be used: {why}")
        if not 0 <= leeway <= MOST_LEEWAY:
            raise ValueError(f"leeway is 0 to {MOST_LEEWAY:.0f} s, not {leeway}")
        self._secret = secret if isinstance(secret, bytes) else secret.encode()
        self._own = KeySet([Key(OWN_ALGORITHM, self._secret)])
        self._ring = ring or KeyRing()
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._random = random

    def issue(
        self,
        identity: str,
        *,
        grants: Grants,
        utc: datetime,
        lifetime: timedelta = LIFETIME,
        name: str | None = None,
        role: Role | None = None,
    ) -> str:
        """Return a signed token for `identity`. Raises ClientMistake (`bad_message`) for an invalid identity."""
        return self._sign({"sub": check_identity(identity), "name": name, "role": role}, grants, utc, lifetime)

    def issue_order(self, order: TokenOrder, utc: datetime) -> str:
        """Return a signed token for an order. Raises as `issue`."""
        said = {
            "sub": check_identity(order.identity),
            "name": order.name,
            "role": order.role,
            "metadata": order.metadata,
            "invited": order.invited or None,
        }
        return self._sign(said, order.grants, utc, order.lifetime)

    def refresh(self, claims: Claims, utc: datetime, lifetime: timedelta = LIFETIME) -> str:
        """Return a fresh token with the claims of a verified one from any issuer, and its origin."""
        first = claims.first
        said = {
            "sub": claims.identity,
            "name": claims.name,
            "role": claims.role,
            "metadata": claims.metadata,
            "invited": claims.invited or None,
            "origin": {"jti": first.token_id, "exp": int(first.expires_at.timestamp())},
        }
        return self._sign(said, claims.grants, utc, lifetime)

    def verify(self, token: str, utc: datetime) -> Claims:
        """Verify signature and validity period, and return the claims.

        Raises ClientMistake: `token_expired` if only the time is wrong, else `token_invalid`.
        """
        header = read_header(token)
        candidates = (
            *self._own.candidates(header.algorithm, header.kid),
            *self._ring.current.candidates(header.algorithm, header.kid),
        )
        if not candidates:
            refuse("the server has no key with its kid and algorithm")
        payload = read_payload(_signed_payload(token, candidates))
        check_parties(payload, self._issuer, self._audience)
        return read_claims(payload, fingerprint(token), utc, self._leeway)

    def _sign(self, said: dict[str, Any], grants: Grants, utc: datetime, lifetime: timedelta) -> str:
        claims: dict[str, Any] = {
            **said,
            "iat": int(utc.timestamp()),
            "nbf": int(utc.timestamp()),
            "exp": int((utc + lifetime).timestamp()),
            "jti": new_secret(self._random),
            "video": grants.as_claim(),
            "iss": self._issuer,
            "aud": self._audience,
        }
        present = {key: value for key, value in claims.items() if value is not None}
        return jwt.encode(present, self._secret, algorithm=OWN_ALGORITHM)


def refresh_time(expires_at: datetime, utc: datetime, now: float) -> float:
    """Return when to replace a token, in the time of `now`: after four fifths of the time left to `expires_at`."""
    return now + max(1.0, (expires_at - utc).total_seconds() * 0.8)


def _signed_payload(token: str, candidates: tuple[Key, ...]) -> bytes:
    """Return the payload if one of the keys signed it with its own algorithm. Raises ClientMistake."""
    for key in candidates:
        payload = _opened(token, key)
        if payload is not None:
            return payload
    return refuse("its signature does not match a key of the server")


def _opened(token: str, key: Key) -> bytes | None:
    """Return the payload, or None if this key did not sign it."""
    try:
        payload: bytes = _JWS.decode(token, key.material, algorithms=[key.algorithm])
    except jwt.InvalidSignatureError:
        return None
    except (jwt.PyJWTError, ValueError, TypeError):
        refuse("it is malformed")
    return payload
