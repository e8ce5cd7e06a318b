"""A short cache of verified API keys, so that not every request costs a query. Pure; `now` is monotonic seconds.

A key that is withdrawn by another process opens doors for as long as it is remembered here; one that is withdrawn here
is forgotten at once.
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
"""Seconds between two times that a use of one key is written."""
MOST = 10_000


class RecentKeys:
    """Keys by the hash of their text, and when a use of each was last written. Bounded: the oldest go first.

    `withdrawals` counts the keys that were forgotten because they are good for nothing any more.
    """

    def __init__(self) -> None:
        self.withdrawals = 0
        self._found: OrderedDict[str, tuple[ApiKey, float]] = OrderedDict()
        self._noted: OrderedDict[str, float] = OrderedDict()

    def find(self, text: str, now: float) -> "ApiKey | None":
        """The key of a text that was found good less than 5 s ago."""
        key, at = self._found.get(hash_of(text), (None, 0.0))
        return key if now - at < REMEMBERED else None

    def keep(self, text: str, key: "ApiKey", now: float) -> None:
        """Remember that this text opens what the key opens."""
        self._found[hash_of(text)] = (key, now)
        self._found.move_to_end(hash_of(text))
        if len(self._found) > MOST:
            self._found.popitem(last=False)

    def forget(self, key_id: str) -> None:
        """The key was withdrawn."""
        self.withdrawals += 1
        for text_hash in [text_hash for text_hash, (key, _) in self._found.items() if key.id == key_id]:
            del self._found[text_hash]

    def is_to_be_noted(self, key_id: str, now: float) -> bool:
        """Whether this use is to be written: the first one, and then one a minute."""
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
    """What a key opens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._recent = RecentKeys()

    async def verify(self, text: str) -> Service:
        """The service behind a key. Raises ClientMistake (`token_invalid`), StorageUnavailable."""
        now, utc = self._clock.now(), self._clock.utc()
        key = self._recent.find(text, now)
        if key is None or not key.holds(utc):
            withdrawals = self._recent.withdrawals
            async with self._database.reading() as connection:
                key = await api_keys.verify(connection, text, utc)
            # What was read before a key was withdrawn must not be remembered after it.
            if withdrawals == self._recent.withdrawals:
                self._recent.keep(text, key, now)
        if self._recent.is_to_be_noted(key.id, now):
            await self._note_use(key)
        rooms = None if key.rooms is None else frozenset(key.rooms)
        return Service(frozenset(key.scopes), rooms, key.prefix)

    def forget(self, key_id: str) -> None:
        """A key was withdrawn: it opens nothing from now on."""
        self._recent.forget(key_id)

    async def _note_use(self, key: ApiKey) -> None:
        """That it was used is worth a line in the table, and no refusal where it cannot be written."""
        try:
            async with self._database.transaction() as connection:
                await api_keys.note_use(connection, key.id, self._clock.utc())
        except StorageUnavailable as error:
            _log.warning("key_use_not_written", prefix=key.prefix, reason=error.message)
