"""A signed token in the compact form of RFC 7515 section 3.1: its shape, its header, its payload. Pure.

Nothing in a header points to a key: one with more than `alg`, `typ` and `kid` is refused, so there is no `jku`, `jwk`,
`x5u`, `x5c`, `crit`, `b64`, `zip` or `cty`. JSON with a key twice is refused (RFC 7519 section 4: names are unique).
"""

import binascii
import hashlib
import json
import re
from typing import Any, NamedTuple

import orjson
from jwt.utils import base64url_decode

from signaling.identity.claims import refuse
from signaling.identity.keys import LONGEST_KID

LONGEST_TOKEN = 8192
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_HEADER_KEYS = frozenset({"alg", "typ", "kid"})


class Header(NamedTuple):
    """What a header may say. `kid` only names one of our keys."""

    algorithm: str
    kid: str | None


def read_header(token: str) -> Header:
    """The header of a token that has the right shape. Raises ClientMistake (`token_invalid`)."""
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
        refuse("its kid is no name")
    return Header(algorithm, kid)


def read_payload(raw: bytes) -> dict[str, Any]:
    """The claims of a payload whose signature is good. Raises ClientMistake (`token_invalid`)."""
    return _read_object(raw, "payload")


def fingerprint(token: str) -> str:
    """A name for a token without `jti`: from what is signed, as a signature can be written in more than one way."""
    return "sha256:" + hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def _read_object(raw: bytes, part: str) -> dict[str, Any]:
    """One JSON object. orjson refuses what is no JSON and what is deep; the second reading sees each key."""
    try:
        orjson.loads(raw)
        parsed = json.loads(raw, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        refuse(f"its {part} cannot be read")
    if not isinstance(parsed, dict):
        refuse(f"its {part} is no object")
    return parsed


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        refuse("a name stands twice in it")
    return parsed
