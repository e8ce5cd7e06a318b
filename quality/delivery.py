"""How one talker's packets reach one listener, by the listener's reports on the slots that carried them. Pure.

A slot carries one talker after the other under one SSRC, and its listener reports on all of its sequence numbers alike.
`Attribution` notes at each switch which number begins the next talker's span, so that each number that a report covers
belongs to exactly one talker. Nothing is counted per packet and listener.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from quality.send import RemoteReceiveStatistics
from quality.sequence import MAX_CUMULATIVE_LOST, MAX_MISORDER, SEQUENCE_MODULUS, PacketCount

MOST_SPANS = 64
"""Spans of one slot that wait for a report; receivers report every 1 to 5 s. Older ones count as covered."""


class SentCounter(Protocol):
    """What was sent through one slot in its whole life."""

    def totals(self) -> tuple[int, int]:
        """(packets, octets of payload)."""


@dataclass(frozen=True, slots=True)
class DeliverySnapshot:
    """One reading of a pair of talker and listener (`interval.Snapshot`).

    `forwarded` packets and `octets` of payload were sent to the listener. `packets` counts those of them that the
    listener's reports cover: expected, received, and so lost on the way from us. `lost_in_all` is the loss that the
    listener reports, which includes what the talker's own way lost. `highest_acknowledged` is the extended sequence
    number of the slot. `jitter`, `round_trip_time` and `heard_at` (when a report last acknowledged another packet,
    monotonic seconds) are None until a report says them.
    """

    at: float
    talker: str
    listener: str
    forwarded: int
    octets: int
    packets: PacketCount
    lost_in_all: int
    highest_acknowledged: int | None
    jitter: float | None
    round_trip_time: float | None
    heard_at: float | None


class Delivery:
    """The totals of one pair of talker and listener, over all slots and all reports.

    `acknowledged` counts the sequence numbers that reports cover, `lost` those reported as lost, `unsent` those of
    the lost that never reached us. `fraction_lost` (0..1) is of the latest report, which came at `reported_at`.
    """

    __slots__ = (
        "acknowledged",
        "forwarded",
        "fraction_lost",
        "heard_at",
        "highest_acknowledged",
        "jitter",
        "lost",
        "octets",
        "reported_at",
        "round_trip_time",
        "spans",
        "unsent",
    )

    def __init__(self) -> None:
        """Begin with no packet forwarded."""
        self.forwarded = 0
        self.octets = 0
        self.acknowledged = 0
        self.lost = 0
        self.unsent = 0
        self.fraction_lost = 0.0
        self.reported_at: float | None = None
        self.heard_at: float | None = None
        self.highest_acknowledged: int | None = None
        self.jitter: float | None = None
        self.round_trip_time: float | None = None
        self.spans: list[_Span] = []

    @property
    def packets(self) -> PacketCount:
        """The forwarded packets that reports cover, and those of them that arrived."""
        return PacketCount(self.acknowledged - self.unsent, self.acknowledged - self.lost)

    def snapshot(self, talker: str, listener: str, now: float) -> DeliverySnapshot:
        """The totals at `now`, monotonic seconds."""
        forwarded, octets = self.forwarded, self.octets
        for span in self.spans:
            packets, size = span.sent()
            forwarded += packets
            octets += size
        return DeliverySnapshot(
            now,
            talker,
            listener,
            forwarded,
            octets,
            self.packets,
            self.lost,
            self.highest_acknowledged,
            self.jitter,
            self.round_trip_time,
            self.heard_at,
        )

    def take(self, numbers: int, lost: int, unsent: int) -> None:
        """Add one report's share: sequence numbers covered, those lost, and those of the lost that were never sent."""
        self.acknowledged += numbers
        self.lost += lost
        self.unsent += unsent
        self.fraction_lost = PacketCount(numbers, numbers - lost).fraction_lost

    def date(self, remote: RemoteReceiveStatistics, highest: int, received: int, now: float) -> None:
        """Note when the report came, and what it says of the way to the listener."""
        self.reported_at = now
        self.highest_acknowledged = highest
        self.jitter = remote.jitter
        self.round_trip_time = remote.round_trip_time
        if received > 0:
            self.heard_at = now


class _Span:
    """The numbers of one slot from `first` to `last` (None while it goes on), which carried one talker's packets.

    `unsent` counts the gaps that have explained a reported loss already.
    """

    __slots__ = ("_counter", "_octets", "_packets", "delivery", "first", "last", "unsent")

    def __init__(self, delivery: Delivery | None, first: int, counter: SentCounter) -> None:
        self.delivery = delivery
        self.first = first
        self.last: int | None = None
        self.unsent = 0
        self._counter: SentCounter | None = counter
        self._packets, self._octets = counter.totals()
        if delivery is not None:
            delivery.spans.append(self)

    def sent(self) -> tuple[int, int]:
        """(packets, octets of payload) sent within the span."""
        if self._counter is None:
            return self._packets, self._octets
        packets, octets = self._counter.totals()
        return packets - self._packets, octets - self._octets

    def close(self, last: int) -> None:
        """End the span with the number `last`."""
        self._packets, self._octets = self.sent()
        self._counter = None
        self.last = last
        if self.delivery is not None:
            self.delivery.spans.remove(self)
            self.delivery.forwarded += self._packets
            self.delivery.octets += self._octets

    def gaps(self, highest_sent: int) -> int:
        """Numbers of the span up to `highest_sent` that were never sent: lost on the talker's way to us."""
        last = highest_sent if self.last is None else self.last
        return last - self.first + 1 - self.sent()[0]


class Attribution:
    """Divides the reports on one slot among the talkers whose packets it carried.

    `delivery` is the pair of the present talker and the listener, None while the slot is empty.
    """

    __slots__ = ("_counter", "_highest", "_lost", "_reported", "_spans", "delivery")

    def __init__(self, counter: SentCounter, first: int) -> None:
        """Begin with an empty slot whose first packet will have the extended sequence number `first`."""
        self.delivery: Delivery | None = None
        self._counter = counter
        self._spans = deque([_Span(None, first, counter)])
        self._highest = first - 1
        self._reported: int | None = None
        self._lost = 0

    def begin(self, first: int) -> None:
        """The very first packet of the slot has this number: a receiver counts none from before it."""
        self._spans[-1].first = first
        self._highest = first - 1

    def switch(self, delivery: Delivery | None, first: int) -> None:
        """Attribute the packets from extended sequence number `first` on to `delivery`; None: to nobody."""
        current = self._spans[-1]
        current.close(first - 1)
        if first == current.first:
            self._spans.pop()
        elif len(self._spans) == MOST_SPANS:
            self._forget_oldest()
        self._spans.append(_Span(delivery, first, self._counter))
        self.delivery = delivery

    def report(self, remote: RemoteReceiveStatistics, highest_sent: int, now: float) -> None:
        """Take the report that `remote` has just taken, `highest_sent` being the slot's newest extended number.

        A report that comes after a newer one, or that acknowledges what was not sent, changes nothing.
        """
        highest = self._acknowledged(remote, highest_sent)
        if highest is None or highest < self._highest:
            return
        lost = self._newly_lost(remote, highest - self._highest)
        spans = self._covered(highest)
        self._highest, self._reported, self._lost = highest, remote.highest_sequence, remote.packets_lost
        unsent, left = [], max(0, lost)
        for span, numbers in spans:
            # Numbers that we never sent explain a loss before anything else does. A late packet fills its gap again.
            gaps = min(span.gaps(highest_sent) - span.unsent, numbers, left)
            left -= max(0, gaps)
            unsent.append(gaps)
        shares = divide(lost - sum(unsent), [numbers - gaps for (_, numbers), gaps in zip(spans, unsent, strict=True)])
        for (span, numbers), gaps, share in zip(spans, unsent, shares, strict=True):
            span.unsent += gaps
            if span.delivery is not None:
                span.delivery.take(numbers, gaps + share, gaps)
                last = highest if span.last is None else min(highest, span.last)
                span.delivery.date(remote, last, numbers - gaps - share, now)

    def _acknowledged(self, remote: RemoteReceiveStatistics, highest_sent: int) -> int | None:
        """The extended number that a report acknowledges, in our count; None for one that was not sent.

        The receiver counts cycles by itself, so that from the second report on its numbers move as ours do.
        """
        if self._reported is not None and remote.highest_sequence is not None:
            moved = ((remote.highest_sequence - self._reported + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            if -SEQUENCE_MODULUS // 2 < moved <= highest_sent - self._highest:
                return self._highest + moved
        return remote.acknowledged(highest_sent)

    def _newly_lost(self, remote: RemoteReceiveStatistics, numbers: int) -> int:
        """Packets lost of the `numbers` since the report before; negative when late ones or duplicates have come."""
        lost = remote.packets_lost - self._lost
        if lost < -MAX_MISORDER or remote.packets_lost >= MAX_CUMULATIVE_LOST:
            # The receiver has begun to count anew, or its 24 bits are full.
            lost = round(remote.fraction_lost * numbers)
        return min(lost, numbers)

    def _covered(self, highest: int) -> "list[tuple[_Span, int]]":
        """The spans that a report up to `highest` covers, each with how many of its numbers are new to us.

        Spans from before the last of them are dropped. A report of nothing new covers the span of its number.
        """
        covered, spans = self._highest, []
        while True:
            span = self._spans[0]
            last = highest if span.last is None else min(highest, span.last)
            if last > covered or last == highest:
                spans.append((span, last - covered))
            if last == highest:
                return spans
            covered = last
            self._spans.popleft()

    def _forget_oldest(self) -> None:
        """Give up the oldest span: its numbers count as covered, and no delivery is credited with them."""
        self._spans.popleft()
        before, self._highest = self._highest, max(self._highest, self._spans[0].first - 1)
        if self._reported is not None:
            self._reported = (self._reported + self._highest - before) & 0xFFFFFFFF


def divide(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts, in proportion to `weights`; without any weight the last part is all of it."""
    whole, passed, given, parts = sum(weights), 0, 0, []
    for weight in weights[:-1]:
        passed += weight
        parts.append(total * passed // whole - given if whole else 0)
        given += parts[-1]
    return [*parts, total - given]
