"""Repeated requests with the same `Idempotency-Key`, and their first answers. Pure.

Kept in memory, as answers hold tokens and keys that nothing else keeps in the clear: for 24 hours, until the server
stops, or until there are too many. `now` is monotonic seconds.
"""

import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field

from signaling.errors import ClientMistake

LIFETIME = 86_400.0
MOST_ANSWERS = 10_000
MOST_BYTES = 16 << 20
"""Of bodies, together."""
HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that can be given again."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(slots=True)
class _Entry:
    at: float
    fingerprint: str
    answer: Kept | None = field(default=None)


def check_key(key: str) -> str:
    """The key itself, if it is 1 to 128 visible characters of ASCII. Raises ClientMistake (`bad_message`)."""
    if not _KEY.match(key):
        raise ClientMistake("bad_message", f"{HEADER}: 1 to 128 visible characters")
    return key


def fingerprint_of(body: bytes) -> str:
    """The hash of a body, which distinguishes requests under the same key."""
    return hashlib.sha256(body).hexdigest()


class KeptAnswers:
    """Answers by who asked, what, and under which key. Only what succeeded is kept: the rest has changed nothing."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, ...], _Entry] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, where: tuple[str, ...], fingerprint: str, now: float) -> Kept | None:
        """The answer to give again; None for a request that is to be worked on, and then ended by `keep` or `drop`.

        Raises ClientMistake: `key_reused` where the key stood for another request, `in_progress` where the first one
        has not been answered yet.
        """
        self._forget_old(now)
        entry = self._entries.get(where)
        if entry is None:
            self._entries[where] = _Entry(now, fingerprint)
            return None
        if entry.fingerprint != fingerprint:
            raise ClientMistake("key_reused")
        if entry.answer is None:
            raise ClientMistake("in_progress", details={"retry_after": 1})
        return entry.answer

    def keep(self, where: tuple[str, ...], answer: Kept) -> None:
        """It succeeded."""
        entry = self._entries.get(where)
        if entry is not None:
            entry.answer = answer
            self._bytes += len(answer.body)
            while len(self._entries) > MOST_ANSWERS or self._bytes > MOST_BYTES:
                self.drop(next(iter(self._entries)))

    def drop(self, where: tuple[str, ...]) -> None:
        """It did not; the same key may be sent again with whatever else."""
        entry = self._entries.pop(where, None)
        if entry is not None and entry.answer is not None:
            self._bytes -= len(entry.answer.body)

    def _forget_old(self, now: float) -> None:
        while self._entries and next(iter(self._entries.values())).at + LIFETIME <= now:
            self.drop(next(iter(self._entries)))


ERRORS = ("in_progress", "key_reused")
"""The error codes of a route that takes the header."""
REPEATED = "Idempotency-Replayed"
KEPT_HEADERS = ("Content-Type", "ETag", "Location", "Cache-Control")
"""Headers that are given again."""
