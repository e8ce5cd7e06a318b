"""Room passwords: argon2id (RFC 9106) in its own threads, with a limit on parallel checks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from signaling.errors import ClientMistake

Result = TypeVar("Result")
THREADS = 2
WAITING = 32
LONGEST = 256
"""Maximum characters. A longer password is an attempt to load the server."""


class Passwords:
    """Hashes and verifies with 64 MiB of memory each (RFC 9106 section 4, second choice). Call `close` at the end.

    At most `threads` run in parallel and `waiting` more are queued. The next one is refused with `overloaded`.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, threads: int = THREADS, waiting: int = WAITING) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._most = threads + waiting
        self._under_way: set[Future[Any]] = set()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")

    async def hash(self, password: str) -> str:
        """Hash a password to a PHC string with its own salt.

        Raises ClientMistake: `bad_message` for an empty or too long password, `overloaded`.
        """
        if not password or len(password) > LONGEST:
            raise ClientMistake("bad_message", f"a password must have 1 to {LONGEST} characters")
        return await self._run(lambda: self._hasher.hash(_bytes_of(password)))

    async def verify(self, password: str, kept: str) -> bool:
        """Whether the password matches the stored hash. A malformed hash matches nothing.

        Raises ClientMistake (`overloaded`).
        """
        if len(password) > LONGEST:
            return False
        return await self._run(lambda: self._matches(password, kept))

    def close(self) -> None:
        """Stop the threads after their current work."""
        self._pool.shutdown(cancel_futures=True)

    def _matches(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, _bytes_of(password))
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        # A running hash counts even if its caller was cancelled.
        self._under_way = {one for one in self._under_way if not one.done()}
        if len(self._under_way) >= self._most:
            raise ClientMistake("overloaded", "too many passwords at once", {"retry_after": 1})
        future = self._pool.submit(work)
        self._under_way.add(future)
        return await asyncio.wrap_future(future)


def _bytes_of(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
