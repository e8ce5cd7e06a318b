"""Deletes temporary rooms that have been empty for their time, with their event.

So are messages that have been kept for as long as their room keeps them.
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
"""Sweeps between two times that old messages are looked for: an hour."""
ACTOR = "server"
"""Who has deleted them, in the events."""

_log = structlog.get_logger("signaling.history.room_sweeper")


class RoomSweeper:
    """Sweeps up after temporary rooms. `wake` is called when there is an event to be delivered."""

    def __init__(
        self, database: Database, gateway: Gateway, clock: Clock, random: RandomBytes, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._clock = clock
        self._random = random
        self._wake = wake

    async def run(self) -> None:
        """Sweep for ever; the owner of the task cancels it. A database that is away is waited for."""
        for number in itertools.count():
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep()
                if number % MESSAGE_SWEEPS == 0:
                    await self.forget_messages()
            except StorageUnavailable as error:
                _log.warning("storage_unavailable", reason=error.message)

    async def sweep(self) -> int:
        """Delete the rooms that are due; how many. Raises StorageUnavailable."""
        async with self._database.reading() as connection:
            due = await rooms.abandoned(connection, self._clock.utc())
        conversation = self._gateway.conversation
        return sum([await self._delete(room) for room in due if conversation.is_empty(room.id)])

    async def forget_messages(self) -> int:
        """Delete messages that are older than their rooms keep them; how many. Raises StorageUnavailable."""
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
        """Unless somebody has changed or deleted it meanwhile."""
        try:
            async with self._database.transaction() as connection:
                utc = self._clock.utc()
                await delete_room(connection, room.id, room.version, by=ACTOR, utc=utc, random=self._random)
        except ClientMistake:
            return False
        self._wake()
        empty_room(self._gateway.conversation, room.id, self._clock.now())
        return True
