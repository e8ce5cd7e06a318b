import json

import pytest

from signaling.errors import ClientMistake
from signaling.operating.health_watch import (
    MOST_WATCHERS,
    MOST_WATCHERS_OF_ADDRESS,
    PINGS_AT_ONCE,
    HealthWatch,
    Watchers,
)
from signaling.operating.readiness import CheckState

FINE = {"database": CheckState(True, 1.0, "answers")}
AWAY = {"database": CheckState(False, 0.0, "does not answer")}


def test_news_is_the_first_look_and_each_change() -> None:
    watch = HealthWatch(0.0)
    assert watch.has_news(FINE)
    assert json.loads(watch.tell(FINE, {"status": "ready"})) == {
        "type": "health",
        "seq": 1,
        "payload": {"status": "ready"},
    }
    assert not watch.has_news({"database": CheckState(True, 9.0, "answers")})
    assert watch.has_news(AWAY)
    assert json.loads(watch.tell(AWAY, {}, "a"))["id"] == "a"
    assert not watch.has_news(AWAY)


def test_a_ping_asks_and_nothing_else_does() -> None:
    watch = HealthWatch(0.0)
    assert watch.read('{"type":"ping","id":3}', 0.0) == 3
    assert watch.read('{"type":"ping"}', 0.0) is None
    for text, code in (
        ("x", "bad_message"),
        ('{"type":"join"}', "unknown_type"),
        ('{"type":"ping","payload":{"a":1}}', "bad_message"),
    ):
        with pytest.raises(ClientMistake) as caught:
            watch.read(text, 0.0)
        assert caught.value.code == code


def test_too_many_questions_are_refused_and_frames_of_another_kind_count_too() -> None:
    watch = HealthWatch(0.0)
    for _ in range(PINGS_AT_ONCE - 1):
        watch.read('{"type":"ping"}', 0.0)
    watch.count(0.0)
    with pytest.raises(ClientMistake) as caught:
        watch.read('{"type":"ping"}', 0.0)
    assert caught.value.code == "rate_limited"


def test_watchers_are_few_for_an_address_and_in_all() -> None:
    watchers = Watchers()
    for _ in range(MOST_WATCHERS_OF_ADDRESS):
        watchers.enter("a")
    with pytest.raises(ClientMistake):
        watchers.enter("a")
    for number in range(MOST_WATCHERS - MOST_WATCHERS_OF_ADDRESS):
        watchers.enter(str(number))
    with pytest.raises(ClientMistake):
        watchers.enter("b")
    watchers.leave("a")
    watchers.enter("b")
