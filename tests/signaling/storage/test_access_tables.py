import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from signaling.storage.access_tables import bans, invites, moderation_events
from signaling.storage.moderation import ModerationEvent, append
from tests.signaling.storage.samples import a_room, at, new_id

INVITE = {"room_id": "lobby", "role": "member", "max_uses": 1, "uses": 0, "created_by": "ana", "token_hash": "0" * 64}


@pytest.mark.parametrize("statement", [update(moderation_events).values(reason="other"), delete(moderation_events)])
async def test_the_trail_of_moderation_cannot_be_rewritten(database, statement):
    async with database.transaction() as connection:
        event = ModerationEvent(
            id=new_id(), action="participant.kick", actor="ana", actor_role="owner", target="ben", created_at=at(0)
        )
        await append(connection, event)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as connection:
            await connection.execute(statement)


async def test_a_ban_of_nobody_is_refused(database):
    with pytest.raises(IntegrityError):  # noqa: PT012 - the transaction must end by it
        async with database.transaction() as connection:
            values = {"id": new_id(), "reason": "", "created_by": "ana", "created_at": at(0)}
            await connection.execute(insert(bans).values(**values))


@pytest.mark.parametrize("wrong", [{"uses": 2}, {"uses": -1}, {"role": "operator"}, {"room_id": "nowhere"}])
async def test_an_invite_that_makes_no_sense_is_refused(database, wrong):
    await a_room(database)
    times = {"created_at": at(0), "expires_at": at(1)}
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await connection.execute(insert(invites).values(id=new_id(), **times, **{**INVITE, **wrong}))
