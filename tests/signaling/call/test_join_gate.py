"""When newcomers are taken."""

from hypothesis import given
from hypothesis import strategies as st

from signaling.call.join_gate import JoinGate


def test_it_shuts_above_the_limit_only() -> None:
    gate = JoinGate(0.1)
    assert gate.is_open
    assert gate.look(0.1)
    assert not gate.look(0.101)


def test_it_opens_again_at_half_of_the_limit() -> None:
    gate = JoinGate(0.1)
    gate.look(0.3)
    assert [gate.look(lag) for lag in (0.1, 0.09, 0.051, 0.05, 0.09, 0.1)] == [False, False, False, True, True, True]


@given(lags=st.lists(st.floats(0, 1), max_size=100))
def test_between_the_marks_nothing_changes(lags: list[float]) -> None:
    gate = JoinGate(0.1)
    for lag in lags:
        before, after = gate.is_open, gate.look(lag)
        assert after is gate.is_open
        if before and not after:
            assert lag > 0.1
        if after and not before:
            assert lag <= 0.05
        assert not (after and lag > 0.1)
