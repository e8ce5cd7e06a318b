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
"""Bytes of a secret, as the specification asks."""
_MADE = 32


def new_secret(random: RandomBytes) -> str:
    """A secret of 256 bits as text: `whsec_` and base64."""
    return PREFIX + base64.b64encode(random(_MADE)).decode()


def chosen_secret(named: str | None, random: RandomBytes) -> str:
    """The secret that was named, or a new one. Raises ClientMistake (`bad_message`) for one that cannot sign."""
    if named is None:
        return new_secret(random)
    parse_secret(named)
    return named


def parse_secret(text: str) -> bytes:
    """The bytes that sign. Raises ClientMistake (`bad_message`), which does not repeat the text."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(secret) <= LONGEST:
        raise ClientMistake("bad_message", f"secret: {PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes")
    return secret


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. `timestamp` is in Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(parse_secret(secret), signed, hashlib.sha256)).decode()


def signed_headers(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The three headers, with one signature for each secret, so that a receiver may change from one to the next."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(secret, message_id, timestamp, body) for secret in secrets),
    }
