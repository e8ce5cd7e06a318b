import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from signaling.storage.webhook_tables import webhook_lanes, webhooks
from tests.signaling.storage.samples import at
from tests.signaling.storage.test_webhooks import a_webhook

WEBHOOK = {
    "id": "w",
    "url": "https://example.org",
    "description": "",
    "events": ["*"],
    "secrets": [],
    "enabled": True,
    "position": 0,
    "version": 1,
    "created_by": "ana",
    "created_at": at(0),
    "updated_at": at(0),
}
LANE = {"room_id": "lobby", "last_seq": 0, "target_seq": 1, "attempts": 0}


@pytest.mark.parametrize(
    "wrong", [{"enabled": False}, {"disabled_reason": "gone"}, {"enabled": False, "disabled_reason": "x"}]
)
async def test_a_webhook_that_makes_no_sense_is_refused(database, wrong):
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await connection.execute(insert(webhooks).values(**WEBHOOK | wrong))


@pytest.mark.parametrize("wrong", [{"attempts": 1}, {"failing_since": at(0)}, {"webhook_id": "nobody"}])
async def test_a_lane_that_makes_no_sense_is_refused(database, wrong):
    webhook = await a_webhook(database)
    with pytest.raises(IntegrityError):
        async with database.transaction() as connection:
            await connection.execute(insert(webhook_lanes).values(**{"webhook_id": webhook.id} | LANE | wrong))
