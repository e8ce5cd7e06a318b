import pytest
from pydantic import ValidationError

from signaling.api.moderation_models import AuditQuery, BanOrder, BanView, ModerationOrder
from signaling.call.moderation import Order
from signaling.errors import ClientMistake
from signaling.identity import deny_list
from tests.signaling.fakes import START


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "mute"},
        {"action": "mute", "target": "p", "identity": "ana"},
        {"action": "mute", "target": ""},
        {"action": "fly", "target": "p"},
        {"action": "unban", "target": "p"},
        {"action": "mute", "target": "p", "duration": 0},
        {"action": "mute", "target": "p", "duration": "5"},
        {"action": "mute", "target": "p", "reason": "x" * 257},
        {"action": "mute", "target": "p", "by": "eve"},
    ],
)
def test_what_cannot_be_asked_for(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModerationOrder.model_validate(wrong)


def test_an_order_follows_the_rules_of_the_message_moderate() -> None:
    order = ModerationOrder(action="mute", identity="ana", duration=5, reason="noise")
    assert order.checked() == Order(action="mute", identity="ana", duration=5, reason="noise")
    for wrong in (
        ModerationOrder(action="kick", target="p", duration=5),
        ModerationOrder(action="kick", target="p", room="den"),
        ModerationOrder(action="move", target="p"),
        ModerationOrder(action="move", target="p", room="a b"),
    ):
        with pytest.raises(ClientMistake) as caught:
            wrong.checked()
        assert caught.value.code == "bad_message"


def test_a_ban_names_a_possible_identity() -> None:
    assert BanOrder(identity="ana").duration is None
    for identity in ("", " ana", "a" * 129, "a\n"):
        with pytest.raises(ValidationError):
            BanOrder(identity=identity)


def test_a_new_ban_looks_like_one_that_is_kept() -> None:
    ban = deny_list.Ban("ana", None, START, "service", None, None, by="apikey:x", id="b1")
    view = BanView.of_new(ban)
    assert (view.id, view.room_id, view.identity, view.reason) == ("b1", None, "ana", "")
    assert (view.created_by, view.by_role, view.lifted_at) == ("apikey:x", "service", None)


def test_filters_of_the_trail() -> None:
    query = AuditQuery.model_validate_strings({"action": "participant.mute", "until": "2026-01-01T00:00:00Z"})
    wanted = query.wanted("den")
    assert (wanted.room_id, wanted.action, wanted.until, wanted.since) == ("den", "participant.mute", START, None)
