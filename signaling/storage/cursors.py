"""Cursors of lists: the place after the last row of a page, as text that a client hands back unread. Pure.

A cursor says where in the order (time, id) to go on, so a page costs the same at any depth, and a row that comes or
goes meanwhile moves no other. It is bound to its list and filters, and read as strictly as any other input: what it
holds only ever becomes parameters of a query.
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from signaling.errors import ClientMistake

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_TEXT = re.compile(r"[A-Za-z0-9_-]{1,300}\Z")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """The last row of a page: its time and its id."""

    at: datetime
    id: str


def encode_cursor(scope: str, place: Place) -> str:
    """The cursor after `place` in the list that `scope` names, with its filters."""
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    body = json.dumps([_seal(scope, microseconds, place.id), microseconds, place.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).rstrip(b"=").decode()


def decode_cursor(scope: str, text: str) -> Place:
    """The place that a cursor of the same list names. Raises ClientMistake (`bad_message`) for anything else."""
    try:
        found = json.loads(base64.b64decode(_padded(text), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _foreign() from None
    if not isinstance(found, list) or len(found) != 3:
        raise _foreign()
    seal, microseconds, row_id = found
    if type(microseconds) is not int or not 0 <= microseconds <= _LAST:
        raise _foreign()
    if not isinstance(row_id, str) or not _ID.match(row_id) or seal != _seal(scope, microseconds, row_id):
        raise _foreign()
    return Place(_EPOCH + timedelta(microseconds=microseconds), row_id)


def _padded(text: str) -> bytes:
    if not _TEXT.match(text):
        raise _foreign()
    return text.encode() + b"=" * (-len(text) % 4)


def _seal(scope: str, microseconds: int, row_id: str) -> str:
    """Tells a cursor of another list, or a damaged one. No secret: a forged one reads only what its reader may read."""
    return hashlib.sha256(f"{scope}\n{microseconds}\n{row_id}".encode()).hexdigest()[:12]


def _foreign() -> ClientMistake:
    return ClientMistake("bad_message", "the cursor is not one of this list")
