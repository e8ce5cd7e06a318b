"""The SSRCs that one endpoint sends (synchronization sources, RFC 3550 section 3), each with a stream or keys. Pure.

The first packet of media of an SSRC begins a stream. A telephone event begins none: its SSRC is remembered, so that
libsrtp's replay list of it stays, and its keys are reported. `now` is in monotonic seconds.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sfu.answer import Negotiated, still_sent
from sfu.dtmf import KeyPress
from sfu.limits import PacketBudget
from sfu.listener import StreamBegan, StreamEnded
from sfu.srtp import SrtpContext
from sfu.stream import AUDIO, InboundStream, StreamFormat

MAX_SSRCS = 8
"""SSRCs that one endpoint may send at a time. A further one takes the place of the one silent longest."""

NEW_SSRCS, NEW_SSRCS_AT_ONCE = 20.0, 40
"""Packets of further SSRCs that are decrypted a second, and at once after a pause; the rest are dropped unread.

libsrtp looks through all SSRCs that it knows for each packet.
"""

FORGET_SECONDS = 30.0
"""An SSRC that has sent nothing for so long is forgotten."""


@dataclass(frozen=True, slots=True)
class BareKeyPress:
    """A telephone event on an SSRC that has no stream. `timestamp` is the RTP timestamp of its packet."""

    ssrc: int
    key: KeyPress
    clock_rate: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class KeysEnded:
    """An SSRC that has sent telephone events only is forgotten."""

    ssrc: int


SourceEvent = StreamBegan | StreamEnded | BareKeyPress | KeysEnded


@dataclass(slots=True)
class KeySource:
    """An SSRC that has sent telephone events and no media: the newest sequence number, and when it came."""

    sequence: int
    last_arrival: float = -math.inf


class Sources:
    """The inbound SSRCs of one endpoint. `formats` are the payload types of media that an offer has agreed on."""

    def __init__(self, participant_id: str, stream_ids: Iterator[int], emit: Callable[[SourceEvent], None]) -> None:
        """Begin with none. `stream_ids` are those of the whole server."""
        self.streams: dict[int, InboundStream] = {}
        self.keys: dict[int, KeySource] = {}
        self.formats: dict[int, StreamFormat] = {}
        self.srtp: SrtpContext | None = None
        self._participant = participant_id
        self._stream_ids = stream_ids
        self._emit = emit
        self._senders: tuple[Negotiated, ...] = ()
        self._ended_packets = 0
        self._newcomers = PacketBudget(NEW_SSRCS, NEW_SSRCS_AT_ONCE)

    def __contains__(self, ssrc: int) -> bool:
        return ssrc in self.streams or ssrc in self.keys

    @property
    def packets_received(self) -> int:
        """Packets of all streams so far, those that have ended too: it never falls."""
        return self._ended_packets + sum(stream.statistics.packets_received for stream in self.streams.values())

    def admits(self, ssrc: int, now: float) -> bool:
        """Whether to decrypt a packet of an SSRC without a stream."""
        return len(self.streams) + len(self.keys) < MAX_SSRCS or ssrc in self.keys or self._newcomers.allow(now)

    def begin(self, ssrc: int, form: StreamFormat, first: tuple[int, int], now: float) -> InboundStream:
        """Begin the stream of an SSRC. `first` are the sequence number and timestamp of its first packet of media."""
        if self.keys.pop(ssrc, None) is None:
            self._make_room(ssrc)
        stream = InboundStream(next(self._stream_ids), self._participant, ssrc, form, first, now)
        self.streams[ssrc] = stream
        self._emit(StreamBegan(stream))
        return stream

    def press(self, bare: BareKeyPress, sequence: int, now: float) -> None:
        """Take an authentic telephone event of an SSRC without a stream. A late packet tells nothing new."""
        source = self.keys.get(bare.ssrc)
        if source is None:
            self._make_room(bare.ssrc)
            source = self.keys[bare.ssrc] = KeySource(sequence)
        elif not 0 < (sequence - source.sequence) & 0xFFFF < 1 << 15:
            return
        source.sequence, source.last_arrival = sequence, now
        self._emit(bare)

    def negotiate(self, senders: Sequence[Negotiated]) -> None:
        """Take the sending lines of an offer, and end the streams whose sender it has ended or replaced."""
        for ssrc, stream in list(self.streams.items()):
            if not still_sent(ssrc, stream.payload_type, self._senders, senders):
                self.forget(ssrc)
        if not senders:
            for ssrc in list(self.keys):
                self.forget(ssrc)
        self._senders = tuple(senders)
        self.formats = {line.payload_type: StreamFormat(AUDIO, line.payload_type, line.clock_rate) for line in senders}

    def expire(self, now: float) -> None:
        """Forget the SSRCs that have ended without a BYE."""
        sources: dict[int, InboundStream | KeySource] = {**self.streams, **self.keys}
        for ssrc, source in sources.items():
            if now - source.last_arrival > FORGET_SECONDS:
                self.forget(ssrc)

    def forget(self, ssrc: int) -> None:
        """An SSRC has ended."""
        stream = self.streams.pop(ssrc, None)
        if stream is not None:
            self._ended_packets += stream.statistics.packets_received
            self._emit(StreamEnded(stream))
        elif self.keys.pop(ssrc, None) is not None:
            self._emit(KeysEnded(ssrc))
        if self.srtp is not None:
            self.srtp.rest(ssrc)

    def _make_room(self, ssrc: int) -> None:
        """Give an SSRC a place. Where all are taken, the one silent longest is forgotten; an active stream stays."""
        if len(self.streams) + len(self.keys) >= MAX_SSRCS:
            silent = {ssrc: source.last_arrival for ssrc, source in self.keys.items()}
            silent |= {ssrc: stream.last_arrival for ssrc, stream in self.streams.items() if not stream.active}
            self.forget(min(silent, key=silent.__getitem__))
        if self.srtp is not None:
            self.srtp.wake(ssrc)
