"""API keys as requests bring them: looked up in the database, remembered for some seconds."""

import structlog

from signaling.carriers.recent_keys import RecentKeys
from signaling.clock import Clock
from signaling.errors import StorageUnavailable
from signaling.identity.permissions import Service
from signaling.storage import api_keys
from signaling.storage.api_keys import ApiKey
from signaling.storage.database import Database

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
