import json

import pytest

from signaling.errors import ClientMistake
from signaling.operating.readiness import (
    CHECKS,
    LEAST_FREE,
    MOST_LAG,
    MOST_WATCHERS,
    MOST_WATCHERS_OF_ADDRESS,
    PINGS_AT_ONCE,
    CheckState,
    HealthWatch,
    Readiness,
    Watchers,
)

ROOM = LEAST_FREE


def test_all_holds_when_media_is_bound_and_the_loop_keeps_up():
    states = Readiness(10.0).look(12.5, media_addresses=2, loop_lag=0.001, database=True, free_bytes=ROOM)
    assert [(name, state.ok, state.age) for name, state in states.items()] == [
        ("media_socket", True, 2.5),
        ("accepting", True, 2.5),
        ("loop_lag", True, 2.5),
        ("database", True, 2.5),
        ("disk", True, 2.5),
    ]


def test_the_age_begins_anew_when_a_state_changes():
    readiness = Readiness(0.0)
    readiness.look(1.0, media_addresses=1, loop_lag=0.0, database=True, free_bytes=ROOM)
    late = readiness.look(5.0, media_addresses=1, loop_lag=MOST_LAG + 0.1, database=True, free_bytes=ROOM)["loop_lag"]
    assert (late.ok, late.age, late.detail) == (False, 0.0, "600 ms late")
    assert readiness.look(7.0, media_addresses=1, loop_lag=1.0, database=True, free_bytes=ROOM)["loop_lag"].age == 2.0


def test_draining_and_an_unbound_port_are_not_ready():
    readiness = Readiness(0.0)
    readiness.draining = True
    states = readiness.look(1.0, media_addresses=0, loop_lag=0.0, database=True, free_bytes=ROOM)
    assert not states["accepting"].ok
    assert states["media_socket"].detail == "not bound"


def test_a_database_that_does_not_answer_is_not_ready():
    state = Readiness(0.0).look(1.0, media_addresses=1, loop_lag=0.0, database=False, free_bytes=ROOM)["database"]
    assert (state.ok, state.detail) == (False, "does not answer")


@pytest.mark.parametrize(
    ("room", "detail"), [(LEAST_FREE - 1, "63 MiB free"), (0, "0 MiB free"), (None, "cannot be read")]
)
def test_a_disk_without_room_for_what_waits_is_not_ready(room, detail):
    state = Readiness(0.0).look(1.0, media_addresses=1, loop_lag=0.0, database=True, free_bytes=room)["disk"]
    assert (state.ok, state.detail) == (False, detail)


def test_all_checks_have_their_names():
    assert tuple(Readiness(0.0).look(1.0, media_addresses=1, loop_lag=0.0, database=True, free_bytes=ROOM)) == CHECKS


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
