import pytest
from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from signaling.storage import calls
from signaling.storage.pages import values_of
from signaling.storage.room_tables import calls as calls_table
from signaling.storage.room_tables import media_sessions, participants
from tests.signaling.storage.samples import a_call, a_presence, at, new_id


async def test_a_room_has_one_active_call(database):
    async with database.transaction() as connection:
        await calls.start(connection, a_call())
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await connection.execute(insert(calls_table).values(**values_of(a_call())))


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "ended"},
        {"state": "over"},
        {"ended_at": at(1)},
        {"state": "ended", "ended_at": at(1)},
        {"state": "ended", "ended_at": at(1), "end_reason": "boredom"},
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(database, wrong):
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await connection.execute(insert(calls_table).values(**{**values_of(a_call()), **wrong}))


@pytest.mark.parametrize(
    "wrong",
    [{"left_at": at(1)}, {"leave_reason": "idle"}, {"role": "king"}, {"call_id": "none"}, {"user_agent": "x" * 257}],
)
async def test_a_presence_that_makes_no_sense_is_refused(database, wrong):
    with pytest.raises(IntegrityError):  # noqa: PT012 - the transaction must end by it
        async with database.transaction() as connection:
            call = await calls.start(connection, a_call())
            await connection.execute(insert(participants).values(**{**values_of(a_presence(call)), **wrong}))


async def test_what_hangs_on_a_call_goes_with_it(database):
    async with database.transaction() as connection:
        call = await calls.start(connection, a_call())
        person = a_presence(call)
        await calls.join(connection, person)
        values = {"id": new_id(), "participant_id": person.id, "state": "connecting", "created_at": at(0)}
        await connection.execute(insert(media_sessions).values(**values, bytes_sent=2**40, bytes_received=0))
        await connection.execute(delete(calls_table))
        left = select(func.count()).select_from(participants), select(func.count()).select_from(media_sessions)
        assert [(await connection.execute(query)).scalar_one() for query in left] == [0, 0]
