"""An inbound stream: one RTP stream that a participant sends (RFC 7656 section 2.1.10), under an id of our own.

An SSRC may change and may collide with another participant's, so nothing is keyed by it outside its endpoint. The id is
unique in the server.
"""

from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from quality.receive import ReceiveStatistics
from quality.sequence import MAX_DROPOUT
from sfu.dtmf import KeyPress
from sfu.voice import VoiceActivity

Kind = Literal["audio"]
"""What a stream carries. Slots, selection and voice detection are those of audio."""

AUDIO: Final = "audio"

USUAL_FRAME = 0.02
"""Seconds of the frame that nearly every Opus sender uses."""

LONGEST_FRAME = 0.12
"""Seconds, the most that one Opus packet holds (RFC 6716 section 3.2.5)."""

RING_PACKETS = 20
"""About 400 ms of 20 ms packets: what a speaker said just before they were switched in."""


class StreamFormat(NamedTuple):
    """What a stream carries, under which payload type of the client, and the clock rate of its timestamps in Hz."""

    kind: Kind
    payload_type: int
    clock_rate: int


class InboundPacket:
    """The packet being handled: one record for each stream, filled again for every packet.

    `sequence` is extended (RFC 3550 appendix A.1); `timestamp` in clock ticks; `marker` 0 or 0x80; `level` 0..127
    (-dBov, RFC 6464), an estimate where the client sends none; `payload` the Opus packet, opaque to us.
    """

    __slots__ = ("level", "marker", "payload", "sequence", "timestamp")

    def __init__(self, sequence: int = 0, timestamp: int = 0, marker: int = 0, level: int = 127) -> None:
        """Start as an empty packet."""
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
        self.level = level
        self.payload = b""


PacketHandler = Callable[["InboundStream", InboundPacket, float], None]
KeyPressHandler = Callable[["InboundStream", KeyPress, int, float], None]
"""Takes an event, the clock rate of its duration, and its arrival; the rest stands in the stream's packet."""

ClockHandler = Callable[["InboundStream", int, int, float], None]
"""Takes what a sender report says of the sender's clock (64-bit NTP time, RTP timestamp), and its arrival."""


class InboundStream:
    """State of one inbound stream: its format, what was received, the voice in it, and the handlers of each packet.

    `active`: the room follows this stream, and not another one of the same kind and participant. `handlers` is empty
    while the participant may not be heard, so that a mute costs nothing and cannot be overlooked; `on_event` is then
    None. `on_clock` takes sender reports, muted or not. `downlink_loss` (0..1) is what its listeners lose, at the 90th
    percentile.
    """

    __slots__ = (
        "active",
        "clock_rate",
        "downlink_loss",
        "handlers",
        "highest",
        "highest_arrival",
        "highest_timestamp",
        "id",
        "kind",
        "on_clock",
        "on_event",
        "on_voice",
        "packet",
        "participant",
        "payload_type",
        "ring",
        "ssrc",
        "statistics",
        "voice",
    )

    def __init__(
        self, stream_id: int, participant: str, ssrc: int, form: StreamFormat, first: tuple[int, int], now: float
    ) -> None:
        """Begin a stream just before its first packet, whose RTP sequence number and timestamp are `first`."""
        self.id = stream_id
        self.participant = participant
        self.ssrc = ssrc
        self.kind, self.payload_type, self.clock_rate = form
        self.active = False
        self.statistics = ReceiveStatistics(form.clock_rate)
        self.voice = VoiceActivity()
        self.packet = InboundPacket()
        self.handlers: tuple[PacketHandler, ...] = ()
        self.on_voice: Callable[[InboundStream, float], None] | None = None
        self.on_event: KeyPressHandler | None = None
        self.on_clock: ClockHandler | None = None
        self.ring: deque[tuple[int, int, int, bytes]] = deque(maxlen=RING_PACKETS)
        self.highest = first[0] - 1
        self.highest_timestamp = first[1]
        self.highest_arrival = now
        self.downlink_loss = 0.0

    @property
    def last_arrival(self) -> float:
        """When the last packet came, a telephone event too, in monotonic seconds; before the first, when it began."""
        arrival = self.statistics.last_arrival
        return self.highest_arrival if arrival is None else arrival

    def take(self, arrival: float) -> None:
        """Handle `self.packet`, which has just been filled: voice first, so that its first packet finds its slots.

        Whoever hears of the voice still finds `highest` as it was: the last packet that was handed on.
        """
        packet = self.packet
        sequence = packet.sequence
        ahead = sequence - self.highest
        if ahead >= MAX_DROPOUT and self._is_stray(sequence):
            return
        handlers = self.handlers
        if handlers and self.voice.add(packet.level, arrival) and self.on_voice is not None:
            self.on_voice(self, arrival)
        if ahead > 0:
            self.highest = sequence
            self.highest_timestamp = packet.timestamp
            self.highest_arrival = arrival
        if handlers:
            for handle in handlers:
                handle(self, packet, arrival)
            self.ring.append((sequence, packet.timestamp, packet.level, packet.payload))

    def take_event(self, event: KeyPress, clock_rate: int, arrival: float) -> None:
        """Handle a telephone event, whose numbers are in `self.packet`: no voice, so all that is known of it stays.

        The times of the newest voice stay too, as an event has the timestamp of its beginning. What was said before a
        key was pressed is no first syllable of what is said after it.
        """
        sequence = self.packet.sequence
        ahead = sequence - self.highest
        if ahead >= MAX_DROPOUT and self._is_stray(sequence):
            return
        if ahead > 0:
            self.highest = sequence
        if self.on_event is not None:
            self.ring.clear()
            self.on_event(self, event, clock_rate, arrival)

    def clock_reported(self, ntp: int, rtp_timestamp: int, arrival: float) -> None:
        """Handle a sender report: `rtp_timestamp` of this stream is the sender's wall clock `ntp` (RFC 3550 6.4.1)."""
        if self.on_clock is not None:
            self.on_clock(self, ntp, rtp_timestamp, arrival)

    def _is_stray(self, sequence: int) -> bool:
        """Far ahead, and not where the statistics say that the stream goes on: one odd packet (RFC 3550 A.1)."""
        return sequence & 0xFFFFFFFF != self.statistics.highest_sequence

    def hush(self) -> None:
        """Forget what was said: nobody may hear it, now or later."""
        self.ring.clear()
        self.voice.silence()

    def frame(self) -> int:
        """Ticks that one packet lasts, by the newest two that followed each other; 20 ms where that is not known."""
        longest = round(LONGEST_FRAME * self.clock_rate)
        for (sequence, timestamp, _, _), (before, start, _, _) in pairwise(reversed(self.ring)):
            ticks = (timestamp - start) & 0xFFFFFFFF
            if sequence == before + 1 and 0 < ticks <= longest:
                return ticks
        return round(USUAL_FRAME * self.clock_rate)

    def timestamp_at(self, now: float) -> int:
        """The source's RTP timestamp at local time `now`, reckoned from its newest packet."""
        return self.highest_timestamp + round((now - self.highest_arrival) * self.clock_rate)
