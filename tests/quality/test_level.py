import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.level import SILENCE, AudioEnergy, SmoothedLevel, from_linear, to_linear


def test_rfc6464_3_zero_is_the_loudest_and_127_silence():
    assert to_linear(0) == 1.0
    assert to_linear(20) == pytest.approx(0.1)
    assert to_linear(127) == 0.0
    assert to_linear(-5) == 1.0
    assert to_linear(500) == 0.0


@given(st.integers(0, SILENCE))
def test_rfc6464_levels_survive_the_linear_scale(level):
    assert from_linear(to_linear(level)) == level


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, 1e-12])
def test_what_is_no_sound_is_silence(value):
    assert from_linear(value) == SILENCE


@given(st.floats(allow_nan=True))
def test_every_linear_value_has_a_level(value):
    assert 0 <= from_linear(value) <= SILENCE


def test_a_level_rises_quickly_and_falls_slowly():
    level = SmoothedLevel()
    assert level.audio_level(0.0) == 0.0
    level.update(127, 0.0)
    for step in range(1, 6):
        level.update(0, step * 0.02)
    assert level.audio_level(0.1) > 0.99
    level.update(127, 0.12)
    assert 0.85 < level.audio_level(0.12) < 1.0
    level.update(127, 3.0)
    assert level.audio_level(3.0) < 0.01


def test_a_level_falls_on_without_packets_and_reading_changes_nothing():
    level = SmoothedLevel()
    level.update(0, 10.0)
    assert level.audio_level(10.3) == pytest.approx(math.exp(-1))
    assert level.audio_level(10.0) == 1.0
    assert level.audio_level(9.0) == 1.0


@given(st.lists(st.tuples(st.integers(0, 127), st.floats(-1, 1)), max_size=40))
def test_a_level_stays_between_0_and_1_whatever_comes(packets):
    level, now = SmoothedLevel(), 0.0
    for dbov, step in packets:
        now += step
        level.update(dbov, now)
        assert 0.0 <= level.audio_level(now) <= 1.0


def test_w3c_total_audio_energy_is_duration_times_level_squared():
    energy = AudioEnergy()
    energy.add(20, 0.5)
    energy.add(0, 0.25)
    assert energy.total_audio_energy == pytest.approx(0.5 * 0.01 + 0.25)
    assert energy.total_samples_duration == 0.75
    assert energy.audio_level == 1.0
