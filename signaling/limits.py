"""Rate limits: token buckets, one or many by key. Pure; `now` is monotonic seconds."""

from collections import Counter, OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import Final

_IPV6_HOST_BITS = 64


def address_key(address: str) -> str:
    """Return the rate limit key of an address: the address, or the /64 of an IPv6 address.

    RFC 4291 section 2.5.4: the lower 64 bits are the interface id, so one client has all of them.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    network = int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS
    return f"{IPv6Address(network)}/{_IPV6_HOST_BITS}"


class TokenBucket:
    """Allows `rate` a second on average and `burst` at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token if there is one. Return whether there was."""
        left = self.left(now)
        self._at = max(now, self._at)
        if left < 1.0:
            self._left = left
            return False
        self._left = left - 1.0
        return True

    def wait(self, now: float) -> float:
        """Return the seconds until a token is available; 0.0 if one is."""
        return max(0.0, 1.0 - self.left(now)) / self._rate

    def left(self, now: float) -> float:
        """Return the number of tokens. Changes nothing."""
        return min(self._burst, self._left + max(0.0, now - self._at) * self._rate)

    def full(self, now: float) -> bool:
        """Whether the bucket has refilled and can be dropped."""
        return self.left(now) >= self._burst


class FloodGuard:
    """The message limit of one session: warns the client, drops the excess, then closes the session.

    `check` returns "pass", "tell" (drop, and report the first excess), "drop", or "close" after `tolerance` messages
    were dropped since the report. A full bucket resets the guard.
    """

    __slots__ = ("_bucket", "_dropped", "_tolerance")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._bucket = TokenBucket(rate, burst, now)
        self._tolerance = max(1, burst // 2)
        self._dropped = 0

    def check(self, now: float) -> str:
        """Return what to do with the next message."""
        if self._dropped and self._bucket.full(now):
            self._dropped = 0
        if self._bucket.take(now):
            return "pass"
        self._dropped += 1
        if self._dropped == 1:
            return "tell"
        return "drop" if self._dropped <= self._tolerance else "close"


class KeyedLimit:
    """One bucket for each key, such as an address or identity. Beyond `most_keys` the least recently used goes."""

    def __init__(self, per_minute: int, most_keys: int = 10_000) -> None:
        self._per_minute = per_minute
        self._most_keys = most_keys
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> bool:
        """Take one token for `key` if there is one. Return whether there was."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._per_minute / 60.0, self._per_minute, now)
            if len(self._buckets) > self._most_keys:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)

    def take_or_wait(self, key: str, now: float) -> float:
        """Take one token and return 0.0, or return the seconds until there is one."""
        return 0.0 if self.take(key, now) else self._buckets[key].wait(now)

    def exhausted(self, key: str, now: float) -> bool:
        """Whether the next `take` would fail. Changes nothing."""
        bucket = self._buckets.get(key)
        return bucket is not None and bucket.left(now) < 1.0

    def forget_idle(self, now: float) -> None:
        """Drop the buckets that have refilled."""
        for key in [key for key, bucket in self._buckets.items() if bucket.full(now)]:
            del self._buckets[key]


class ConcurrencyLimit:
    """Limits how many of something a key has at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    def acquire(self, key: str) -> bool:
        """Take one more if the limit allows. Return whether it does."""
        if self._held[key] >= self._most:
            return False
        self._held[key] += 1
        return True

    def release(self, key: str) -> None:
        """Give one back."""
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]


class JoinGate:
    """Closes when the loop lag exceeds `limit` seconds, and reopens at half of that or less.

    The hysteresis prevents flapping: each join is work, and a loop just below the limit can take few. `LoopLag` of
    `sfu.deadlines` smooths the readings, so the gate needs no clock: after the load ends, a lag of `limit` takes some
    seconds to fall to half.
    """

    OPENS_AT: Final = 0.5
    """Share of the limit."""

    RETRY_AFTER: Final = 5
    """Seconds that a refused client should wait."""

    __slots__ = ("_limit", "is_open")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self.is_open = True

    def look(self, lag: float) -> bool:
        """Take a reading of the lag in seconds. Return whether joins are accepted from now on."""
        if lag > self._limit:
            self.is_open = False
        elif lag <= self._limit * self.OPENS_AT:
            self.is_open = True
        return self.is_open
