from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.speech import STEP, envelope, likeness, write_speech

STELLA = "Please call Stella. Ask her to bring these things with her from the store."
WIND = "The north wind and the sun were disputing which was the stronger."


@pytest.fixture(scope="module")
def stella(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float64]:
    path = tmp_path_factory.mktemp("speech") / "stella.wav"
    write_speech(path, STELLA * 2, "en-us")
    return envelope(path)


def test_speech_has_syllables_and_pauses(stella: NDArray[np.float64]) -> None:
    assert len(stella) * STEP > 5
    assert np.percentile(stella, 95) > 2 * np.median(stella)
    assert stella.min() < stella.max() / 50


def test_speech_is_like_itself_a_little_later_and_with_some_of_it_missing(stella: NDArray[np.float64]) -> None:
    later = np.roll(stella, 40) * 0.3
    assert likeness(stella, later) > 0.99
    for first in range(0, len(later), 20):
        later[first : first + 4] = 0.0
    assert likeness(stella, later) > 0.9


def test_speech_is_not_like_other_speech_nor_like_silence(stella: NDArray[np.float64], tmp_path: Path) -> None:
    write_speech(tmp_path / "wind.wav", WIND * 2, "en-gb+f3")
    assert likeness(stella, envelope(tmp_path / "wind.wav")) < 0.75
    assert likeness(stella, np.zeros(len(stella))) == 0.0
