"""Deletes temporary rooms after their empty timeout, with their event, and expired messages.

Each room sets how long its messages are kept.
"""

import asyncio
import itertools
from collections.abc import Callable

import structlog

from signaling.call.leaving import empty_room
from signaling.carriers.gateway import Gateway
from signaling.clock import Clock
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.history.rooms import delete_room
from signaling.ids import RandomBytes
from signaling.storage import messages, rooms
from signaling.storage.database import Database
from signaling.storage.room_record import Room

SWEEP_SECONDS = 10.0
MESSAGE_SWEEPS = 360
"""Sweeps between two deletions of expired messages: an hour."""
ACTOR = "server"
"""The actor in the events of deleted rooms."""

_log = structlog.get_logger("signaling.history.room_sweeper")


class RoomSweeper:
    """Deletes expired temporary rooms and messages. Calls `wake` when an event is ready for delivery."""

    def __init__(
        self, database: Database, gateway: Gateway, clock: Clock, random: RandomBytes, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock
        self._random = random
        self._wake = wake

    async def run(self) -> None:
        """Sweep until cancelled by the owner of the task. Retries while the database is unreachable."""
        for number in itertools.count():
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
                if number % MESSAGE_SWEEPS == 0:
                    await self.forget_messages()
            except StorageUnavailable as error:
                _log.warning("storage_unavailable", reason=error.message)

    async def sweep(self) -> int:
        """Delete the rooms that are due and return their number. Raises StorageUnavailable."""
        async with self._database.reading() as connection:
            due = await rooms.abandoned(connection, self._clock.utc())
        conversation = self._gateway.conversation
        return sum([await self._delete(room) for room in due if conversation.is_empty(room.id)])

    async def forget_messages(self) -> int:
        """Delete messages past their room's retention and return their number. Raises StorageUnavailable."""
        utc, count, after = self._clock.utc(), 0, ""
        while True:
            async with self._database.reading() as connection:
                found = await messages.rooms_that_keep(connection, after)
            if not found:
                return count
            for room_id, settings in found:
                while True:
                    async with self._database.transaction() as connection:
                        gone = await messages.forget(connection, room_id, settings, utc)
                    count += gone
                    if gone < messages.AT_ONCE:
                        break
            after = found[-1][0]

    async def _delete(self, room: Room) -> bool:
        """Delete the room unless it was changed or deleted in the meantime."""
        try:
            async with self._database.transaction() as connection:
                utc = self._clock.utc()
                await delete_room(connection, room.id, room.version, by=ACTOR, utc=utc, random=self._random)
        except ClientMistake:
            return False
        self._wake()
        empty_room(self._gateway.conversation, room.id, self._clock.now())
        return True
