"""Voices that a test can tell apart: tones that swell and fall like syllables, and the ear that names the loudest one.

A steady tone would pass for noise, to a browser's noise suppression and to the server's voice detector alike.
"""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WAV_RATE = 48_000
WAV_SECONDS = 4
SYLLABLES = 2.5
"""Swells a second; a WAV file holds a whole number of them, so that it can be played in a circle."""

LOUDNESS = 0.35
"""Amplitude of a voice at its loudest; full scale is 1."""

TROUGH = 0.2
"""What is left of it between two syllables."""

TOLERANCE = 25.0
"""Hz by which what is heard may differ from what was said; voices of one test are further apart."""

FAINTEST = -55.0
"""dB relative to full scale below which nothing counts as heard."""


def voice(frequency: float, first: int, count: int, rate: int, loudness: float = LOUDNESS) -> NDArray[np.int16]:
    """`count` samples from number `first` on of a voice with this frequency in Hz."""
    time = (first + np.arange(count)) / rate
    swell = TROUGH + (1 - TROUGH) * (0.5 - 0.5 * np.cos(2 * np.pi * SYLLABLES * time))
    return (loudness * 32767 * swell * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def write_wav(path: Path, frequency: int) -> None:
    """A WAV file of one voice, as a browser's microphone."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(WAV_RATE)
        file.writeframes(voice(frequency, 0, WAV_RATE * WAV_SECONDS, WAV_RATE).tobytes())


def loudest_tone(samples: NDArray[np.float64], rate: int) -> float | None:
    """The frequency in Hz that is loudest in some samples (full scale is 1); None where there is only silence."""
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples * window)) * 2 / window.sum()
    peak = int(spectrum.argmax())
    if spectrum[peak] < 10 ** (FAINTEST / 20):
        return None
    return peak * rate / len(samples)
