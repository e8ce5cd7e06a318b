import pytest

from signaling.operating.readiness import CHECKS, LEAST_FREE, MOST_LAG, Readiness

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
    ("room", "detail"), [(LEAST_FREE - 1, "63 MiB free"), (0, "0 MiB free"), (None, "cannot be looked at")]
)
def test_a_disk_without_room_for_what_waits_is_not_ready(room, detail):
    state = Readiness(0.0).look(1.0, media_addresses=1, loop_lag=0.0, database=True, free_bytes=room)["disk"]
    assert (state.ok, state.detail) == (False, detail)


def test_all_checks_have_their_names():
    assert tuple(Readiness(0.0).look(1.0, media_addresses=1, loop_lag=0.0, database=True, free_bytes=ROOM)) == CHECKS
