"""Verification of API keys, with a cache, so that not every request costs a query. `now` is monotonic seconds.

A key that another process revokes stays valid here for the lifetime of the cache, a key revoked here ends at once.
"""

from collections import OrderedDict

import structlog

from signaling.clock import Clock
from signaling.errors import StorageUnavailable
from signaling.identity.bearer_secrets import hash_of
from signaling.identity.permissions import Service
from signaling.storage import api_keys
from signaling.storage.api_keys import ApiKey
from signaling.storage.database import Database

REMEMBERED = 5.0
"""Seconds."""
NOTED_EVERY = 60.0
"""Seconds between two writes of the last use of one key."""
MOST = 10_000


class RecentKeys:
    """The cache: keys by the hash of their text, and the last write of each key's use. Bounded: the oldest go first.

    `withdrawals` counts the keys that were revoked here.
    """

    def __init__(self) -> None:
        self.withdrawals = 0
        self._found: OrderedDict[str, tuple[ApiKey, float]] = OrderedDict()
        self._noted: OrderedDict[str, float] = OrderedDict()

    def find(self, text: str, now: float) -> "ApiKey | None":
        """The key of this text, if it was verified less than `REMEMBERED` seconds ago."""
        key, at = self._found.get(hash_of(text), (None, 0.0))
        return key if now - at < REMEMBERED else None

    def keep(self, text: str, key: "ApiKey", now: float) -> None:
        """Cache a verified key."""
        self._found[hash_of(text)] = (key, now)
        self._found.move_to_end(hash_of(text))
        if len(self._found) > MOST:
            self._found.popitem(last=False)

    def forget(self, key_id: str) -> None:
        """Drop a revoked key."""
        self.withdrawals += 1
        for text_hash in [text_hash for text_hash, (key, _) in self._found.items() if key.id == key_id]:
            del self._found[text_hash]

    def is_to_be_noted(self, key_id: str, now: float) -> bool:
        """Whether to write this use: the first one, and then one in `NOTED_EVERY` seconds."""
        noted = self._noted.get(key_id)
        if noted is not None and now - noted < NOTED_EVERY:
            return False
        self._noted[key_id] = now
        self._noted.move_to_end(key_id)
        if len(self._noted) > MOST:
            self._noted.popitem(last=False)
        return True


_log = structlog.get_logger("signaling.carriers.service_keys")


class ServiceKeys:
    """Verifies API keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._recent = RecentKeys()

    async def verify(self, text: str) -> Service:
        """The service with this key. Raises ClientMistake (`token_invalid`), StorageUnavailable."""
        now, utc = self._clock.now(), self._clock.utc()
        key = self._recent.find(text, now)
        if key is None or not key.holds(utc):
            withdrawals = self._recent.withdrawals
            async with self._database.reading() as connection:
                key = await api_keys.verify(connection, text, utc)
            # A key read before a revocation must not be cached after it.
            if withdrawals == self._recent.withdrawals:
                self._recent.keep(text, key, now)
        if self._recent.is_to_be_noted(key.id, now):
            await self._note_use(key)
        rooms = None if key.rooms is None else frozenset(key.rooms)
        return Service(frozenset(key.scopes), rooms, key.prefix)

    def forget(self, key_id: str) -> None:
        """Drop a revoked key from the cache."""
        self._recent.forget(key_id)

    async def _note_use(self, key: ApiKey) -> None:
        """Write the use of a key. A failure does not refuse the request."""
        try:
            async with self._database.transaction() as connection:
                await api_keys.note_use(connection, key.id, self._clock.utc())
        except StorageUnavailable as error:
            _log.warning("key_use_not_written", prefix=key.prefix, reason=error.message)
