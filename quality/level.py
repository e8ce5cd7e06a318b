"""How loud a stream is: RFC 6464 levels, and the W3C's `audio_level` and `total_audio_energy`. Pure.

An RFC 6464 level is -dBov, 0 (as loud as can be) to 127 (silence). The W3C's is linear, 0..1 of full scale.
"""

import math

SILENCE = 127
ATTACK_SECONDS = 0.02
RELEASE_SECONDS = 0.3

LINEAR: tuple[float, ...] = (*(10 ** (-level / 20) for level in range(SILENCE)), 0.0)
"""The linear audio level of each RFC 6464 level; 127 is digital silence and gives 0."""


def to_linear(level: int) -> float:
    """The W3C `audio_level` (0..1) of an RFC 6464 level; what lies outside 0..127 is held within."""
    return LINEAR[max(0, min(level, SILENCE))]


def from_linear(audio_level: float) -> int:
    """The nearest RFC 6464 level (0..127) of a W3C `audio_level` (0..1)."""
    if not audio_level > 0.0:
        return SILENCE
    if audio_level >= 1.0:
        return 0
    return min(round(-20 * math.log10(audio_level)), SILENCE)


class SmoothedLevel:
    """The level of one stream, quick to rise and slow to fall, for meters and for choosing the loudest.

    First-order smoothing of the linear level, by elapsed time and not by packet, so that DTX and loss do not bend it:
    20 ms to rise, 300 ms to fall. Reading it later than the last packet lets it fall on; reading changes nothing.
    """

    __slots__ = ("_at", "_linear")

    def __init__(self) -> None:
        self._linear = 0.0
        self._at: float | None = None

    def update(self, level: int, now: float) -> None:
        """Take the RFC 6464 level of a packet that came at `now`, monotonic seconds."""
        linear = to_linear(level)
        if self._at is None:
            self._linear, self._at = linear, now
            return
        constant = ATTACK_SECONDS if linear > self._linear else RELEASE_SECONDS
        elapsed = max(0.0, now - self._at)
        self._linear += (linear - self._linear) * (1 - math.exp(-elapsed / constant))
        self._at = max(now, self._at)

    def audio_level(self, now: float) -> float:
        """The linear level at `now`, 0..1: what it was at the last packet, fallen since."""
        if self._at is None:
            return 0.0
        return self._linear * math.exp(-max(0.0, now - self._at) / RELEASE_SECONDS)


class AudioEnergy:
    """W3C `total_audio_energy` and `total_samples_duration` of one stream.

    Each piece of audio adds its duration times the square of its level, so that the root of energy over duration is
    the mean level of any span between two readings.
    """

    __slots__ = ("audio_level", "total_audio_energy", "total_samples_duration")

    def __init__(self) -> None:
        self.audio_level = 0.0
        self.total_audio_energy = 0.0
        self.total_samples_duration = 0.0

    def add(self, level: int, duration: float) -> None:
        """Take `duration` seconds of audio at an RFC 6464 level."""
        self.audio_level = to_linear(level)
        self.total_audio_energy += duration * self.audio_level**2
        self.total_samples_duration += duration
