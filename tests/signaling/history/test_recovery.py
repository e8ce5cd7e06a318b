from signaling.history import events, recovery
from signaling.storage import calls, changes, outbox
from tests.signaling.storage.samples import a_call, a_presence, at, seeded


async def torn(connection, room_id, *, told):
    """A call with one person in it, of a server that was killed; `told` says whether events have told of it."""
    call = await calls.start(connection, a_call(room_id))
    person = a_presence(call)
    await calls.join(connection, person)
    if told:
        who = events.person(person.id, person.identity, person.name, person.role, person.joined_at)
        joined = events.participant_joined(room_id, call.id, who, at(0))
        await changes.apply(connection, [events.call_started(room_id, call.id, at(0)), joined])
    return call, person


async def test_what_was_told_to_begin_is_told_to_end(database):
    async with database.transaction() as connection:
        call, person = await torn(connection, "lobby", told=True)
        hidden, _ = await torn(connection, "den", told=False)
        orphans = await recovery.end_lost_calls(connection, "one", at(50), seeded(2))
        assert set(orphans.calls) == {call.id, hidden.id}
        found = [(one.event, one.payload) for one in await outbox.after(connection, 2)]
        again = await recovery.end_lost_calls(connection, "one", at(60), seeded(3))
        assert (again.calls, len(await outbox.after(connection, 2))) == ((), 2)
    (left, who), (ended, payload) = found
    assert (left, who["participant"]["id"], who["reason"]) == ("participant.left", person.id, "server_shutdown")
    assert (ended, payload["call"], payload["reason"]) == ("call.ended", call.id, "server_lost")


async def test_where_nothing_was_open_nothing_is_told(database):
    async with database.transaction() as connection:
        orphans = await recovery.end_lost_calls(connection, "one", at(50), seeded())
        assert (orphans.calls, orphans.participants) == ((), ())
        assert await outbox.after(connection, 0) == []
