from hypothesis import given
from hypothesis import strategies as st

from signaling.webhooks.retry_times import FIRST, LONGEST, retry_after


def test_each_wait_is_twice_the_one_before_up_to_an_hour():
    assert [retry_after(attempts, 0.0) for attempts in (1, 2, 3, 12, 13, 10_000)] == [1, 2, 4, 2048, 3600, 3600]


@given(st.integers(min_value=1), st.floats(min_value=0, max_value=1))
def test_chance_takes_off_up_to_a_half(attempts, chance):
    assert FIRST / 2 <= retry_after(attempts, chance) <= LONGEST
    assert retry_after(attempts, chance) >= retry_after(attempts, 0.0) / 2
