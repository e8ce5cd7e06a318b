"""Which of a participant's streams of one kind the room follows: the one that is really sending. Pure.

A client changes its SSRC when a track is replaced or an audio device changes, and nothing on the wire says which of
two SSRCs it means. So the first stream is active, and the others stand by. A standby stream takes over with its third
packet in a row if the active stream has sent nothing meanwhile, and not for 50 ms. One packet of another SSRC changes
nothing. Two streams that both send all the time are rivals: loss and jitter make gaps in the active one, so that a
rival takes over only after 300 ms. `now` is in monotonic seconds.
"""

import math
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from sfu.stream import InboundStream

TAKEOVER_PACKETS = 3
"""Packets of a standby stream, with none of the active one between them, that make a takeover."""

TAKEOVER_SILENCE = 0.05
"""Seconds for which the active stream has been silent by then: a burst after a stall of the network is no takeover."""

RIVAL_TURNS = 10
"""Packets of the active stream between those of a standby one that make it a rival: some 200 ms side by side."""

RIVAL_SILENCE = 0.3
"""Seconds for which the active stream has been silent before a rival takes over."""

RIVAL_MEMORY = 1.0
"""A standby stream that sends nothing for so many seconds is no rival any more."""


class _Run(NamedTuple):
    """A standby stream's packets since the active one's last, which came at `since`; `turns` between them before."""

    packets: int
    since: float
    turns: int
    at: float


class ActiveStream:
    """The active stream, None before the first one, and the runs of packets of those that stand by.

    A second kind of media of the same participant has an `ActiveStream` of its own.
    """

    __slots__ = ("_runs", "stream")

    def __init__(self) -> None:
        """Begin without a stream."""
        self.stream: InboundStream | None = None
        self._runs: dict[int, _Run] = {}

    def choose(self, stream: InboundStream | None) -> None:
        """Make `stream` the active one."""
        if self.stream is not None:
            self.stream.active = False
        if stream is not None:
            stream.active = True
        self.stream = stream
        self._runs.clear()

    def forget(self, stream: InboundStream) -> None:
        """A standby stream has ended."""
        self._runs.pop(stream.id, None)

    def taken_over(self, standby: InboundStream, now: float) -> bool:
        """Count one packet of a standby stream. True if that stream should be the active one from this packet on."""
        since = -math.inf if self.stream is None else self.stream.last_arrival
        packets, counted_since, turns, at = self._runs.get(standby.id, _Run(0, since, 0, now))
        if counted_since != since:
            packets, turns = 0, turns + 1
        if now - at > RIVAL_MEMORY:
            turns = 0
        packets += 1
        self._runs[standby.id] = _Run(packets, since, turns, now)
        silence = TAKEOVER_SILENCE if turns < RIVAL_TURNS else RIVAL_SILENCE
        return packets >= TAKEOVER_PACKETS and now - since >= silence


def newest(streams: Iterable[InboundStream]) -> InboundStream | None:
    """The stream that has sent last: it follows an active stream that has ended."""
    return max(streams, key=attrgetter("last_arrival"), default=None)
