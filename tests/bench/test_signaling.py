"""The pieces of `bench.signaling` that need no server."""

from datetime import UTC, datetime
from multiprocessing import Pipe

import pytest

from bench import signaling
from bench.signaling import FULL, QUICK
from signaling.identity.tokens import Tokens


@pytest.mark.parametrize("rooms", [True, False])
def test_everybody_has_a_token_for_a_room_of_ten(rooms: bool) -> None:
    logins = signaling.tokens(25, rooms)
    assert [room for _, room in logins] == ([f"room-{number // 10}" for number in range(25)] if rooms else [""] * 25)
    said = [Tokens(signaling.SECRET).verify(token, datetime.now(UTC)) for token, _ in logins]
    assert len({one.identity for one in said}) == 25


def test_the_figure_of_a_list_is_the_worse_of_the_two_databases() -> None:
    took = {"sqlite": [0.001] * 100, "postgresql": [0.004] * 100}
    first, *others = signaling._page_figures("history", took)
    assert (first.name, first.value, first.reach) == ("history_p99_ms", pytest.approx(4.0), 50)
    assert {one.name: one.value for one in others} == {
        "history_sqlite_p99_ms": pytest.approx(1.0),
        "history_postgresql_p99_ms": pytest.approx(4.0),
    }


def test_a_quick_run_is_shorter_and_measures_the_same() -> None:
    assert all(quick < full for quick, full in zip(QUICK, FULL, strict=True))


def test_clients_that_say_nothing_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        theirs.send(5)
        assert signaling.answer(ours) == 5
        monkeypatch.setattr(ours, "poll", lambda _seconds: False, raising=False)
        with pytest.raises(RuntimeError, match="do not answer"):
            signaling.answer(ours)
