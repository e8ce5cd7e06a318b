"""Speech for a fake microphone, and how much of it was heard: what tones cannot tell of a codec made for voices.

An Opus encoder takes a steady tone for music and sends it without in-band FEC (RFC 6716 section 2.1.7).
"""

import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.support.components import require

STEP = 0.01
"""Seconds of one value of an envelope."""

SYLLABLE = 0.1
"""Seconds over which an envelope is smoothed: what makes speech intelligible is slower."""

PHRASE = 1.0
"""Seconds that are compared at once: a receiver that stretches time moves less than a syllable in these."""

EARLIEST, LATEST = -0.5, 1.0
"""Seconds by which a phrase may be heard after it was said; the two notes of it do not begin at the same moment."""


def write_speech(path: Path, words: str, voice: str) -> None:
    """A WAV file of somebody who says these words, in a voice of espeak-ng."""
    program = require("espeak-ng")
    subprocess.run([program, "-v", voice, "-s", "150", "-w", path, words], check=True, timeout=30)


def envelope(path: Path) -> NDArray[np.float64]:
    """How loud a WAV file is: the root mean square of each `STEP`."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64)
        width = round(file.getframerate() * STEP)
    rows = samples[: len(samples) // width * width].reshape(-1, width)
    loudness: NDArray[np.float64] = np.sqrt((rows**2).mean(axis=1))
    return loudness


def likeness(said: ArrayLike, heard: ArrayLike) -> float:
    """How alike the envelopes of what was said and of what was heard at the same time are, -1 to 1.

    For each `PHRASE` that was heard the correlation at the delay that fits best; of these the mean.
    """
    source, line = _smooth(said), _smooth(heard)
    length, before, after = (round(seconds / STEP) for seconds in (PHRASE, LATEST, -EARLIEST))
    best = []
    for first in range(before, min(len(line), len(source) - after) - length + 1, length):
        windows = np.lib.stride_tricks.sliding_window_view(source[first - before : first + length + after], length)
        best.append(max(_correlation(window, line[first : first + length]) for window in windows))
    return float(np.mean(best))


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson's; 0 where one of the two does not change."""
    one, other = one - one.mean(), other - other.mean()
    strength = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / strength if strength else 0.0


def _smooth(values: ArrayLike) -> NDArray[np.float64]:
    width = round(SYLLABLE / STEP)
    smooth: NDArray[np.float64] = np.convolve(np.asarray(values, np.float64), np.ones(width) / width, "same")
    return smooth
