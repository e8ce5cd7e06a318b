"""JSON Web Tokens (RFC 7519): issue with our secret, verify with it and public keys. Pure; the time is an argument.

What we issue is signed with HS256 (RFC 7518 section 3.2). What others issue is verified with the key that its `kid`
names, under that key's one algorithm: HS256, RS256 or EdDSA. A token chooses neither a key nor an algorithm.
"""

from datetime import datetime, timedelta
from typing import Any

import jwt

from signaling.chance import SYSTEM_CHANCE
from signaling.errors import WeakSecret
from signaling.identity.claims import Claims, check_parties, read_claims, refuse
from signaling.identity.compact import fingerprint, read_header, read_payload
from signaling.identity.grants import Grants, Role
from signaling.identity.issuing import TokenOrder
from signaling.identity.keys import ALGORITHMS, Algorithm, Key, KeyRing, KeySet
from signaling.identity.names import check_identity
from signaling.identity.secret_strength import weakness
from signaling.ids import RandomBytes, new_secret

OWN_ALGORITHM: Algorithm = "HS256"
MOST_LEEWAY = 60.0
"""Seconds that two clocks may differ by (RFC 7519 section 4.1.4: "no more than a few minutes")."""

LIFETIME = timedelta(minutes=10)
"""How long a token for joining lives; the session that it opened refreshes it."""

_JWS = jwt.PyJWS(algorithms=list(ALGORITHMS))


class Tokens:
    """Issues with one secret, and verifies with it and with the public keys of `ring`.

    `issuer` and `audience` are required of a token where they are configured. Raises WeakSecret for a secret that is
    shorter than 32 bytes or well known, ValueError for a leeway over 60 s.
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
        """A signed token for `identity`. Raises ClientMistake (`bad_message`) for an identity that cannot be one."""
        return self._sign({"sub": check_identity(identity), "name": name, "role": role}, grants, utc, lifetime)

    def issue_order(self, order: TokenOrder, utc: datetime) -> str:
        """A token as it was ordered. Raises as `issue`."""
        said = {
            "sub": check_identity(order.identity),
            "name": order.name,
            "role": order.role,
            "metadata": order.metadata,
            "invited": order.invited or None,
        }
        return self._sign(said, order.grants, utc, order.lifetime)

    def refresh(self, claims: Claims, utc: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A fresh token of ours that says what a verified one said, whoever issued that, and where it comes from."""
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
        """What a token says, if one of our keys signed it and its time has come and not passed.

        Raises ClientMistake: `token_expired` where only the time is wrong, else `token_invalid`.
        """
        header = read_header(token)
        candidates = (
            *self._own.candidates(header.algorithm, header.kid),
            *self._ring.current.candidates(header.algorithm, header.kid),
        )
        if not candidates:
            refuse("no key here has its kid and algorithm")
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
    """When a token that ends at `expires_at` is to be replaced, in the time of `now`: after four fifths of its rest."""
    return now + max(1.0, (expires_at - utc).total_seconds() * 0.8)


def _signed_payload(token: str, candidates: tuple[Key, ...]) -> bytes:
    """The payload, if one of the keys signed it under its own algorithm."""
    for key in candidates:
        payload = _opened(token, key)
        if payload is not None:
            return payload
    return refuse("its signature is not that of a key here")


def _opened(token: str, key: Key) -> bytes | None:
    """The payload, or None where this key did not sign it."""
    try:
        payload: bytes = _JWS.decode(token, key.material, algorithms=[key.algorithm])
    except jwt.InvalidSignatureError:
        return None
    except (jwt.PyJWTError, ValueError, TypeError):
        refuse("it is malformed")
    return payload


__all__ = ["LIFETIME", "MOST_LEEWAY", "Claims", "Tokens", "refresh_time"]
