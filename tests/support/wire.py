"""A network made of a heap and a seed, in virtual time: an hour of bad network takes milliseconds.

A failure is a seed that can be written into the next test. Each packet takes the same number of draws whatever the
conditions, so that turning one of them does not reshuffle the others.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any, Protocol

from tests.support.clock import VirtualClock

Address = Any
"""Whatever the ends call each other by; hashable."""

REORDER_HOLD = 0.05
"""Seconds by which a reordered packet is held back: longer than two spacings of 20 ms."""

STALL_STEPS = 10_000
"""Steps at one instant after which an engine is said to be stuck."""


class Engine(Protocol):
    """The four verbs of an end. What `drain` yields is a datagram if it has `data` and `to`, else something heard."""

    def receive(self, datagram: bytes, source: Address, now: float) -> None: ...
    def advance(self, now: float) -> None: ...
    def deadline(self) -> float | None: ...
    def drain(self) -> Iterable[Any]: ...


@dataclass(frozen=True)
class Burst:
    """Bursty loss as a Gilbert-Elliott chain: the chances a packet that a good spell ends, that a bad one ends.

    Mean loss is `loss * enter / (enter + leave)`, mean burst `1 / leave` packets.
    """

    enter: float
    leave: float
    loss: float = 1.0


@dataclass(frozen=True)
class Heard:
    """Something that an end yielded and that is no datagram."""

    at: float
    end: Address
    event: Any


@dataclass
class Wire:
    """All paths between the ends of one test.

    `loss`, `duplicate` and `reorder` are chances a packet; `delay` seconds each way, `jitter` up to so much more,
    drawn evenly, so that a jitter above the spacing of packets reorders them too. During a `blackouts` window
    (from, to) what is sent is lost. `burst` has a state of its own for each direction of each path.
    """

    seed: int
    loss: float = 0.0
    delay: float = 0.02
    jitter: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    burst: Burst | None = None
    blackouts: Sequence[tuple[float, float]] = ()
    clock: VirtualClock = field(default_factory=VirtualClock)
    carried: int = 0
    lost: int = 0
    duplicated: int = 0
    delivered: int = 0
    undeliverable: int = 0

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._order = count()
        self._arrivals: list[tuple[float, int, Address, Address, bytes]] = []
        self._bad: dict[tuple[Address, Address], bool] = {}
        self._outside: dict[Address, Address] = {}

    def rebind(self, inside: Address, outside: Address) -> None:
        """Let the end `inside` be seen as `outside` from now on, as a NAT does; its former address leads nowhere."""
        self._outside[inside] = outside

    def carry(self, source: Address, to: Address, data: bytes, now: float) -> None:
        """Take a datagram from an end; it arrives later, twice, or never."""
        self.carried += 1
        lose, flip, late, hold, twice, again = (self._random.random() for _ in range(6))
        if self._falls_in_burst((source, to), flip, lose) or lose < self.loss or self._is_dark(now):
            self.lost += 1
            return
        held = REORDER_HOLD if hold < self.reorder else 0.0
        seen_as = self._outside.get(source, source)
        self._push(now + self.delay + late * self.jitter + held, seen_as, to, data)
        if twice < self.duplicate:
            self.duplicated += 1
            self._push(now + self.delay + again * self.jitter, seen_as, to, data)

    def next_arrival(self) -> float | None:
        """When the next datagram arrives; None when nothing is under way."""
        return self._arrivals[0][0] if self._arrivals else None

    def deliver(self, ends: Mapping[Address, Engine], now: float) -> list[Address]:
        """Hand over what has arrived by `now`, in order of arrival; the ends that got something."""
        inside = {outer: inner for inner, outer in self._outside.items()}
        reached = []
        while self._arrivals and self._arrivals[0][0] <= now:
            _, _, source, to, data = heapq.heappop(self._arrivals)
            end = inside.get(to, to)
            if end not in ends or self._outside.get(end, end) != to:
                self.undeliverable += 1
                continue
            self.delivered += 1
            ends[end].receive(data, source, now)
            reached.append(end)
        return reached

    def _push(self, at: float, source: Address, to: Address, data: bytes) -> None:
        heapq.heappush(self._arrivals, (at, next(self._order), source, to, data))

    def _falls_in_burst(self, path: tuple[Address, Address], flip: float, lose: float) -> bool:
        if self.burst is None:
            return False
        bad = self._bad.get(path, False)
        if flip < (self.burst.leave if bad else self.burst.enter):
            bad = not bad
        self._bad[path] = bad
        return bad and lose < self.burst.loss

    def _is_dark(self, now: float) -> bool:
        return any(start <= now < end for start, end in self.blackouts)


def play(ends: Mapping[Address, Engine], wire: Wire, until: float) -> list[Heard]:
    """Run the ends over the wire up to `until` in virtual time; what they yielded beside datagrams, in order.

    Goes from one deadline or arrival to the next. The clock is the wire's and stays where the play ended, so that a
    test can act between two plays; what was under way stays under way.
    """
    heard = list(_drain(ends, wire))
    stall = 0
    while True:
        now = wire.clock.now
        due = [(at, name) for name, end in ends.items() if (at := end.deadline()) is not None]
        arrival = wire.next_arrival()
        moments = [at for at, _ in due] + ([] if arrival is None else [arrival])
        if not moments or min(moments) > until:
            wire.clock.advance_to(max(until, now))
            return heard
        at = max(now, min(moments))
        stall = stall + 1 if at == now else 0
        if stall > STALL_STEPS:
            stuck = [name for deadline, name in due if deadline <= now]
            raise AssertionError(f"time stands still at {now} s: the deadlines of {stuck} do not move on")
        wire.clock.advance_to(at)
        wire.deliver(ends, at)
        for deadline, name in due:
            if deadline <= at:
                ends[name].advance(at)
        heard += _drain(ends, wire)


def _drain(ends: Mapping[Address, Engine], wire: Wire) -> Iterator[Heard]:
    now = wire.clock.now
    for name, end in ends.items():
        for out in end.drain():
            if hasattr(out, "data") and hasattr(out, "to"):
                wire.carry(name, out.to, bytes(out.data), now)
            else:
                yield Heard(now, name, out)
