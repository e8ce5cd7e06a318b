"""What a server does first for the one before it: it ends the calls that were left open, and tells of it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from signaling.history import events
from signaling.ids import RandomBytes, uuid7
from signaling.storage import calls, changes, outbox
from signaling.storage.calls import Orphans


async def end_lost_calls(connection: AsyncConnection, node: str, utc: datetime, random: RandomBytes) -> Orphans:
    """Close what an earlier start of `node` left open, with the events for what had been told to begin.

    What waited in the spool of that start has to be written before.
    """
    orphans = await calls.close_orphans(connection, node, utc)
    for participant_id in orphans.participants:
        person = await calls.find_person(connection, participant_id)
        if person is None or person.left_at is None or not await outbox.find(connection, participant_id):
            continue
        told = events.person(person.id, person.identity, person.name, person.role, person.joined_at)
        place, event_id = (person.room_id, person.call_id), uuid7(utc, random)
        left = events.participant_left(event_id, place, told, "server_shutdown", person.left_at)
        await changes.apply(connection, [left])
    for call_id in orphans.calls:
        call = await calls.find(connection, call_id)
        if call is None or call.ended_at is None or not await outbox.find(connection, call_id):
            continue
        times = (call.started_at, call.ended_at)
        ended = events.call_ended(uuid7(utc, random), call.room_id, call.id, times, "server_lost")
        await changes.apply(connection, [ended])
    return orphans
