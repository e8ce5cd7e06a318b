from signaling.storage import server_starts
from signaling.storage.server_starts import ServerStart
from tests.signaling.storage.samples import at, new_id


async def test_when_a_server_ran(database):
    first = ServerStart(id=new_id(), node="one", version="0.1.0", started_at=at(0), seen_at=at(0))
    second = ServerStart(id=new_id(9), node="one", version="0.1.0", started_at=at(9), seen_at=at(9))
    async with database.transaction() as connection:
        assert await server_starts.last(connection, "one") is None
        await server_starts.started(connection, first)
        await server_starts.seen(connection, first.id, at(5))
        await server_starts.seen(connection, first.id, at(4))
        found = await server_starts.last(connection, "one")
        assert (found.seen_at, found.stopped_at) == (at(5), None)
        await server_starts.stopped(connection, first.id, at(6))
        assert (await server_starts.last(connection, "one")).stopped_at == at(6)
        await server_starts.started(connection, second)
        assert await server_starts.last(connection, "one") == second
        assert await server_starts.last(connection, "two") is None
