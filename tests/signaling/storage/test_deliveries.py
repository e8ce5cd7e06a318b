import asyncio
from datetime import timedelta

from signaling.storage import deliveries, outbox, webhooks
from signaling.webhooks import lanes
from tests.signaling.storage.samples import at
from tests.signaling.storage.test_outbox import add, event
from tests.signaling.storage.test_webhooks import a_webhook

LEASE = timedelta(seconds=30)


async def spread(database, *made):
    for webhook in made:
        more = True
        while more:
            async with database.transaction() as connection:
                more = await deliveries.spread(connection, webhook.id)


async def claim(database, webhook, seconds, limit=50):
    async with database.transaction() as connection:
        return await deliveries.claim(connection, webhook.id, at(seconds), LEASE, limit)


async def save(database, before, after):
    async with database.transaction() as connection:
        return await deliveries.save(connection, before, after)


async def waiting(database, webhook, lane, limit=50):
    async with database.reading() as connection:
        return [one.position for one in await deliveries.waiting(connection, lane, webhook, limit)]


async def test_each_target_has_a_place_of_its_own_in_each_room(database):
    await add(database, event("lobby"))
    one, two = await a_webhook(database), await a_webhook(database, events=("room.created",))
    await add(database, event("lobby"), event("hall"), event("lobby", event="room.deleted"))
    async with database.reading() as connection:
        assert sorted(await deliveries.behind(connection)) == sorted([one.id, two.id])
    await spread(database, one, two)
    async with database.reading() as connection:
        assert await deliveries.behind(connection) == []
        assert sorted(await deliveries.due(connection, at(0))) == sorted([one.id, two.id])
    places = {
        (webhook.id, lane.room_id): (lane.last_seq, lane.target_seq, await waiting(database, webhook, lane))
        for webhook in (one, two)
        for lane in await claim(database, webhook, 0)
    }
    # Nothing of what came before they were added.
    assert places == {
        (one.id, "lobby"): (1, 3, [2, 4]),
        (one.id, "hall"): (0, 1, [3]),
        (two.id, "lobby"): (1, 2, [2]),
        (two.id, "hall"): (0, 1, [3]),
    }


async def test_a_lane_is_with_one_at_a_time_and_free_again_after_its_lease(database):
    webhook = await a_webhook(database)
    await add(database, event())
    await spread(database, webhook)
    (lane,) = await claim(database, webhook, 0)
    assert lane.next_attempt_at == at(30)
    assert await claim(database, webhook, 29) == []
    # Whoever had it died with it, or thinks too late that it is still theirs.
    (again,) = await claim(database, webhook, 30)
    assert not await save(database, lane, lanes.delivered(lane, 1, at(31)))
    assert await save(database, again, lanes.rested(lanes.delivered(again, 1, at(31))))
    assert await claim(database, webhook, 1000) == []


async def test_a_lane_that_rests_goes_on_at_once_where_more_has_come(database):
    webhook = await a_webhook(database)
    await add(database, event())
    await spread(database, webhook)
    (lane,) = await claim(database, webhook, 0)
    await add(database, event())
    await spread(database, webhook)
    assert await save(database, lane, lanes.rested(lanes.delivered(lane, 1, at(1))))
    (again,) = await claim(database, webhook, 1)
    assert (again.last_seq, again.target_seq) == (1, 2)
    assert await save(database, again, lanes.rested(lanes.delivered(again, 2, at(1))))
    await add(database, event())
    await spread(database, webhook)
    assert [(one.last_seq, one.target_seq) for one in await claim(database, webhook, 2)] == [(2, 3)]


async def test_a_failed_lane_waits_and_others_do_not(database):
    webhook = await a_webhook(database)
    await add(database, event("lobby"), event("hall"))
    await spread(database, webhook)
    hall, lobby = sorted(await claim(database, webhook, 0), key=lambda lane: lane.room_id)
    assert await save(database, lobby, lanes.failed(lobby, "status 503", at(0), 0.0))
    assert await save(database, hall, lanes.rested(lanes.delivered(hall, 1, at(0))))
    assert await claim(database, webhook, 0.5) == []
    async with database.reading() as connection:
        (failing,) = await deliveries.failing(connection)
        assert (failing.room_id, failing.attempts, failing.last_error) == ("lobby", 1, "status 503")
        assert await deliveries.delivered_since(connection, webhook.id, at(-1))
        assert not await deliveries.delivered_since(connection, webhook.id, at(0))
    assert [lane.room_id for lane in await claim(database, webhook, 1)] == ["lobby"]


async def test_a_disabled_target_is_told_later_what_it_has_missed(database):
    webhook = await a_webhook(database)
    await add(database, event())
    await spread(database, webhook)
    async with database.transaction() as connection:
        await webhooks.disable(connection, webhook.id, "gone", at(0))
    await add(database, event(), event("hall"))
    await spread(database, webhook)
    async with database.reading() as connection:
        assert (await deliveries.behind(connection), await deliveries.due(connection, at(9))) == ([], [])
    assert await claim(database, webhook, 9) == []
    async with database.transaction() as connection:
        await webhooks.change(connection, webhook.id, {"enabled": True}, None, at(10))
    await spread(database, webhook)
    found = [await waiting(database, webhook, lane) for lane in await claim(database, webhook, 10)]
    assert sorted(found) == [[1, 2], [3]]


async def test_two_who_ask_get_different_lanes(database):
    webhook = await a_webhook(database)
    await add(database, *(event(f"r{number}") for number in range(10)))
    await spread(database, webhook)
    first, second = await asyncio.gather(claim(database, webhook, 1, 5), claim(database, webhook, 1, 5))
    if len(first) + len(second) < 10:
        # The second one looked while the first one held the same rows, and passed over them.
        second += await claim(database, webhook, 1, 5)
    assert sorted(lane.room_id for lane in first + second) == sorted(f"r{number}" for number in range(10))


async def test_many_events_are_spread_in_pieces(database, monkeypatch):
    monkeypatch.setattr(deliveries, "SPREAD_AT_ONCE", 2)
    webhook = await a_webhook(database)
    await add(database, *(event() for _ in range(5)))
    await spread(database, webhook)
    (lane,) = await claim(database, webhook, 0)
    assert (lane.last_seq, lane.target_seq) == (0, 5)
    assert await waiting(database, webhook, lane, 2) == [1, 2]


async def test_a_replay_tells_again_and_loses_nothing_that_still_waits(database):
    webhook = await a_webhook(database)
    await add(database, event("lobby"), event("hall"), event("lobby"), event("lobby"), event("den"))
    await spread(database, webhook)
    den, hall, lobby = sorted(await claim(database, webhook, 0), key=lambda lane: lane.room_id)
    assert await save(database, den, lanes.rested(lanes.delivered(den, 1, at(0))))
    assert await save(database, lobby, lanes.rested(lanes.delivered(lobby, 3, at(0))))
    assert await save(database, hall, lanes.failed(hall, "no", at(0), 0.0))
    async with database.transaction() as connection:
        await deliveries.replay(connection, webhook.id, 2, at(0))
    await spread(database, webhook)
    found = {
        lane.room_id: (await waiting(database, webhook, lane), lane.attempts)
        for lane in await claim(database, webhook, 1)
    }
    assert found == {"lobby": ([3, 4], 0), "hall": ([2], 1), "den": ([5], 0)}


async def test_a_replay_makes_lanes_for_rooms_that_had_none(database):
    await add(database, event("lobby"), event("hall"))
    webhook = await a_webhook(database)
    async with database.transaction() as connection:
        await deliveries.replay(connection, webhook.id, 1, at(0))
    await spread(database, webhook)
    assert [await waiting(database, webhook, lane) for lane in await claim(database, webhook, 0)] == [[2]]


async def test_a_replay_takes_a_lane_from_whoever_works_on_it(database):
    webhook = await a_webhook(database)
    await add(database, event(), event())
    await spread(database, webhook)
    (lane,) = await claim(database, webhook, 0)
    ahead = lanes.held(lanes.delivered(lane, 1, at(0)), at(30))
    assert await save(database, lane, ahead)
    async with database.transaction() as connection:
        await deliveries.replay(connection, webhook.id, 0, at(1))
    assert not await save(database, ahead, lanes.rested(lanes.delivered(ahead, 2, at(1))))
    (again,) = await claim(database, webhook, 1)
    assert await waiting(database, webhook, again) == [1, 2]


async def test_idle_lanes_are_forgotten_and_come_again(database):
    webhook = await a_webhook(database)
    await add(database, event("lobby"), event("hall"))
    await spread(database, webhook)
    hall, lobby = sorted(await claim(database, webhook, 0), key=lambda lane: lane.room_id)
    assert await save(database, lobby, lanes.rested(lanes.delivered(lobby, 1, at(1))))
    async with database.transaction() as connection:
        await outbox.forget(connection, at(100))
        await deliveries.forget_idle(connection, at(1))
        await deliveries.forget_idle(connection, at(2))
    # What nobody was told, and is no longer kept, is passed over.
    assert await waiting(database, webhook, hall) == []
    await add(database, event("lobby"))
    await spread(database, webhook)
    (again,) = await claim(database, webhook, 3)
    assert (again.room_id, again.last_seq, again.target_seq) == ("lobby", 1, 2)
