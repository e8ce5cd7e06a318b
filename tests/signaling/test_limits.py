import pytest

from signaling.limits import ConcurrencyLimit, FloodGuard, KeyedLimit, TokenBucket, address_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_rfc_4291_section_2_5_4_an_ipv6_network_counts_as_one(address: str, key: str) -> None:
    """RFC 4291: the lower 64 bits are the interface's own."""
    assert address_key(address) == key


def test_a_bucket_allows_a_burst_and_then_the_rate() -> None:
    bucket = TokenBucket(2.0, 3, 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5)] == [True, False]
    assert not bucket.full(1.0)
    assert bucket.full(10.0)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(1.0, 1, 10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert bucket.take(11.0)


def test_a_flood_is_told_once_then_dropped_then_ended() -> None:
    guard = FloodGuard(50.0, 4, 0.0)
    verdicts = [guard.check(0.0) for _ in range(8)]
    assert verdicts == ["pass"] * 4 + ["tell", "drop", "close", "close"]


def test_a_flood_that_stops_is_forgotten() -> None:
    guard = FloodGuard(50.0, 4, 0.0)
    assert [guard.check(0.0) for _ in range(5)][-1] == "tell"
    assert guard.check(1.0) == "pass"
    assert [guard.check(1.0) for _ in range(4)][-1] == "tell"


def test_keys_have_limits_of_their_own() -> None:
    limit = KeyedLimit(2)
    assert not limit.exhausted("a", 0.0)
    assert [limit.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert limit.exhausted("a", 0.0)
    assert limit.take("b", 0.0)
    assert limit.take("a", 30.0)


def test_keys_are_bounded_and_forgotten() -> None:
    limit = KeyedLimit(1, most_keys=2)
    for key in "abc":
        limit.take(key, 0.0)
    assert len(limit) == 2
    limit.forget_idle(1.0)
    assert len(limit) == 2
    limit.forget_idle(61.0)
    assert len(limit) == 0


def test_holding_is_counted() -> None:
    limit = ConcurrencyLimit(2)
    assert [limit.acquire("a"), limit.acquire("a"), limit.acquire("a")] == [True, True, False]
    limit.release("a")
    assert limit.acquire("a")
    limit.release("a")
    limit.release("a")
    assert len(limit) == 0


@pytest.mark.parametrize("burst", [1, 2])
def test_a_guard_always_tells_before_it_ends(burst: int) -> None:
    guard = FloodGuard(1.0, burst, 0.0)
    verdicts = [guard.check(0.0) for _ in range(burst + 3)]
    assert verdicts.index("tell") < verdicts.index("close")


def test_who_takes_too_many_is_told_how_long_to_wait() -> None:
    buckets = KeyedLimit(60)
    assert [buckets.take_or_wait("a", 0.0) for _ in range(61)] == [0.0] * 60 + [pytest.approx(1.0)]
    assert buckets.take_or_wait("b", 0.0) == 0.0
    assert buckets.take_or_wait("a", 1.0) == 0.0
    assert buckets.take_or_wait("a", 1.5) == pytest.approx(0.5)
    assert all(buckets.take_or_wait("a", 1000.0) == 0.0 for _ in range(60))
    assert buckets.take_or_wait("a", 1000.0) > 0


def test_who_was_not_heard_for_longest_is_forgotten() -> None:
    buckets = KeyedLimit(1)
    for number in range(10_001):
        buckets.take_or_wait(str(number), 0.0)
    assert buckets.take_or_wait("0", 0.0) == 0.0
    assert buckets.take_or_wait("10000", 0.0) > 0.0
