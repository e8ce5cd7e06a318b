"""Keeps the key set of another token issuer up to date, from a file or an https URL.

If a source fails, the last good set stays in force, and the failure is logged.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import aiohttp
import structlog
from yarl import URL

from signaling.errors import BadKey, ClientMistake
from signaling.identity.jwks import MOST_BYTES, read_jwks
from signaling.identity.keys import KeyRing
from signaling.identity.tokens import read_header

TIME_LIMIT = 5.0
"""Seconds for one fetch, redirects included."""

MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 16_384

_log = structlog.get_logger("signaling.identity.jwks_source")


class Source(Protocol):
    """Where a key set comes from."""

    name: str

    async def read(self) -> bytes | None:
        """Return the document, or None if unchanged. Raises BadKey, OSError, aiohttp.ClientError, TimeoutError."""


class FileSource:
    """A key set in a file, read again when its modification time, size or inode changes."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    async def read(self) -> bytes | None:
        """See `Source`. An unusable document is not read again until it changes."""
        status = self._path.stat()
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        if signature == self._seen:
            return None
        with self._path.open("rb") as file:
            document = file.read(MOST_BYTES + 1)
        self._seen = signature
        return document


class UrlSource:
    """A key set at a URL. Redirects must stay on the same scheme, host and port. Response size is bounded."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self.name = url
        self._url = URL(url)
        self._tls = tls or True

    async def read(self) -> bytes | None:
        """See `Source`."""
        session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=TIME_LIMIT),
        )
        async with asyncio.timeout(TIME_LIMIT), session:
            url = self._url
            for _ in range(MOST_REDIRECTS + 1):
                async with session.get(url, allow_redirects=False, ssl=self._tls) as response:
                    if response.status not in _REDIRECTS:
                        return await _body(response)
                    url = self._next(url, response.headers.get("Location", ""))
        raise BadKey("too many redirects")

    def _next(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location))
            same = target.origin() == self._url.origin()
        except ValueError:
            same = False
        if not same:
            raise BadKey("the server does not follow a redirect to another host")
        return target


class JwksWatcher:
    """Reads a source into a key ring every `interval` seconds, and on a token that names an unknown key.

    A read for an unknown key comes at least `least_interval` seconds after the last, so invented names cause no load.
    """

    def __init__(
        self, ring: KeyRing, source: Source, now: Callable[[], float], *, interval: float, least_interval: float
    ) -> None:
        self._ring = ring
        self._source = source
        self._now = now
        self._interval = interval
        self._least_interval = least_interval
        self._read_at = float("-inf")
        self._wanted = asyncio.Event()
        self._done = asyncio.Event()

    async def look(self) -> bool:
        """Read the source now and return whether a new key set is in force. Raises only CancelledError."""
        self._read_at = self._now()
        try:
            document = await self._source.read()
            if document is None:
                return False
            reading = read_jwks(document)
            if not reading.keys:
                raise BadKey("it contains no usable key")  # noqa: TRY301 - logged and survived like the errors raised below
            self._ring.replace(reading.keys)
        except (BadKey, OSError, aiohttp.ClientError, TimeoutError) as error:
            _log.warning("key_set_not_read", source=self._source.name, reason=str(error) or type(error).__name__)
            return False
        finally:
            self._wanted.clear()
            done, self._done = self._done, asyncio.Event()
            done.set()
        _log.info("key_set_read", source=self._source.name, keys=len(reading.keys), skipped=dict(reading.skipped))
        return True

    async def run(self) -> None:
        """Read the source at intervals until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wanted.wait()
            await self.look()

    async def prepare(self, token: str) -> None:
        """Read the source again if the token names an unknown key and `least_interval` has passed.

        Call it before verification. Concurrent callers share one read. Requires `run`.
        """
        if not self._wanted.is_set():
            if not self._names_unknown_key(token) or self._now() < self._read_at + self._least_interval:
                return
            self._wanted.set()
        elif not self._names_unknown_key(token):
            return
        done = self._done
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIME_LIMIT):
                await done.wait()

    def _names_unknown_key(self, token: str) -> bool:
        try:
            kid = read_header(token).kid
        except ClientMistake:
            return False
        return kid is not None and not self._ring.current.knows(kid)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if response.status != 200:
        raise BadKey(f"the answer has status {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadKey("the answer is compressed, which the request did not allow")
    document = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        document += chunk
        if len(document) > MOST_BYTES:
            raise BadKey(f"the answer has more than {MOST_BYTES} bytes")
    return bytes(document)
