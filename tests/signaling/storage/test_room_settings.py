import pytest

from signaling.errors import ClientMistake
from signaling.storage.room_settings import MOST_DAYS, USUAL_DAYS, check_settings, message_days


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, None),
        ({"message_history": {"keep": False}}, None),
        ({"message_history": {"keep": False, "days": 5}}, None),
        ({"message_history": {"keep": True}}, USUAL_DAYS),
        ({"message_history": {"keep": True, "days": 1}, "own": [1, {"x": None}]}, 1),
        ({"message_history": {"keep": True, "days": MOST_DAYS}}, MOST_DAYS),
    ],
)
def test_how_long_messages_are_kept(settings, days):
    check_settings(settings)
    assert message_days(settings) == days


@pytest.mark.parametrize(
    "history",
    [
        None,
        True,
        {},
        {"keep": "yes"},
        {"keep": 1},
        {"days": 5},
        {"keep": True, "days": 0},
        {"keep": True, "days": MOST_DAYS + 1},
        {"keep": True, "days": 1.5},
        {"keep": True, "days": True},
        {"keep": True, "days": None},
        {"keep": True, "hours": 5},
    ],
)
def test_what_is_no_message_history_is_refused(history):
    with pytest.raises(ClientMistake) as refused:
        check_settings({"message_history": history})
    assert refused.value.code == "bad_message"
    assert "settings.message_history" in refused.value.message


@pytest.mark.parametrize("settings", [[], "text", {"x": "y" * 20_000}, {"x": float("inf")}])
def test_what_cannot_be_kept_is_no_settings(settings):
    with pytest.raises(ClientMistake):
        check_settings(settings)
