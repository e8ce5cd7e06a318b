"""Telephone events: DTMF tones as RTP payload (RFC 4733), read, written, and timed. Pure.

`Dialler` says when which packet of a tone is to be sent, `ToneReader` makes one tone of the many packets that tell of
it. `now` is monotonic seconds; durations on the wire are ticks of the clock rate that the event format was negotiated
with, which need not be the voice's.
"""

import math
from collections import deque
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from sfu.errors import MalformedPacket
from sfu.limits import PacketBudget
from sfu.opus import OPUS_CLOCK
from sfu.rtp import Octets

TONES: Final = "0123456789*#ABCD"
"""The tone of each event code 0-15 (RFC 4733 section 3.2, table 3)."""

PAUSE: Final = ","
"""What waits for `PAUSE_SECONDS` among tones, as in the W3C's `insertDTMF`."""

PAUSE_SECONDS = 2.0
LONGEST_DURATION = 0xFFFF
"""Ticks that the duration field can say (section 2.3.5); an event that lasts longer is told in segments."""

INTERVAL = 0.02
"""Seconds from one packet of an event to the next: as the voice beside it. Section 2.5.1.2 wants 50 ms at most."""

END_PACKETS = 3
"""How often the end of an event is sent (section 2.5.1.4)."""

VOLUME = 10
"""-dBm0 of the tones that we make; section 2.3.4 has 0 to -36 for what a receiver must accept."""

SILENT_SECONDS = 0.5
"""An event of which nothing more is heard for so long has ended, and its end packets are lost."""

MOST_WAITING = 64
"""Tones of one participant that wait to be sent."""

_PAYLOAD = Struct("!BBH")
_END = 0x80
_VOLUME_MASK = 0x3F


class EventFormat(NamedTuple):
    """How one side wants telephone events: the payload type is the client's, the clock rate in Hz."""

    payload_type: int
    clock_rate: int


class KeyPress(NamedTuple):
    """What one packet tells of an event (RFC 4733 section 2.3): `duration` in ticks so far, `volume` in -dBm0."""

    code: int
    end: bool
    volume: int
    duration: int

    def payload(self) -> bytes:
        """The four octets of section 2.3; the reserved bit is 0 (section 2.3.3)."""
        return _PAYLOAD.pack(self.code, (_END if self.end else 0) | self.volume, self.duration)

    def at_rate(self, ours: int, theirs: int) -> "KeyPress":
        """The same with its duration in another clock rate: never 0, which would mean a state, nor past the field."""
        if ours == theirs:
            return self
        return self._replace(duration=min(LONGEST_DURATION, max(1, self.duration * theirs // ours)))


def parse_key_press(payload: Octets) -> KeyPress:
    """One DTMF event. Raises MalformedPacket for what is none.

    That is: another length (several events in one packet, section 2.5.1.5, are for tones shorter than a packet), codes
    above 15, which nobody has negotiated, and the duration 0 of states (section 2.3.5).
    """
    if len(payload) != _PAYLOAD.size:
        raise MalformedPacket(f"a telephone event of {len(payload)} octets")
    code, second, duration = _PAYLOAD.unpack(payload)
    if code >= len(TONES) or duration == 0:
        raise MalformedPacket(f"the telephone event {code} of duration {duration}")
    return KeyPress(code, bool(second & _END), second & _VOLUME_MASK, duration)


@dataclass(frozen=True, slots=True)
class Keys:
    """Tones to be sent one after the other: of `TONES` or `PAUSE`. Seconds each lasts, and between two of them."""

    tones: str
    duration: float = 0.1
    gap: float = 0.07


class Tone(NamedTuple):
    """One tone that was sent, whole. `duration` in seconds."""

    participant: str
    tone: str
    duration: float


class Step(NamedTuple):
    """One packet of an event that is to be sent now.

    The event began at `begun`; `before` and `elapsed` are seconds of it that were told before, and now. `first` bears
    the marker (RFC 4733 section 2.2.2). `told` is the first of the packets that tell of the end.
    """

    code: int
    begun: float
    before: float
    elapsed: float
    first: bool
    end: bool
    told: bool

    def events(self, clock_rate: int) -> list[tuple[int, KeyPress]]:
        """(ticks since the beginning at which the segment starts, what to say) in this clock rate, in order.

        One packet, and one more where a segment is full (section 2.5.1.3): it ends with the longest duration and
        without E bit; the next one begins where it ends, without marker.
        """
        ticks, before = max(1, round(self.elapsed * clock_rate)), round(self.before * clock_rate)
        segment, former = (ticks - 1) // LONGEST_DURATION, (before - 1) // LONGEST_DURATION
        start = segment * LONGEST_DURATION
        found = [(start, KeyPress(self.code, self.end, VOLUME, ticks - start))]
        if before and former < segment and before < start:
            found.insert(0, (former * LONGEST_DURATION, KeyPress(self.code, False, VOLUME, LONGEST_DURATION)))
        return found


class Dialler:
    """The keys that one participant has pressed, and when which packet of them is due. An engine without a wire.

    A tone begins when the one before it and its gap are over; its first packet tells of the first `INTERVAL` of it,
    the last three of all of it (RFC 4733 sections 2.5.1.2 and 2.5.1.4).
    """

    def __init__(self) -> None:
        """Begin with nothing pressed."""
        self._waiting: deque[tuple[str, float, float]] = deque()
        self._free_at = -math.inf
        self._code = -1
        self._begun = self._lasts = self._told = 0.0
        self._ends = 0

    @property
    def waiting(self) -> int:
        """Tones and pauses that have not begun."""
        return len(self._waiting)

    def press(self, keys: Keys, now: float) -> None:
        """Send these after those that wait."""
        if not self._waiting and self._code < 0:
            self._free_at = max(self._free_at, now)
        self._waiting.extend((tone, keys.duration, keys.gap) for tone in keys.tones)

    def deadline(self) -> float:
        """When the next packet is due; infinity when nothing is left to be sent."""
        if self._code < 0:
            return self._free_at if self._waiting else math.inf
        if self._ends:
            return self._begun + self._lasts + self._ends * INTERVAL
        return self._begun + min(self._lasts, self._told + INTERVAL)

    def advance(self, now: float) -> list[Step]:
        """The packets that are due, in order. Of updates that were missed only the newest is sent."""
        steps: list[Step] = []
        while self.deadline() <= now:
            if self._code < 0:
                self._begin()
            else:
                steps.append(self._step(now))
        return steps

    def _begin(self) -> None:
        """Take the next tone or pause."""
        tone, duration, gap = self._waiting.popleft()
        if tone == PAUSE:
            self._free_at += PAUSE_SECONDS
            return
        self._code = TONES.index(tone)
        self._begun, self._lasts, self._told, self._ends = self._free_at, duration, 0.0, 0
        self._free_at += duration + gap

    def _step(self, now: float) -> Step:
        before = self._told
        due = (now - self._begun) // INTERVAL * INTERVAL if before else INTERVAL
        elapsed = min(self._lasts, max(due, before + INTERVAL))
        end = elapsed >= self._lasts
        step = Step(self._code, self._begun, before, elapsed, before == 0, end, end and self._ends == 0)
        self._told = elapsed
        if end:
            self._ends += 1
            if self._ends == END_PACKETS:
                self._code = -1
        return step


class ToneReader:
    """Makes one tone of the packets that tell of it. What a tone lasts is known at its end, so then it is told.

    Updates, and the second and third end packet, have the timestamp of the event's beginning, and so are known (RFC
    4733 sections 2.2.1 and 2.5.1.4); a further segment of a long event begins where the one before is full (2.5.2.3).
    More tones than fingers can press are not told.
    """

    def __init__(self, participant: str) -> None:
        """Begin before the first event."""
        self._participant = participant
        self._code = -1
        self._timestamp = 0
        self._clock_rate = 1
        self._before = self._duration = 0
        self._open = False
        self._heard_at = 0.0
        self._budget = PacketBudget(rate=1 / 0.07, burst=16)

    @property
    def open(self) -> bool:
        """Whether a tone has begun whose end has not been heard."""
        return self._open

    def add(self, event: KeyPress, timestamp: int, clock_rate: int, now: float) -> list[Tone]:
        """Take one packet; the tones that are known now, whole."""
        found: list[Tone] = []
        if self._code >= 0:
            ahead = (timestamp - self._timestamp) & 0xFFFFFFFF
            if ahead >= 1 << 31 or (ahead == 0 and not self._open):
                return found
            if ahead and self._continues(event, ahead):
                self._before += LONGEST_DURATION
                self._timestamp, self._duration = timestamp, 0
            elif ahead:
                found += self._close(now)
                self._begin(event, timestamp, clock_rate)
        else:
            self._begin(event, timestamp, clock_rate)
        self._heard_at = now
        self._duration = max(self._duration, event.duration)
        if event.end:
            found += self._close(now)
        return found

    def expire(self, now: float) -> list[Tone]:
        """The tone whose end packets are all lost."""
        return self._close(now) if now >= self.deadline() else []

    def deadline(self) -> float:
        """When an open tone is over if no packet of it comes; infinity without one."""
        return self._heard_at + SILENT_SECONDS if self._open else math.inf

    def _begin(self, event: KeyPress, timestamp: int, clock_rate: int) -> None:
        self._code, self._timestamp, self._clock_rate = event.code, timestamp, clock_rate
        self._before = self._duration = 0
        self._open = True

    def _continues(self, event: KeyPress, ahead: int) -> bool:
        """Senders count the step of a segment in the event's clock rate or in the voice's."""
        scaled = LONGEST_DURATION * OPUS_CLOCK // self._clock_rate
        return self._open and event.code == self._code and ahead in (LONGEST_DURATION, scaled)

    def _close(self, now: float) -> list[Tone]:
        if not self._open:
            return []
        self._open = False
        if not self._budget.allow(now):
            return []
        return [Tone(self._participant, TONES[self._code], (self._before + self._duration) / self._clock_rate)]
