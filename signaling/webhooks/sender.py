"""One delivery attempt: a signed POST to the address of the URL, and to no other.

The check of the address happens when its socket is made, so the connection goes to the checked address, whatever the
name resolved to before. Redirects are not followed, response bodies are not read, and proxy variables are ignored.
"""

import asyncio
import errno
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from signaling.errors import ClientMistake
from signaling.version import VERSION
from signaling.webhooks.lanes import Outcome, judge
from signaling.webhooks.signing import signed_headers
from signaling.webhooks.targets import check_url, host_and_port, refusal

LOOKUP_SECONDS = 5.0
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"Parley/{VERSION}",
    "Accept-Encoding": "identity",
}


class Sender:
    """Sends to public addresses, and to private ones if that is allowed. Use it as a context manager."""

    def __init__(self, *, seconds: float, allow_private: bool) -> None:
        self.seconds = seconds
        self._allow_private = allow_private
        self._sessions: Mapping[str, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._sessions = {"https": self._session(secure=True), "http": self._session(secure=False)}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def send(self, url: str, secrets: tuple[str, ...], message: tuple[str, bytes], timestamp: int) -> Outcome:
        """Make one attempt. `message` is the id and the body, `timestamp` Unix seconds. Raises only CancelledError."""
        message_id, body = message
        try:
            check_url(url, allow_private=self._allow_private)
            headers = {**_HEADERS, **signed_headers(secrets, message_id, timestamp, body)}
            session = self._sessions[url.partition(":")[0].lower()]
            async with (
                asyncio.timeout(self.seconds),
                session.post(url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                # The response body is not needed: the connection closes if the body has not arrived yet.
                return judge(response.status)
        except ClientMistake as mistake:
            return Outcome("refused", None, mistake.message)
        except TimeoutError:
            return Outcome("failed", None, f"no answer within {self.seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure(error)

    async def check(self, url: str) -> None:
        """Check the address of a webhook before it is stored. Raises ClientMistake (`bad_message`).

        A name that does not resolve passes, as each attempt resolves it again.
        """
        check_url(url, allow_private=self._allow_private)
        host, port = host_and_port(url)
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            return
        secure = url.lower().startswith("https:")
        for *_, address in found:
            why = refusal(str(address[0]), secure=secure, allow_private=self._allow_private)
            if why is not None:
                raise ClientMistake("bad_message", f"url: webhooks must not go to this address: {why}")

    def _session(self, *, secure: bool) -> aiohttp.ClientSession:
        def make_socket(address: tuple[Any, ...]) -> socket.socket:
            family, kind, protocol, _, where = address
            why = refusal(str(where[0]), secure=secure, allow_private=self._allow_private)
            if why is not None:
                raise PermissionError(errno.EACCES, why)
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(use_dns_cache=False, limit=0, socket_factory=make_socket)
        return aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
        )


def _failure(error: Exception) -> Outcome:
    beneath = getattr(error, "os_error", error)
    if isinstance(beneath, OSError) and beneath.errno == errno.EACCES:
        return Outcome("refused", None, beneath.strerror or "refused")
    return Outcome("failed", None, str(beneath) or type(error).__name__)
