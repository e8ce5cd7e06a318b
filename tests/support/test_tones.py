import wave
from pathlib import Path

import numpy as np
import pytest

from tests.support.tones import FAINTEST, TOLERANCE, WAV_RATE, WAV_SECONDS, loudest_tone, voice, write_wav


@pytest.mark.parametrize("frequency", [440, 700, 1060])
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_a_voice_is_known_by_its_frequency(frequency: int, rate: int) -> None:
    samples = voice(frequency, 0, rate // 10, rate) / 32768
    heard = loudest_tone(samples, rate)
    assert heard is not None
    assert abs(heard - frequency) < TOLERANCE


def test_the_louder_of_two_voices_is_heard() -> None:
    samples = (voice(440, 0, 4096, WAV_RATE, 0.05) + voice(700, 0, 4096, WAV_RATE, 0.3)) / 32768
    assert loudest_tone(samples, WAV_RATE) == pytest.approx(700, abs=TOLERANCE)


@pytest.mark.parametrize("loudness", [0.0, 10 ** ((FAINTEST - 6) / 20)])
def test_what_is_too_faint_is_silence(loudness: float) -> None:
    assert loudest_tone(voice(440, 0, 4096, WAV_RATE, loudness) / 32768, WAV_RATE) is None


def test_a_voice_in_pieces_is_the_same_as_in_one() -> None:
    pieces = [voice(440, first, 160, 8_000) for first in range(0, 1600, 160)]
    assert np.array_equal(np.concatenate(pieces), voice(440, 0, 1600, 8_000))


def test_a_wav_file_goes_round_without_a_click(tmp_path: Path) -> None:
    write_wav(tmp_path / "voice.wav", 440)
    with wave.open(str(tmp_path / "voice.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (WAV_RATE, 1, WAV_RATE * WAV_SECONDS)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    after = voice(440, WAV_RATE * WAV_SECONDS, 100, WAV_RATE)
    assert np.abs(samples[:100].astype(int) - after).max() <= 1
