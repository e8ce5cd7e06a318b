"""A probe of presence and levels: who is in a room, who speaks, how loudly, and packets a second.

Every room has one, attached as any listener (`sfu/listener.py`). It takes no packets, as all that it says stands in the
streams already, so that a packet costs nothing more; `read` may be called at any time and changes nothing. Pure; `now`
is in monotonic seconds.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sfu.listener import (
    ParticipantJoined,
    ParticipantLeft,
    RoomClosed,
    RoomEvent,
    StreamBegan,
    StreamEnded,
)
from sfu.observer import Speaker
from sfu.stream import InboundStream, PacketHandler
from sfu.voice import VoiceActivity

STEP_DB = 3.0
"""Speakers are reported again when a level has moved by about so much."""

SHORTEST = 0.02
"""Seconds: a rate is never taken over less, as one packet stands for so much at least."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One participant at one moment."""

    participant: str
    speaking: bool
    level: float
    """Linear, 0..1, smoothed, as the W3C's audioLevel; 0 while the participant is muted or sends nothing."""
    packets_per_second: float
    """RTP packets that come from the participant, muted or not, over the last second or two."""


class _Count(NamedTuple):
    """How many packets of a stream had come at a time."""

    at: float
    packets: int


class _Rate:
    """Packets a second of one stream, over a window that began at the last measure but one."""

    def __init__(self, stream: InboundStream, now: float) -> None:
        """Begin to count at `now`."""
        self._stream = stream
        self._former = self._last = _Count(now, stream.statistics.packets_received)

    def measure(self, now: float) -> None:
        """Move the window on."""
        self._former, self._last = self._last, _Count(now, self._stream.statistics.packets_received)

    def read(self, now: float) -> float:
        """The rate up to `now`."""
        since = self._former
        return (self._stream.statistics.packets_received - since.packets) / max(now - since.at, SHORTEST)


class Probe:
    """The probe of one room. `measure` is called about once a second, so that rates are recent."""

    def __init__(self) -> None:
        """Begin with an empty room."""
        self.packet: PacketHandler | None = None
        self._streams: dict[str, dict[InboundStream, _Rate]] = {}

    def event(self, event: RoomEvent, now: float) -> None:
        """Note who comes and goes (`Listener.event`)."""
        match event:
            case ParticipantJoined(participant):
                self._streams[participant] = {}
            case ParticipantLeft(participant):
                self._streams.pop(participant, None)
            case StreamBegan(stream):
                self._streams[stream.participant][stream] = _Rate(stream, now)
            case StreamEnded(stream):
                self._streams[stream.participant].pop(stream, None)
            case RoomClosed():
                self._streams.clear()
            case _:
                pass

    def measure(self, now: float) -> None:
        """Move the windows of all rates on."""
        for rates in self._streams.values():
            for rate in rates.values():
                rate.measure(now)

    def read(self, now: float) -> list[Reading]:
        """One reading a participant, in the order in which they joined."""
        return [_reading(participant, rates, now) for participant, rates in self._streams.items()]

    def voices(self) -> dict[str, VoiceActivity]:
        """The voice of each participant who speaks, in the stream that the room follows."""
        return {
            participant: stream.voice
            for participant, streams in self._streams.items()
            for stream in streams
            if stream.active and stream.voice.voiced
        }

    def levels(self) -> dict[str, int]:
        """The level of each participant who speaks, in steps of `STEP_DB`: equal levels are not worth a message."""
        return {participant: round(voice.loudness / STEP_DB) for participant, voice in self.voices().items()}

    def speakers(self) -> list[Speaker]:
        """Who speaks, the loudest first."""
        speakers = [Speaker(participant, voice.audio_level) for participant, voice in self.voices().items()]
        return sorted(speakers, key=lambda speaker: -speaker.level)


def _reading(participant: str, streams: dict[InboundStream, _Rate], now: float) -> Reading:
    rates = {stream: rate.read(now) for stream, rate in streams.items()}
    return Reading(
        participant,
        any(stream.active and stream.voice.voiced for stream in streams),
        max((stream.voice.audio_level for stream, rate in rates.items() if stream.active and rate), default=0.0),
        sum(rates.values()),
    )
