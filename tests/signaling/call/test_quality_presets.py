from typing import get_args

from signaling.call.quality_presets import PRESETS, audio_view
from signaling.storage.words import QualityPreset


def test_every_preset_that_a_room_may_have_is_there() -> None:
    assert PRESETS.keys() == set(get_args(QualityPreset))


def test_more_quality_takes_more_bits_and_only_speech_has_fec() -> None:
    rates = [PRESETS[name].bitrate or 0 for name in ("low", "standard", "high", "music")]
    assert rates == sorted(set(rates))
    assert [name for name, wishes in PRESETS.items() if not wishes.fec] == ["music"]


def test_a_client_is_told_all_of_it() -> None:
    assert audio_view("low") == {
        "preset": "low",
        "bitrate": 16_000,
        "ptime": 40,
        "dtx": True,
        "fec": True,
        "stereo": False,
    }
