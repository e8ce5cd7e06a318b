"""Signatures of webhooks after Standard Webhooks, the symmetric ones (`v1`). Pure: chance and time are arguments."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from signaling.errors import ClientMistake
from signaling.ids import RandomBytes

PREFIX = "whsec_"
SHORTEST = 24
LONGEST = 64
"""Maximum bytes of a secret, from the specification."""
_MADE = 32


def new_secret(random: RandomBytes) -> str:
    """Return a new 256-bit secret as text: `whsec_` and base64."""
    return PREFIX + base64.b64encode(random(_MADE)).decode()


def chosen_secret(named: str | None, random: RandomBytes) -> str:
    """Return the given secret, or a new one. Raises ClientMistake (`bad_message`) for an unusable secret."""
    if named is None:
        return new_secret(random)
    parse_secret(named)
    return named


def parse_secret(text: str) -> bytes:
    """Decode a secret to the key bytes. Raises ClientMistake (`bad_message`), without the text in its message."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(secret) <= LONGEST:
        raise ClientMistake("bad_message", f"secret: {PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes")
    return secret


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. `timestamp` is in Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(parse_secret(secret), signed, hashlib.sha256)).decode()


def signed_headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The three headers, with one signature for each secret, so that a receiver may change from one to the next."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets),
    }
