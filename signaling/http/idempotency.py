"""Requests that are sent again under the same `Idempotency-Key`, and what was answered the first time. Pure.

Kept in memory, as answers hold tokens and keys that nothing else keeps in the clear: for 24 hours, until the server
stops, or until there are too many. `now` is monotonic seconds.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field

from aiohttp import web

from signaling.errors import ClientMistake
from signaling.http.app_keys import CLOCK, SETTINGS
from signaling.http.bearer import recognise
from signaling.http.headers import client_address
from signaling.http.problems import Handler, refuse

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
    """What tells one request from another under the same key."""
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
"""What a route that takes the header can answer for it."""
REPEATED = "Idempotency-Replayed"
_KEPT_HEADERS = ("Content-Type", "ETag", "Location", "Cache-Control")


KEPT_ANSWERS = web.AppKey("repeats", KeptAnswers)


def idempotent(handler: Handler) -> Handler:
    """The handler, which does a request with the header once, and then gives the same answer for 24 h.

    Keys are those of whoever sends them, and of one address and method: nobody meets an answer to somebody else.
    """

    async def wrapped(request: web.Request) -> web.StreamResponse:
        if HEADER not in request.headers:
            return await handler(request)
        key = check_key(request.headers[HEADER])
        asker = await recognise(request)
        who = f"address {client_address(request)}" if asker is None else asker.counted_by
        where = (who, request.method, request.path, key)
        repeats = request.app[KEPT_ANSWERS]
        kept = repeats.begin(where, fingerprint_of(await _body(request)), request.app[CLOCK].now())
        if kept is not None:
            return _again(kept)
        answered = False
        try:
            response = await handler(request)
            if isinstance(response, web.Response) and response.status < 300 and isinstance(response.body, bytes):
                headers = tuple((name, response.headers[name]) for name in _KEPT_HEADERS if name in response.headers)
                repeats.keep(where, Kept(response.status, headers, response.body))
                answered = True
            return response
        finally:
            if not answered:
                repeats.drop(where)

    return wrapped


async def _body(request: web.Request) -> bytes:
    """The body, which aiohttp keeps for the handler."""
    try:
        async with asyncio.timeout(request.app[SETTINGS].read_timeout):
            return await request.read()
    except TimeoutError:
        refuse("timeout")


def _again(kept: Kept) -> web.Response:
    response = web.Response(status=kept.status, body=kept.body, headers=dict(kept.headers))
    response.headers[REPEATED] = "true"
    return response
