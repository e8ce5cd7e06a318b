import pytest
from pydantic import ValidationError

from signaling.api.webhook_models import (
    MOST_SHOWN,
    EventPage,
    EventQuery,
    ReplayQuery,
    TrialAnswer,
    WebhookChanges,
    WebhookMade,
    WebhookOrder,
    WebhookView,
)
from signaling.storage.deliveries import Lane
from signaling.storage.outbox import OutboxEvent
from signaling.storage.webhook_record import CHANGEABLE, Webhook, WebhookFields
from signaling.webhooks.events import EventView
from signaling.webhooks.lanes import Outcome, failed
from tests.signaling.storage.samples import at

WEBHOOK = Webhook(
    id="w",
    url="https://example.org/",
    description="",
    events=("room.*",),
    secrets=("whsec_new", "whsec_old"),
    enabled=True,
    disabled_reason=None,
    position=0,
    version=2,
    created_by="ana",
    created_at=at(0),
    updated_at=at(0),
)


def lane(webhook_id, room_id):
    fresh = Lane(webhook_id=webhook_id, room_id=room_id, last_seq=0, target_seq=1, next_attempt_at=at(0))
    return failed(fresh, "status 503", at(0), 0.0)


def test_the_fields_are_those_of_storage():
    assert {*WebhookChanges.model_fields} == {*CHANGEABLE}
    assert WebhookOrder(url="x").fields() == WebhookFields(url="x")


def test_a_view_has_no_secret():
    view = WebhookView.of(WEBHOOK, [lane("w", "den"), lane("w", ""), lane("another", "den")])
    assert (view.secrets, [one.room for one in view.failing]) == (2, ["den", None])
    assert "whsec" not in view.model_dump_json()
    assert view.as_text() == "w  https://example.org/  (room.*; enabled, 2 failing)"
    assert WebhookMade.made(WEBHOOK).secret == "whsec_new"
    many = WebhookView.of(WEBHOOK, [lane("w", str(number)) for number in range(50)])
    assert len(many.failing) == MOST_SHOWN


def test_only_what_is_named_changes():
    assert WebhookChanges.model_validate_json('{"enabled": false}').named() == {"enabled": False}


@pytest.mark.parametrize(
    "text", ['{"enabled": 1}', '{"events": "*"}', '{"secrets": []}', '{"position": 0}', '{"url": null}']
)
def test_what_is_of_the_wrong_type_or_not_to_be_chosen_is_refused(text):
    with pytest.raises(ValidationError):
        WebhookChanges.model_validate_json(text, strict=True)


def test_queries_take_text():
    assert EventQuery.model_validate_strings({"after": "7", "event": "room.*"}).after == 7
    assert ReplayQuery.model_validate_strings({"after": "0"}).after == 0
    for wrong in ({}, {"after": "-1"}, {"after": "x"}, {"after": str(2**60)}):
        with pytest.raises(ValidationError):
            ReplayQuery.model_validate_strings(wrong)


def seen(*positions):
    return [
        EventView.of(OutboxEvent(id="x", event="a.b", payload={}, created_at=at(0), position=one, seq=one))
        for one in positions
    ]


def test_where_to_go_on():
    query = EventQuery(after=3, limit=2)
    full = EventPage.of(seen(5, 8), query, 1, 20)
    assert (full.next_after, full.more, full.oldest) == (8, True, 1)
    # What was passed over, as another kind of event, need not be looked at again.
    assert (EventPage.of(seen(5), query, 1, 20).next_after, EventPage.of([], query, 1, 20).next_after) == (20, 20)
    assert EventPage.of([], query, None, 0).next_after == 3
    assert EventPage.of(seen(21), query, 1, 20).next_after == 21


def test_what_came_of_a_test():
    assert TrialAnswer.of("x", Outcome("delivered", 200)).as_text() == "delivered: status 200"
    assert TrialAnswer.of("x", Outcome("refused", None, "no")).as_text() == "refused: no"
