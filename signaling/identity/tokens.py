"""JSON Web Tokens (RFC 7519) signed with HS256 (RFC 7518 section 3.2): issue and verify. Pure; the time is an argument.

One secret, one algorithm. What the header says of keys and algorithms decides nothing: a token whose header has more
than `alg`, `typ` and `kid` is refused, and `kid` is not looked up anywhere.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

import jwt
import orjson
from jwt.utils import base64url_decode
from pydantic import ValidationError

from signaling.chance import SYSTEM_CHANCE
from signaling.errors import ClientMistake, WeakSecret
from signaling.identity.grants import RANK, Grants, Role
from signaling.identity.names import check_identity, clean_name
from signaling.identity.secret_strength import weakness
from signaling.ids import RandomBytes, new_secret

ALGORITHM = "HS256"
LONGEST_TOKEN = 8192
LONGEST_METADATA = 4096
MOST_LEEWAY = 60.0
"""Seconds that two clocks may differ by (RFC 7519 section 4.1.4: "no more than a few minutes")."""

LIFETIME = timedelta(minutes=10)
"""How long a token for joining lives; the session that it opened refreshes it."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_HEADER_KEYS = frozenset({"alg", "typ", "kid"})


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token. `identity` is `sub`, `token_id` is `jti`; times are aware UTC."""

    identity: str
    name: str | None
    grants: Grants
    role: Role
    expires_at: datetime
    issued_at: datetime | None = None
    token_id: str | None = None
    metadata: str | None = None


class Tokens:
    """Issues and verifies the tokens of one secret.

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
        random: RandomBytes = SYSTEM_CHANCE,
    ) -> None:
        text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
        if why := weakness(text):
            raise WeakSecret(f"the secret cannot be used: {why}")
        if not 0 <= leeway <= MOST_LEEWAY:
            raise ValueError(f"leeway is 0 to {MOST_LEEWAY:.0f} s, not {leeway}")
        self._key = secret if isinstance(secret, bytes) else secret.encode()
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
        claims: dict[str, Any] = {
            "sub": check_identity(identity),
            "iat": int(utc.timestamp()),
            "nbf": int(utc.timestamp()),
            "exp": int((utc + lifetime).timestamp()),
            "jti": new_secret(self._random),
            "video": grants.as_claim(),
        }
        optional = {"name": name, "role": role, "iss": self._issuer, "aud": self._audience}
        claims |= {key: value for key, value in optional.items() if value is not None}
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def refresh(self, claims: Claims, utc: datetime, lifetime: timedelta = LIFETIME) -> str:
        """A fresh token that says what a verified one said."""
        return self.issue(
            claims.identity, grants=claims.grants, utc=utc, lifetime=lifetime, name=claims.name, role=claims.role
        )

    def verify(self, token: str, utc: datetime) -> Claims:
        """What a token says, if it is ours and its time has come and not passed.

        Raises ClientMistake: `token_expired` where only the time is wrong, else `token_invalid`.
        """
        if len(token) > LONGEST_TOKEN:
            _refuse(f"it has more than {LONGEST_TOKEN} bytes")
        if not _SHAPE.match(token):
            _refuse("it is not three parts of base64url")
        _check_header(token)
        return self._claims(self._payload(token), utc)

    def _payload(self, token: str) -> dict[str, Any]:
        """The claims behind a valid signature. The times are judged here and not in PyJWT, which reads a clock."""
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["exp", "sub"]}
        options["verify_aud"] = self._audience is not None
        try:
            return jwt.decode(
                token, self._key, algorithms=[ALGORITHM], options=options, issuer=self._issuer, audience=self._audience
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise ClientMistake("token_invalid", f"the token is refused: {_reason(error)}") from None

    def _claims(self, payload: dict[str, Any], utc: datetime) -> Claims:
        now = utc.timestamp()
        expires = _time(payload, "exp", required=True)
        issued = _time(payload, "iat")
        not_before = _time(payload, "nbf")
        if max(issued or 0.0, not_before or 0.0) > now + self._leeway:
            _refuse("its time has not come yet")
        assert expires is not None
        if expires <= now - self._leeway:
            raise ClientMistake("token_expired")
        grants = _grants(payload)
        try:
            identity = check_identity(_text(payload, "sub") or "")
        except ClientMistake as error:
            raise ClientMistake("token_invalid", f"the token is refused: sub: {error.message}") from None
        metadata = _text(payload, "metadata")
        if metadata and len(metadata) > LONGEST_METADATA:
            _refuse("metadata is too long")
        return Claims(
            identity=identity,
            name=clean_name(_text(payload, "name") or "") or None,
            grants=grants,
            role=_role(payload, grants),
            expires_at=_moment(expires),
            issued_at=None if issued is None else _moment(issued),
            token_id=_text(payload, "jti"),
            metadata=metadata,
        )


def refresh_time(expires_at: datetime, utc: datetime, now: float) -> float:
    """When a token that ends at `expires_at` is to be replaced, in the time of `now`: after four fifths of its rest."""
    return now + max(1.0, (expires_at - utc).total_seconds() * 0.8)


def _check_header(token: str) -> None:
    """RFC 8725 section 3.1: the algorithm is ours to choose; and nothing in the header points to a key."""
    try:
        header = orjson.loads(base64url_decode(token.partition(".")[0]))
    except (orjson.JSONDecodeError, binascii.Error, ValueError):
        _refuse("its header cannot be read")
    if not isinstance(header, dict) or header.get("alg") != ALGORITHM:
        _refuse("its algorithm is not the one in use here")
    if not _HEADER_KEYS.issuperset(header):
        _refuse("its header names keys or extensions")
    if not isinstance(header.get("typ", "JWT"), str) or header.get("typ", "JWT").upper() != "JWT":
        _refuse("it is not a JWT")


def _time(payload: Mapping[str, Any], name: str, *, required: bool = False) -> float | None:
    value = payload.get(name)
    if value is None and not required:
        return None
    if type(value) not in (int, float) or not 0 <= cast(float, value) < 2**40:
        _refuse(f"{name} is not a time")
    return float(cast(float, value))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799.0), UTC)


def _text(payload: Mapping[str, Any], name: str) -> str | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        _refuse(f"{name} is not a text")
    return value


def _grants(payload: Mapping[str, Any]) -> Grants:
    try:
        return Grants.model_validate(payload.get("video", {}))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        _refuse(f"the grant video.{field} is of the wrong type")


def _role(payload: Mapping[str, Any], grants: Grants) -> Role:
    """The role that is named; without one, whoever may administer a room is its moderator."""
    role = _text(payload, "role")
    if role is None:
        return "moderator" if grants.room_admin else "member"
    if role not in RANK:
        _refuse("there is no such role")
    return cast(Role, role)


def _reason(error: Exception) -> str:
    """A word for what PyJWT found, without what it found it in."""
    reasons: dict[type[Exception], str] = {
        jwt.InvalidSignatureError: "its signature is not ours",
        jwt.MissingRequiredClaimError: "a claim is missing",
        jwt.InvalidIssuerError: "it is of another issuer",
        jwt.InvalidAudienceError: "it is for another audience",
    }
    return reasons.get(type(error), "it is malformed")


def _refuse(why: str) -> NoReturn:
    raise ClientMistake("token_invalid", f"the token is refused: {why}")
