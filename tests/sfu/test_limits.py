"""Limits on strangers and on members."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.limits import NoiseBudget, PacketBudget, SourceLimiter, Verdict


def test_a_source_has_a_hundred_packets_a_second() -> None:
    limiter = SourceLimiter()
    assert sum(limiter.allow("192.0.2.1", 5.0 + i / 1000) for i in range(900)) == 100
    assert limiter.refused == 800
    assert limiter.allow("192.0.2.1", 6.0)


def test_one_flooder_does_not_use_up_the_others_share() -> None:
    limiter = SourceLimiter()
    for _ in range(10_000):
        limiter.allow(1, 0.0)
    assert all(limiter.allow(source, 0.5) for source in range(2, 1000))


def test_sources_that_share_a_bucket_share_its_limit() -> None:
    limiter = SourceLimiter(per_second=2, buckets=1)
    assert [limiter.allow(source, 0.0) for source in "abc"] == [True, True, False]


@pytest.mark.parametrize("per_second", [0, 256])
def test_the_limit_fits_a_byte(per_second: int) -> None:
    with pytest.raises(ValueError, match="1-255"):
        SourceLimiter(per_second)


@given(times=st.lists(st.floats(0, 3), max_size=300))
@settings(max_examples=50, deadline=None)
def test_never_more_than_the_limit_within_one_window(times: list[float]) -> None:
    limiter = SourceLimiter(per_second=5)
    passed = [now for now in sorted(times) if limiter.allow("x", now)]
    # A span of one second touches two windows at most.
    assert all(sum(start <= now < start + 1 for now in passed) <= 10 for start in passed)


def test_audio_never_meets_the_budget() -> None:
    budget = PacketBudget()
    assert all(budget.allow(i * 0.01) for i in range(10_000))
    assert budget.verdict(100.0) is Verdict.FINE
    assert budget.dropped == 0


def test_a_stalled_network_may_deliver_a_burst() -> None:
    budget = PacketBudget()
    assert all(budget.allow(1.0) for _ in range(200))
    assert not budget.allow(1.0)
    assert budget.allow(2.0)


def test_a_flood_of_5000_packets_a_second_is_cut_to_200() -> None:
    budget = PacketBudget()
    passed = sum(budget.allow(i / 5000) for i in range(50_000))
    assert 2_000 <= passed <= 2_201
    assert budget.dropped == 50_000 - passed


def test_a_flooder_is_told_and_later_cut_off() -> None:
    budget = PacketBudget()
    verdicts: list[Verdict] = []
    for i in range(12 * 1000):
        budget.allow(i / 1000)
        verdict = budget.verdict(i / 1000)
        if verdict not in verdicts:
            verdicts.append(verdict)
    assert verdicts == [Verdict.FINE, Verdict.TELL, Verdict.CUT_OFF]


def test_who_calms_down_is_forgiven_and_begins_anew() -> None:
    budget = PacketBudget(rate=10, burst=1)
    for start in (0.0, 20.0):
        for i in range(9 * 20):
            budget.allow(start + i / 20)
        assert budget.verdict(start + 9) is Verdict.TELL
        assert budget.verdict(start + 15) is Verdict.FINE


def test_reading_the_verdict_changes_nothing() -> None:
    budget = PacketBudget(rate=1, burst=1)
    budget.allow(0.0)
    budget.allow(0.0)
    assert budget.verdict(100.0) is Verdict.FINE
    assert budget.verdict(0.0) is Verdict.TELL


@given(times=st.lists(st.floats(0, 2), max_size=200))
@settings(max_examples=50, deadline=None)
def test_never_more_than_rate_and_burst(times: list[float]) -> None:
    budget = PacketBudget(rate=20, burst=10)
    ordered = sorted(times)
    passed = [now for now in ordered if budget.allow(now)]
    if passed:
        assert len(passed) <= 10 + 20 * (passed[-1] - passed[0]) + 1e-6


def test_noise_below_its_rate_makes_nobody_deaf() -> None:
    noise = NoiseBudget()
    for i in range(10_000):
        assert i / 1000 >= noise.deaf_until
        noise.charge(i / 1000)


def test_noise_above_its_rate_is_tried_at_that_rate_and_what_is_left_unread_is_short() -> None:
    noise, tried, heard = NoiseBudget(rate=1000, burst=100), 0, 0
    for i in range(50_000):
        now = i / 5000
        if now >= noise.deaf_until:
            tried += 1
            noise.charge(now)
        if i % 100 == 99:
            heard += now >= noise.deaf_until  # the member's own, fifty a second
    # What it was that made it deaf was tried, too.
    assert 8_000 <= tried <= 10_100 + 10 / noise.HOLD
    assert heard > 50
    assert noise.deaf_until <= 10 + noise.HOLD
