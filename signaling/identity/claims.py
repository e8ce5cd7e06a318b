"""Claims of a verified token: those of RFC 7519 section 4.1, and Parley's own. Pure; the time is an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

from pydantic import ValidationError

from signaling.errors import ClientMistake
from signaling.identity.grants import RANK, Grants, Role, role_of
from signaling.identity.names import check_identity, clean_name

LONGEST_METADATA = 4096
LONGEST_TOKEN_ID = 256

MOST_LEEWAY = 60.0
"""Maximum clock difference in seconds (RFC 7519 section 4.1.4: "no more than a few minutes")."""

LIFETIME = timedelta(minutes=10)
"""Lifetime of a token for joining. Its session refreshes it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The first token of a chain of refreshed tokens. It stays usable until it expires."""

    token_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified token. `identity` is `sub`; times are aware UTC.

    `token_id` is `jti`, or derived from the token if it has no usable one. `origin` is set in a refreshed token.
    `invited` lets its bearer into a private room, or one with a password, as an invite does.
    """

    identity: str
    name: str | None
    grants: Grants
    role: Role
    expires_at: datetime
    token_id: str
    issued_at: datetime | None = None
    metadata: str | None = None
    origin: Origin | None = None
    invited: bool = False

    @property
    def first(self) -> Origin:
        """The first token of the chain: this one, unless it was refreshed."""
        return self.origin or Origin(self.token_id, self.expires_at)


def read_claims(payload: Mapping[str, Any], fingerprint: str, utc: datetime, leeway: float) -> Claims:
    """Read the claims of a verified payload. `fingerprint` names a token without a `jti`.

    Raises ClientMistake: `token_expired` if only the time is wrong, else `token_invalid`.
    """
    now = utc.timestamp()
    expires = _time(payload, "exp")
    if expires is None:
        refuse("exp is missing")
    issued, not_before = _time(payload, "iat"), _time(payload, "nbf")
    if max(issued or 0.0, not_before or 0.0) > now + leeway:
        refuse("it is not valid yet")
    if expires <= now - leeway:
        raise ClientMistake("token_expired")
    grants = _grants(payload)
    identity = _identity(payload)
    metadata = _text(payload, "metadata")
    if metadata and len(metadata) > LONGEST_METADATA:
        refuse("metadata is too long")
    return Claims(
        identity=identity,
        name=clean_name(_text(payload, "name") or "") or None,
        grants=grants,
        role=role_of(_role(payload), grants),
        expires_at=_moment(expires),
        token_id=_token_id(payload, identity, fingerprint),
        issued_at=None if issued is None else _moment(issued),
        metadata=metadata,
        origin=_origin(payload),
        invited=_flag(payload, "invited"),
    )


def check_parties(payload: Mapping[str, Any], issuer: str | None, audience: str | None) -> None:
    """Check `iss`, `aud` if configured (RFC 7519 sections 4.1.1, 4.1.3). Raises ClientMistake (`token_invalid`)."""
    if issuer is not None and payload.get("iss") != issuer:
        refuse("it has another issuer")
    named = payload.get("aud")
    if audience is not None and audience not in (named if isinstance(named, list) else [named]):
        refuse("it is for another audience")


def refuse(why: str) -> NoReturn:
    """Raises ClientMistake (`token_invalid`)."""
    raise ClientMistake("token_invalid", f"the server does not accept the token: {why}")


def _identity(payload: Mapping[str, Any]) -> str:
    try:
        return check_identity(_text(payload, "sub") or "")
    except ClientMistake as error:
        refuse(f"sub: {error.message}")


def _token_id(payload: Mapping[str, Any], identity: str, fingerprint: str) -> str:
    """Return the id of a token. Some tools write the identity into `jti`, which then does not identify a token."""
    token_id = _text(payload, "jti")
    if token_id is not None and len(token_id) > LONGEST_TOKEN_ID:
        refuse("jti is too long")
    return token_id if token_id and token_id != identity else fingerprint


def _origin(payload: Mapping[str, Any]) -> Origin | None:
    value = payload.get("origin")
    if value is None:
        return None
    if not isinstance(value, dict):
        refuse("origin is of the wrong type")
    token_id, expires = _text(value, "jti"), _time(value, "exp")
    if not token_id or len(token_id) > LONGEST_TOKEN_ID or expires is None:
        refuse("origin is of the wrong type")
    return Origin(token_id, _moment(expires))


def _time(payload: Mapping[str, Any], name: str) -> float | None:
    value = payload.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= cast(float, value) < 2**40:
        refuse(f"{name} is not a time")
    return float(cast(float, value))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(seconds, 253_402_300_799.0), UTC)


def _text(payload: Mapping[str, Any], name: str) -> str | None:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        refuse(f"{name} is not a text")
    return value


def _flag(payload: Mapping[str, Any], name: str) -> bool:
    value = payload.get(name, False)
    if not isinstance(value, bool):
        refuse(f"{name} is not true or false")
    return value


def _grants(payload: Mapping[str, Any]) -> Grants:
    try:
        return Grants.model_validate(payload.get("video", {}))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        refuse(f"the grant video.{field} is of the wrong type")


def _role(payload: Mapping[str, Any]) -> Role | None:
    role = _text(payload, "role")
    if role is not None and role not in RANK:
        refuse("this role does not exist")
    return cast(Role | None, role)
