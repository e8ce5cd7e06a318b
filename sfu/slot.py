"""A slot: one outgoing audio stream of an endpoint, through which the server sends different participants over time.

Its SSRC lasts as long as the connection. A switch of speaker continues the sequence without a gap and moves the
timestamp by the elapsed time, with the marker bit set (RFC 3550 section 5.1, RFC 3551 section 4.1), so that a receiver
sees one stream that never restarts. Pure: counters are derived from those of the source's slot table, as nothing is
counted per packet and slot.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from quality.delivery import Attribution, Delivery
from quality.send import RemoteReceiveStatistics, ReportedReception
from sfu.dtmf import EventFormat
from sfu.forward import ExtensionBlock, SendingSocket, Target, extension_block
from sfu.opus import OPUS_CLOCK
from sfu.stream import USUAL_FRAME, InboundPacket, InboundStream

MARKER = 0x80


@dataclass(frozen=True, slots=True)
class SlotFormat:
    """What the receiver negotiated for a slot's m-line; ids are the receiver's own, `clock_rate` is in Hz."""

    mid: str
    payload_type: int
    level_id: int | None = None
    mid_id: int | None = None
    events: EventFormat | None = None
    clock_rate: int = OPUS_CLOCK


@dataclass(frozen=True, slots=True)
class Route:
    """How packets reach an endpoint: its outbound SRTP session, the socket, and its pinned socket address."""

    session: Any
    socket: SendingSocket
    address: int


class Counter(Protocol):
    """Counts what goes to all slots of a stream at once, so that nothing is counted per packet and slot."""

    packets: int
    octets: int


class Tally:
    """What went through one slot, reckoned from the counters of the streams that it was in."""

    __slots__ = ("_counter", "_octets", "_packets")

    def __init__(self) -> None:
        """Begin at nothing."""
        self._counter: Counter | None = None
        self._packets = 0
        self._octets = 0

    def totals(self) -> tuple[int, int]:
        """(packets, payload octets) sent through the slot in its whole life (RFC 3550 section 6.4.1)."""
        if self._counter is None:
            return self._packets, self._octets
        return self._packets + self._counter.packets, self._octets + self._counter.octets

    def begin(self, counter: Counter) -> None:
        """From now on whatever `counter` counts went through this slot."""
        self._counter = counter
        self.correct(-counter.packets, -counter.octets)

    def end(self) -> None:
        """Undo `begin`, keeping what was counted."""
        self._packets, self._octets = self.totals()
        self._counter = None

    def correct(self, packets: int, octets: int) -> None:
        """Some were sent that the counter does not know of, or fewer than it says."""
        self._packets += packets
        self._octets += octets


class Slot:
    """The state of one slot.

    `participant` is who is assigned to it, `stream` whose packets go through it just now; `fresh` until the first of
    them is sent. `owed` is the delay in ticks by which the present speaker is sent late, because their first syllable
    was sent first; `rested` the (sequence, timestamp, arrival) after which a pause is left out to give it back.
    """

    def __init__(self, form: SlotFormat, ssrc: int, first_sequence: int, first_timestamp: int) -> None:
        """Make an empty slot; the first numbers are random (RFC 3550 section 5.1)."""
        self.form = form
        self.ssrc = ssrc
        self.route: Route | None = None
        self.participant: str | None = None
        self.stream: InboundStream | None = None
        self.fresh = False
        self.owed = 0
        self.rested: tuple[int, int, float] | None = None
        self.base = 0
        self.sends_mid = form.mid_id is not None
        self._extension = extension_block(form.mid, form.mid_id, form.level_id)
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._next_sequence = first_sequence
        self._last_timestamp = first_timestamp
        self._last_at: float | None = None
        self._frame = round(USUAL_FRAME * form.clock_rate)
        self.remote = RemoteReceiveStatistics(form.clock_rate)
        self.tally = Tally()
        self.attribution = Attribution(self.tally, first_sequence)

    def assign(self, participant: str | None, delivery: Delivery | None) -> None:
        """Give the slot to `participant`, whose packets to this listener `delivery` measures; None: to nobody.

        No stream is bound at that moment.
        """
        self.participant = participant
        self.attribution.switch(delivery, self._next_sequence)

    def reported(self, block: ReportedReception, arrival_middle: int, arrival: float) -> None:
        """Take the listener's report on this slot; arguments as `RemoteReceiveStatistics.update`.

        Who reports on our SSRC knows its MID, which need not be sent any longer (RFC 9143 section 15).
        """
        if self.sends_mid:
            self.sends_mid = False
            self._extension = extension_block(None, None, self.form.level_id)
        self.remote.update(block, arrival_middle, arrival)
        self.attribution.report(self.remote, self._highest_sent, arrival)

    @property
    def _highest_sent(self) -> int:
        """The extended sequence number of the newest packet that was sent."""
        if self.stream is None or self.fresh:
            return self._next_sequence - 1
        newest = self.stream.highest if self.rested is None else self.rested[0]
        return newest + self._sequence_offset

    def bind(self, stream: InboundStream, base: int) -> None:
        """Continue with `stream` from its extended sequence number `base`."""
        self.stream = stream
        self.fresh = True
        self.base = base
        self._sequence_offset = self._next_sequence - base

    def begin(self, sequence: int, timestamp: int, arrival: float) -> None:
        """The first packet since the switch is about to be sent, with the source's own numbers.

        It is sent as long after the last one as it came after it, less the delay that is owed, but never so near that
        the two would overlap: a receiver would take it for late.
        """
        moved = 0
        if self._last_at is None:
            self.attribution.begin(sequence + self._sequence_offset)
        else:
            elapsed = round((arrival - self._last_at) * self.form.clock_rate)
            moved = max(self._frame, elapsed - self.owed)
            self.owed += moved - elapsed
        self._timestamp_offset = self._last_timestamp + moved - timestamp

    def unbind(self) -> None:
        """Stop sending the present stream; the next one continues where it ended."""
        stream = self.stream
        if stream is None:
            return
        if not self.fresh:
            newest = (stream.highest, stream.highest_timestamp, stream.highest_arrival)
            sequence, timestamp, self._last_at = newest if self.rested is None else self.rested
            self._next_sequence = sequence + 1 + self._sequence_offset
            self._last_timestamp = timestamp + self._timestamp_offset
            self._frame = stream.frame()
        self.stream = None
        self.fresh = False
        self.rested = None

    def rest(self) -> None:
        """The speaker pauses: send nothing until the delay that this slot owes is given back."""
        stream = self.stream
        if stream is not None:
            self.rested = (stream.highest, stream.highest_timestamp, stream.highest_arrival)
            self._frame = stream.frame()

    def skip(self, sequence: int) -> None:
        """The source's newest packet is not for this receiver: the next one takes its number, so that none is missed.

        In a rest there is nothing to do, as `resume` goes on from its own packet.
        """
        if self.fresh:
            self.base = sequence + 1
            self._sequence_offset = self._next_sequence - self.base
        elif self.rested is None:
            self.base = sequence + 1
            self._sequence_offset -= 1

    def insert(self, timestamp: int, begun: float) -> int:
        """The sequence number of a packet of our own; the stream goes on after it (RFC 4733 section 2.5.1.6).

        `timestamp` is the packet's and `begun` the time that it stands for. Late packets of the stream from before it
        are sent no more: their numbers are others' now.
        """
        if self.stream is None or self.fresh:
            number = self._next_sequence
            self._next_sequence += 1
            self._last_timestamp, self._last_at = timestamp, begun
        else:
            newest = self.stream.highest if self.rested is None else self.rested[0]
            number = newest + 1 + self._sequence_offset
            self.base = newest + 1
        self._sequence_offset += 1
        return number

    def resume(self, packet: InboundPacket, *, voiced: bool = True) -> None:
        """Go on with `packet` if it ends the rest: all of the delay is given back, or the speaker goes on (`voiced`).

        The sequence has no gap, and the timestamps are nearer to their own time again.
        """
        if self.rested is None or packet.sequence <= self.rested[0]:
            return
        sequence, timestamp, _ = self.rested
        paused = self._paused(packet, timestamp) - self._frame
        if not voiced and paused < self.owed:
            return
        given = max(0, min(self.owed, paused))
        self._sequence_offset -= packet.sequence - sequence - 1
        self._timestamp_offset -= given
        self.owed -= given
        self.base = packet.sequence
        self.rested = None

    @staticmethod
    def _paused(packet: InboundPacket, since: int) -> int:
        """Ticks from `since` to `packet`, over the wrap at 2**32; 0 for one from before."""
        ticks = (packet.timestamp - since) & 0xFFFFFFFF
        return ticks if ticks < 1 << 31 else 0

    def takes(self, sequence: int) -> bool:
        """Whether the packet of this extended number may go through: a late one of before a switch may not.

        Its number is another's now. In a rest only what is late from before it is sent.
        """
        if self.route is None or sequence < self.base:
            return False
        return self.rested is None or sequence <= self.rested[0]

    def target(self, payload_type: int | None = None) -> tuple[SendingSocket, ExtensionBlock, Target] | None:
        """This slot for the packet step, or None while it has no route. `payload_type` is another than the voice's."""
        route = self.route
        if route is None:
            return None
        kind = (self.form.payload_type if payload_type is None else payload_type) | (MARKER if self.fresh else 0)
        target = Target(route.session, self.ssrc, self._sequence_offset, self._timestamp_offset, kind, route.address)
        return route.socket, self._extension, target

    def timestamp_at(self, now: float) -> int:
        """The slot's RTP timestamp at `now`, for a sender report (RFC 3550 section 6.4.1)."""
        if self.stream is not None and not self.fresh:
            return (self.stream.timestamp_at(now) + self._timestamp_offset) & 0xFFFFFFFF
        if self._last_at is None:
            return self._last_timestamp & 0xFFFFFFFF
        return (self._last_timestamp + round((now - self._last_at) * self.form.clock_rate)) & 0xFFFFFFFF
