"""Identifiers and secrets. Pure: the bytes of chance come from an argument."""

import base64
import uuid
from collections.abc import Callable
from datetime import datetime

RandomBytes = Callable[[int], bytes]
"""A source of unpredictable bytes, as `secrets.token_bytes`."""

_SECRET_BYTES = 16


def uuid7(utc: datetime, random: RandomBytes) -> str:
    """A UUID of version 7 as text (RFC 9562 section 5.7): sorts by its time in milliseconds."""
    milliseconds = int(utc.timestamp() * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(random(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def new_secret(random: RandomBytes) -> str:
    """A secret of 128 bits, as base64url text without padding."""
    return base64.urlsafe_b64encode(random(_SECRET_BYTES)).rstrip(b"=").decode()
