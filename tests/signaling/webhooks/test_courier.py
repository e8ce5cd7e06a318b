import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest

from signaling.clock import Clock
from signaling.errors import StorageUnavailable
from signaling.storage import deliveries, outbox, webhooks
from signaling.storage.database import Database
from signaling.webhooks import courier as module
from signaling.webhooks import lanes
from signaling.webhooks.courier import Courier
from signaling.webhooks.lanes import Outcome, judge
from tests.signaling.storage.samples import START, at, seeded
from tests.signaling.storage.test_outbox import add, event
from tests.signaling.storage.test_webhooks import a_webhook, read
from tests.support.clock import VirtualClock
from tests.support.patience import PATIENCE

KEEP = timedelta(days=7)
OK, NO = judge(204), judge(503)


class RememberingSender:
    """Stands in for the network: `answer` gives the outcome of each attempt; `changed` wakes who waits for one."""

    seconds = 15.0

    def __init__(self, answer=lambda _url, _event: OK):
        self.answer = answer
        self.sent = []
        self.changed = asyncio.Condition()

    async def send(self, url, secrets, message, timestamp):
        outcome = self.answer(url, message[0])
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        self.sent.append((url, message[0], outcome.result))
        async with self.changed:
            self.changed.notify_all()
        return outcome

    async def wait_for(self, seen):
        async with asyncio.timeout(PATIENCE), self.changed:
            await self.changed.wait_for(lambda: seen(self.sent))

    def delivered(self, url=None):
        return [one for where, one, result in self.sent if result == "delivered" and url in (None, where)]


@asynccontextmanager
async def running(database, sender, clock=None, keep=KEEP):
    """A courier at work, on a clock that the test moves."""
    time = clock or VirtualClock(wall=START.timestamp())
    one = Courier(database, sender, Clock(time, lambda: at(time.now)), seeded(3), keep=keep)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds):
    """Ask again and again; each question gives the courier its turn."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            pass


async def settled(database, webhook):
    """Until nothing waits for this webhook."""

    async def rests():
        async with database.reading() as connection:
            due = await deliveries.due(connection, at(10**7))
            behind = await deliveries.behind(connection)
        return webhook.id not in (*due, *behind)

    await until(rests)


async def resting(courier):
    """Until what came of each attempt is written down."""

    async def is_idle():
        await asyncio.sleep(0)
        return not courier.gauges()["under_way"]

    await until(is_idle)


async def counted(courier, name):
    async def is_there():
        await asyncio.sleep(0)
        return courier.counters().get(name)

    await until(is_there)


async def test_everything_arrives_in_the_order_of_its_room(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "EVENTS_AT_ONCE", 3)
    monkeypatch.setattr(lanes, "retry_after", lambda *_: 0.0)
    chance = Random(7)
    sender = RememberingSender(lambda _url, _event: OK if chance.random() < 0.5 else NO)
    one = await a_webhook(database, url="https://one.example")
    two = await a_webhook(database, url="https://two.example")
    made = await add(database, *(event(f"r{number % 4}") for number in range(40)))
    async with running(database, sender) as courier:
        await sender.wait_for(lambda _sent: all(len(set(sender.delivered(hook.url))) == 40 for hook in (one, two)))
        await settled(database, one)
        await settled(database, two)
        counts = courier.counters()
    rooms = {one.id: one.room_id for one in made}
    for hook in (one, two):
        orders = defaultdict(list)
        for event_id in dict.fromkeys(sender.delivered(hook.url)):
            orders[rooms[event_id]].append(event_id)
        assert orders == {room: [one.id for one in made if one.room_id == room] for room in set(rooms.values())}
    assert counts["attempts_delivered"] >= 80
    assert counts["attempts_failed"] > 0
    assert "events_given_up" not in counts


async def test_a_slow_target_holds_up_no_other_and_has_few_at_once(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    hanging = []

    def answer(url, event_id):
        async def hang():
            hanging.append(event_id)
            await asyncio.Event().wait()

        return hang() if "slow" in url else OK

    await a_webhook(database, url="https://slow.example")
    fast = await a_webhook(database, url="https://fast.example")
    await add(database, *(event(f"r{number}") for number in range(12)))
    sender = RememberingSender(answer)
    async with running(database, sender) as courier:
        await sender.wait_for(lambda _sent: len(sender.delivered(fast.url)) == 12)
        await settled(database, fast)
        assert len(hanging) <= module.LANES_AT_ONCE
        assert courier.gauges()["under_way"] == float(module.LANES_AT_ONCE)


async def test_what_a_killed_courier_had_is_sent_again_under_its_id(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    webhook = await a_webhook(database)
    (made,) = await add(database, event())
    started = asyncio.Event()

    def answer(_url, _event):
        async def hang():
            started.set()
            await asyncio.Event().wait()

        return hang()

    async with running(database, RememberingSender(answer)):
        await started.wait()
    clock = VirtualClock(now=RememberingSender.seconds + module.LEASE_SLACK, wall=START.timestamp())
    sender = RememberingSender()
    async with running(database, sender, clock):
        await sender.wait_for(lambda sent: sent)
        await settled(database, webhook)
    assert sender.delivered() == [made.id]


async def test_a_target_that_wants_no_more_is_disabled(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    webhook = await a_webhook(database)
    await add(database, event(), event("hall"))
    sender = RememberingSender(lambda _url, _event: judge(410))
    async with running(database, sender) as courier:
        await counted(courier, "webhooks_disabled")
        assert (await read(database, webhook.id)).disabled_reason == "gone"


@pytest.mark.parametrize("works", [False, True])
async def test_after_three_days_the_target_or_the_event_is_given_up(database, monkeypatch, works):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    webhook = await a_webhook(database)
    bad, after = await add(database, event("bad"), event("bad"))
    clock = VirtualClock(wall=START.timestamp())
    sender = RememberingSender(lambda _url, event_id: NO if event_id == bad.id or not works else OK)
    async with running(database, sender, clock) as courier:
        await sender.wait_for(lambda sent: sent)
        await resting(courier)
        if works:
            clock.advance(1.0)
            (good,) = await add(database, event("good", clock.now))
            await sender.wait_for(lambda _sent: good.id in sender.delivered())
            await resting(courier)
        clock.advance(3 * 86_400.0)
        await counted(courier, "events_given_up" if works else "webhooks_disabled")
        if works:
            await sender.wait_for(lambda _sent: after.id in sender.delivered())
            await settled(database, webhook)
    found = await read(database, webhook.id)
    assert (found.enabled, found.disabled_reason) == ((True, None) if works else (False, "gave_up"))


async def test_the_database_may_go_away_and_come_back(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "retry_after", lambda *_: 0.001)
    webhook = await a_webhook(database)
    (made,) = await add(database, event())
    really, asked = Database.transaction, []
    enough = asyncio.Event()

    @asynccontextmanager
    async def away(_self):
        asked.append(1)
        if len(asked) > 3:
            enough.set()
        raise StorageUnavailable("gone")
        yield

    sender = RememberingSender()
    monkeypatch.setattr(Database, "transaction", away)
    async with running(database, sender):
        await enough.wait()
        assert sender.sent == []
        monkeypatch.setattr(Database, "transaction", really)
        await sender.wait_for(lambda sent: sent)
        await settled(database, webhook)
    assert sender.delivered() == [made.id]


async def test_a_mistake_of_ours_ends_no_other_lane(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    await a_webhook(database)
    bad, good = await add(database, event("bad"), event("good"))

    def answer(_url, event_id):
        if event_id == bad.id:
            raise ValueError("ours")
        return OK

    sender = RememberingSender(answer)
    async with running(database, sender):
        await sender.wait_for(lambda _sent: good.id in sender.delivered())


async def test_old_events_are_forgotten(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    await add(database, event(seconds=0), event(seconds=100))
    clock = VirtualClock(now=KEEP.total_seconds() + 50.0, wall=START.timestamp())

    async def is_gone():
        async with database.reading() as connection:
            return [one.position for one in await outbox.after(connection, 0)] == [2]

    async with running(database, RememberingSender(), clock):
        await until(is_gone)


async def test_a_webhook_that_is_deleted_under_way_is_no_matter(database, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    webhook = await a_webhook(database)
    await add(database, event())
    removed = asyncio.Event()

    def answer(_url, _event):
        async def remove_first():
            async with database.transaction() as connection:
                await webhooks.remove(connection, webhook.id)
            removed.set()
            return Outcome("failed", 500, "no")

        return remove_first()

    sender = RememberingSender(answer)
    async with running(database, sender) as courier:
        await removed.wait()
        await resting(courier)
    assert len(sender.sent) == 1
