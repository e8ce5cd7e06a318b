import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.voice import FLOOR_MAX, HANGOVER, SILENCE, VoiceActivity, estimate_level

FRAME = 0.02


def feed(voice, levels, now=0.0):
    """Levels 20 ms apart; the moments at which the speaker began or ended, and the time after the last."""
    changes = []
    for level in levels:
        if voice.add(level, now):
            changes.append((round(now, 2), voice.voiced))
        now += FRAME
    return changes, now


def settled(level=100):
    """A detector that has had a second of a silent room."""
    voice = VoiceActivity()
    feed(voice, [level] * 50, -1.0)
    return voice


def test_the_first_loud_packet_is_voiced_at_once():
    voice = settled()
    assert feed(voice, [30])[0] == [(0.0, True)]
    assert voice.last_voiced == 0.0


def test_hysteresis_keeps_a_voice_over_the_gaps_between_words():
    voice = settled()
    word, gap = [30] * 10, [100] * 15
    changes, now = feed(voice, word + gap + word + gap + word)
    assert changes == [(0.0, True)]
    changes, _ = feed(voice, [100] * 30, now)
    assert [voiced for _, voiced in changes] == [False]
    assert changes[0][0] == pytest.approx(voice.last_voiced + HANGOVER, abs=FRAME)


@pytest.mark.parametrize(
    ("room", "level", "voiced"),
    [
        (100, 100, False),
        (100, 92, False),  # 8 dB over the floor, and below -70 dBov
        (100, 71, False),
        (100, 69, True),
        (70, 62, False),  # 8 dB over the floor
        (70, 60, True),
        (60, 52, False),
        (60, 50, True),
        (30, 42, False),  # a floor this high does not exist: what is over -41 dBov is heard
        (30, 30, True),
    ],
)
def test_voiced_is_over_the_floor_and_loud_enough(room, level, voiced):
    voice = settled(room)
    voice.silence()
    feed(voice, [level])
    assert voice.voiced is voiced


def test_constant_noise_becomes_floor():
    voice = settled()
    fan = [60] * 50 * 40
    changes, now = feed(voice, fan)
    assert [voiced for _, voiced in changes] == [True, False]
    assert changes[1][0] < 30
    # Somebody who speaks over the fan is heard.
    assert [one for _, one in feed(voice, [45], now)[0]] == [True]


def test_the_floor_is_capped_so_that_what_is_loud_is_heard_however_long_it_lasts():
    voice = settled()
    changes, _ = feed(voice, [35] * 50 * 120)
    assert changes == [(0.0, True)]


@given(st.lists(st.integers(0, 127), max_size=300))
def test_the_floor_stays_between_silence_and_its_cap(levels):
    voice = VoiceActivity()
    feed(voice, levels)
    assert 0 <= voice._floor < FLOOR_MAX + 0.04
    assert 0 <= voice.loudness <= 127
    assert 0.0 <= voice.audio_level <= 1.0


def test_dtx_falls_silent_with_the_hangover_though_packets_come_every_400_ms():
    voice = settled()
    _, now = feed(voice, [30] * 50)
    assert not voice.add(SILENCE, now)
    assert voice.add(SILENCE, now + 0.4)
    assert not voice.voiced


def test_a_stream_that_stops_falls_silent_by_the_clock():
    voice = settled()
    feed(voice, [30])
    assert not voice.expire(HANGOVER - 0.01)
    assert voice.voiced
    assert voice.expire(HANGOVER + 0.01)
    assert not voice.voiced
    assert not voice.expire(HANGOVER + 1)


def test_silence_takes_effect_at_once_and_once():
    voice = settled()
    feed(voice, [30] * 10)
    assert voice.silence()
    assert (voice.voiced, voice.loudness, voice.audio_level) == (False, 0.0, 0.0)
    assert not voice.silence()


def test_rfc6464_3_the_level_is_dbov_and_the_w3c_s_is_linear():
    voice = VoiceActivity()
    assert voice.audio_level == 0.0
    feed(voice, [0] * 200)
    assert voice.audio_level == pytest.approx(1.0)
    feed(voice, [20] * 400)
    assert voice.audio_level == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    ("octets", "level"),
    [(0, SILENCE), (1, SILENCE), (3, SILENCE), (8, SILENCE), (20, 51), (80, 37), (160, 30), (1275, 20)],
)
def test_a_client_without_levels_is_judged_by_the_size_of_its_packets(octets, level):
    assert estimate_level(octets) == level


@given(st.integers(0, 2000))
def test_estimated_levels_fit_the_octet_and_fall_with_size(octets):
    assert 20 <= estimate_level(octets + 1) <= estimate_level(octets) <= SILENCE


def test_without_levels_speech_is_told_from_a_room_by_vbr_and_by_dtx():
    for quiet in (25, 3):
        voice = VoiceActivity()
        feed(voice, [estimate_level(quiet)] * 50, -1.0)
        assert feed(voice, [estimate_level(85)] * 20)[0] == [(0.0, True)]
        assert [voiced for _, voiced in feed(voice, [estimate_level(quiet)] * 50, 0.4)[0]] == [False]


@given(st.integers(60, 400))
def test_without_levels_a_constant_bit_rate_counts_as_speech_for_ever(octets):
    voice = VoiceActivity()
    assert feed(voice, [estimate_level(octets)] * 5000)[0] == [(0.0, True)]


def test_before_the_first_packet_nobody_has_spoken():
    assert VoiceActivity().last_voiced == -math.inf
