import pytest

from signaling.errors import ClientMistake
from signaling.storage.event_filters import EVENTS, MOST_PATTERNS, TEST, check_filter, covers, family


@pytest.mark.parametrize(
    ("pattern", "event", "covered"),
    [
        ("*", "room.created", True),
        ("room.*", "room.created", True),
        ("room.created", "room.created", True),
        ("room.created", "room.deleted", False),
        ("room.*", "rooms.created", False),
        ("room", "room.created", False),
    ],
)
def test_a_pattern_covers_a_name_a_family_or_everything(pattern, event, covered):
    assert covers(pattern, event) is covered


def test_each_pattern_is_there_once_and_in_order():
    assert check_filter(["room.*", "call.ended", "room.*"]) == ("call.ended", "room.*")
    assert check_filter(EVENTS) == tuple(sorted(EVENTS))


@pytest.mark.parametrize(
    "wrong", [[], [""], ["room.exploded"], ["zoo.*"], [TEST], ["room.created"] * (MOST_PATTERNS + 1)]
)
def test_a_pattern_that_can_name_no_event_is_refused(wrong):
    with pytest.raises(ClientMistake, match="events: "):
        check_filter(wrong)


def test_a_family_is_the_beginning_of_names():
    assert family("room.*") == "room."
    assert family("room.created") is None
    assert family("*") is None
