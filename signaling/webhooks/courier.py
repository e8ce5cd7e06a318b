"""Delivers the events of the outbox to every webhook: finds due lanes, sends, and records the result.

`lanes` decides what follows from an attempt. A killed process loses no event: the lease of its lane expires, and the
event is sent again under the same id.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import structlog

from signaling.clock import Clock
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.ids import RandomBytes
from signaling.storage import deliveries, outbox, webhooks
from signaling.storage.database import Database
from signaling.storage.deliveries import Lane
from signaling.storage.outbox import OutboxEvent
from signaling.storage.webhook_record import Webhook
from signaling.webhooks import lanes
from signaling.webhooks.events import EventView
from signaling.webhooks.lanes import Outcome, retry_after
from signaling.webhooks.sender import Sender

LANES_AT_ONCE = 4
"""Parallel lanes of one webhook. There are at most `MOST_WEBHOOKS` webhooks, and each has its own limit."""
EVENTS_AT_ONCE = 50
"""Events of one lane in a row, before the other lanes get their turn."""
LOOK_SECONDS = 1.0
LEASE_SLACK = 5.0
PRUNE_SECONDS = 600.0
_CONNECTIONS = 2
"""Database connections in use at a time. The others serve requests."""

_log = structlog.get_logger("signaling.webhooks")


class Courier:
    """Delivers until cancelled. Events are deleted after `keep`, delivered or not."""

    def __init__(
        self, database: Database, sender: Sender, clock: Clock, random: RandomBytes, *, keep: timedelta
    ) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock
        self._random = random
        self._keep = keep
        self._lease = timedelta(seconds=sender.seconds + LEASE_SLACK)
        self._woken = asyncio.Event()
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._busy: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._prune_at = float("-inf")
        self._failures = 0

    def wake(self) -> None:
        """Look for due lanes now, without waiting for the next poll."""
        self._woken.set()

    def counters(self) -> Mapping[str, int]:
        """Cumulative: `attempts_<result>`, and events given up and webhooks disabled."""
        return self._counts

    def gauges(self) -> Mapping[str, float]:
        """Lanes by state: those in delivery now."""
        return {"under_way": float(self._busy.total())}

    async def run(self) -> None:
        """Deliver until cancelled. Cancellation abandons attempts in flight, which then do not count."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                pause = await self._look(group)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()

    async def _look(self, group: asyncio.TaskGroup) -> float:
        """Start work on the due lanes and return the seconds until the next look."""
        try:
            await self._prune()
            for webhook, lane in await self._claim():
                self._busy[webhook.id] += 1
                group.create_task(self._work(webhook, lane), name="webhook-lane")
        except StorageUnavailable as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("webhooks_wait_for_storage", reason=error.message)
            return retry_after(self._failures, self._chance())
        except Exception:
            _log.exception("webhook_look_failed")
            return LOOK_SECONDS
        self._failures = 0
        return LOOK_SECONDS

    async def _claim(self) -> list[tuple[Webhook, Lane]]:
        async with self._turns, self._database.reading() as connection:
            behind = await deliveries.behind(connection)
        for webhook_id in behind:
            more = True
            while more:
                async with self._turns, self._database.transaction() as connection:
                    more = await deliveries.spread(connection, webhook_id)
        async with self._turns, self._database.reading() as connection:
            due = await deliveries.due(connection, self._clock.utc())
            targets = await webhooks.enabled(connection) if due else []
        found: list[tuple[Webhook, Lane]] = []
        for webhook in targets:
            free = LANES_AT_ONCE - self._busy[webhook.id]
            if webhook.id in due and free > 0:
                async with self._turns, self._database.transaction() as connection:
                    claimed = await deliveries.claim(connection, webhook.id, self._clock.utc(), self._lease, free)
                found += [(webhook, lane) for lane in claimed]
        return found

    async def _work(self, webhook: Webhook, lane: Lane) -> None:
        """The root task of one lane. An error in it ends no other lane."""
        try:
            await self._deliver(webhook, lane)
        except StorageUnavailable as error:
            _log.warning("webhook_not_noted", webhook=webhook.id, room_id=lane.room_id, reason=error.message)
        except Exception:
            _log.exception("webhook_lane_failed", webhook=webhook.id, room_id=lane.room_id)
        finally:
            self._busy[webhook.id] -= 1
            self.wake()

    async def _deliver(self, webhook: Webhook, lane: Lane) -> None:
        async with self._turns, self._database.reading() as connection:
            events = await deliveries.waiting(connection, lane, webhook, EVENTS_AT_ONCE)
        for event in events:
            utc = self._clock.utc()
            message = (event.id, EventView.of(event).as_body())
            outcome = await self._sender.send(webhook.url, webhook.secrets, message, int(utc.timestamp()))
            self._counts[f"attempts_{outcome.result}"] += 1
            after = await self._settle(webhook, lane, event, outcome)
            if after is None:
                return
            lane = after
        complete = len(events) < EVENTS_AT_ONCE
        after = lanes.rested(lane) if complete else lanes.held(lane, self._clock.utc())
        async with self._turns, self._database.transaction() as connection:
            await deliveries.save(connection, lane, after)

    async def _settle(self, webhook: Webhook, lane: Lane, event: OutboxEvent, outcome: Outcome) -> Lane | None:
        """Record the outcome of an attempt. Return the lane to continue with, or None if nothing more is due."""
        utc = self._clock.utc()
        if outcome.result == "delivered":
            after = lanes.held(lanes.delivered(lane, event.seq, utc), utc + self._lease)
            async with self._turns, self._database.transaction() as connection:
                return after if await deliveries.save(connection, lane, after) else None
        after = lanes.failed(lane, outcome.detail, utc, self._chance())
        async with self._turns, self._database.transaction() as connection:
            try:
                # Lock the webhook before its lane, always in this order, to avoid a deadlock.
                await webhooks.get(connection, webhook.id, lock=True)
            except ClientMistake:
                return None
            since = after.failing_since or utc
            works = await deliveries.delivered_since(connection, webhook.id, since)
            consequence = lanes.after_failure(after, outcome, utc, works=works)
            if consequence == "skip":
                after = lanes.skipped(after, event.seq, utc)
            if not await deliveries.save(connection, lane, after):
                return None
            if consequence in ("gone", "gave_up"):
                await webhooks.disable(connection, webhook.id, consequence, utc)
        self._tell(webhook, event, after, consequence)
        return None

    def _tell(self, webhook: Webhook, event: OutboxEvent, lane: Lane, consequence: lanes.Consequence) -> None:
        about = {"webhook": webhook.id, "room_id": event.room_id, "event_id": event.id, "reason": lane.last_error}
        if consequence == "again":
            _log.info("webhook_attempt_failed", attempts=lane.attempts, **about)
        elif consequence == "skip":
            self._counts["events_given_up"] += 1
            _log.warning("webhook_event_given_up", **about)
        else:
            self._counts["webhooks_disabled"] += 1
            _log.warning("webhook_disabled", why=consequence, **about)

    async def _prune(self) -> None:
        """Delete events past their retention, and lanes without an event in that time."""
        if self._clock.now() < self._prune_at:
            return
        before = self._clock.utc() - self._keep
        gone = 1
        while gone:
            async with self._turns, self._database.transaction() as connection:
                gone = await outbox.forget(connection, before)
        async with self._turns, self._database.transaction() as connection:
            await deliveries.forget_idle(connection, before)
        self._prune_at = self._clock.now() + PRUNE_SECONDS

    def _chance(self) -> float:
        return int.from_bytes(self._random(4), "big") / 2**32
