"""Telephone events: RFC 4733, clause by clause."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.dtmf import (
    END_PACKETS,
    INTERVAL,
    LONGEST_DURATION,
    PAUSE_SECONDS,
    SILENT_SECONDS,
    TONES,
    Dialler,
    KeyPress,
    Keys,
    ToneReader,
    parse_key_press,
)
from sfu.errors import MalformedPacket


def play(dialler, until, every=0.001, now=0.0):
    """All steps up to `until`, with when each came."""
    steps = []
    for tick in range(round((until - now) / every) + 1):
        at = now + tick * every
        steps += [(round(at, 3), step) for step in dialler.advance(at)]
    return steps


# RFC 4733 section 2.3


def test_an_event_is_four_octets():
    # Section 2.3: event; E, R and volume; duration in network order.
    assert KeyPress(11, True, 10, 0x0302).payload() == bytes([11, 0x80 | 10, 3, 2])
    assert KeyPress(5, False, 63, 1).payload() == bytes([5, 63, 0, 1])


def test_the_reserved_bit_is_not_looked_at():
    # Section 2.3.3.
    assert parse_key_press(bytes([1, 0x40 | 7, 0, 160])) == KeyPress(1, False, 7, 160)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x01\x0a\x00", b"\x01\x0a\x00\xa0\x02\x8a\x01\x40", bytes([16, 10, 0, 160]), bytes([1, 10, 0, 0])],
)
def test_what_is_no_event_is_refused(payload):
    with pytest.raises(MalformedPacket):
        parse_key_press(payload)


@given(st.binary(max_size=12))
def test_any_octets_are_an_event_or_malformed(payload):
    try:
        event = parse_key_press(payload)
    except MalformedPacket:
        return
    assert parse_key_press(event.payload()) == event


def test_codes_are_those_of_table_3():
    # Section 3.2: 0-9, then * is 10, # is 11, A to D are 12 to 15.
    assert [TONES.index(tone) for tone in "09*#AD"] == [0, 9, 10, 11, 12, 15]


@pytest.mark.parametrize(
    ("duration", "ours", "theirs", "expected"),
    [
        (4800, 48_000, 8_000, 800),
        (800, 8_000, 48_000, 4800),
        (960, 48_000, 48_000, 960),
        (3, 48_000, 8_000, 1),
        (0xFFFF, 8_000, 48_000, 0xFFFF),
    ],
)
def test_a_duration_is_told_in_the_receivers_clock_rate(duration, ours, theirs, expected):
    # Section 2.3.5: in timestamp units; 0 would be a state, and the field ends at 0xFFFF.
    assert KeyPress(1, False, 10, duration).at_rate(ours, theirs) == KeyPress(1, False, 10, expected)


# RFC 4733 section 2.5.1: sending


def test_a_tone_is_told_every_20_ms_and_its_end_three_times():
    # Sections 2.5.1.2 and 2.5.1.4.
    dialler = Dialler()
    dialler.press(Keys("5", 0.1), 0.0)
    steps = play(dialler, 1.0)
    assert [at for at, _ in steps] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14], abs=0.0011)
    assert [step.events(8000)[0][1].duration for _, step in steps] == [160, 320, 480, 640, 800, 800, 800]
    assert [step.end for _, step in steps] == [False] * 4 + [True] * END_PACKETS
    assert [step.first for _, step in steps] == [True] + [False] * 6
    assert [step.told for _, step in steps] == [False] * 4 + [True] + [False] * 2
    assert {step.code for _, step in steps} == {5}
    assert dialler.deadline() == math.inf


def test_durations_are_in_the_clock_rate_that_is_asked_for():
    dialler = Dialler()
    dialler.press(Keys("1", 0.05), 0.0)
    _, step = play(dialler, 1.0)[2]
    assert [step.events(rate) for rate in (8000, 48_000)] == [
        [(0, KeyPress(1, True, 10, 400))],
        [(0, KeyPress(1, True, 10, 2400))],
    ]


def test_tones_follow_each_other_with_their_gap():
    dialler = Dialler()
    dialler.press(Keys("12", 0.04, 0.03), 10.0)
    dialler.press(Keys("3"), 10.0)
    begun = [step.begun for _, step in play(dialler, 11.0, now=10.0) if step.first]
    assert begun == pytest.approx([10.0, 10.07, 10.14])


def test_a_comma_waits_two_seconds():
    dialler = Dialler()
    dialler.press(Keys("1,2", 0.1, 0.1), 0.0)
    begun = [step.begun for _, step in play(dialler, 3.0) if step.first]
    assert begun == pytest.approx([0.0, 0.2 + PAUSE_SECONDS])


def test_a_late_loop_tells_the_first_and_then_only_the_newest():
    dialler = Dialler()
    dialler.press(Keys("1", 0.2), 0.0)
    steps = dialler.advance(0.11)
    assert [round(step.elapsed, 3) for step in steps] == [0.02, 0.1]
    assert steps[0].first
    assert not steps[1].first
    assert [step.end for step in dialler.advance(9.0)] == [True] * END_PACKETS


def test_keys_that_are_pressed_later_begin_then():
    dialler = Dialler()
    dialler.press(Keys("1"), 0.0)
    play(dialler, 1.0)
    dialler.press(Keys("2"), 5.0)
    assert dialler.advance(5.0) == []
    assert dialler.deadline() == pytest.approx(5.02)
    assert dialler.advance(5.02)[0].begun == 5.0


def test_what_waits_is_counted():
    dialler = Dialler()
    dialler.press(Keys("12,3"), 0.0)
    assert dialler.waiting == 4
    dialler.advance(0.0)
    assert dialler.waiting == 3


def test_a_long_event_goes_on_in_segments():
    # Section 2.5.1.3: 0xFFFF ticks are 1.365 s at 48 kHz.
    dialler = Dialler()
    dialler.press(Keys("1", 3.0), 0.0)
    told = [(start, event) for _, step in play(dialler, 4.0) for start, event in step.events(48_000)]
    starts = sorted({start for start, _ in told})
    assert starts == [0, LONGEST_DURATION, 2 * LONGEST_DURATION]
    full = [(start, event.duration) for start, event in told if event.duration == LONGEST_DURATION]
    assert full == [(0, LONGEST_DURATION), (LONGEST_DURATION, LONGEST_DURATION)]
    assert all(not event.end for start, event in told if start < starts[-1])
    assert told[-1] == (starts[-1], KeyPress(1, True, 10, 3 * 48_000 - 2 * LONGEST_DURATION))
    reached = [start + event.duration for start, event in told]
    assert all(before <= after for before, after in itertools.pairwise(reached))


@given(st.floats(0.04, 6.0), st.sampled_from([8000, 16_000, 48_000]), st.floats(0.001, 0.3))
def test_every_tone_ends_with_its_whole_duration(duration, rate, every):
    dialler = Dialler()
    dialler.press(Keys("D", duration), 0.0)
    told = [(start, event) for _, step in play(dialler, duration + 1.0, every) for start, event in step.events(rate)]
    assert [event.end for _, event in told[-END_PACKETS:]] == [True] * END_PACKETS
    assert len({told[-1 - index] for index in range(END_PACKETS)}) == 1
    start, event = told[-1]
    assert start + event.duration == max(1, round(duration * rate))
    assert all(1 <= event.duration <= LONGEST_DURATION for _, event in told)


# RFC 4733 section 2.5.2: receiving


def read(reader, packets, rate=48_000):
    """Tones of (event, timestamp, now)."""
    return [tone for event, timestamp, now in packets for tone in reader.add(event, timestamp, rate, now)]


def pressed(code, timestamp, packets=5, now=0.0, step=960):
    """The packets of one event."""
    updates = [KeyPress(code, False, 10, step * number) for number in range(1, packets)]
    ends = [KeyPress(code, True, 10, step * packets)] * END_PACKETS
    return [(event, timestamp, now + INTERVAL * number) for number, event in enumerate([*updates, *ends])]


def test_one_event_is_one_tone():
    # Sections 2.2.1 and 2.5.1.4: all its packets, the repeated end too, have one timestamp.
    assert read(ToneReader("ana"), pressed(5, 1000)) == [("ana", "5", 0.1)]


def test_the_same_key_twice_is_two_tones():
    assert [tone.tone for tone in read(ToneReader("ana"), [*pressed(5, 1000), *pressed(5, 90_000)])] == ["5", "5"]


def test_any_one_packet_is_enough():
    for lone in range(7):
        reader = ToneReader("ana")
        found = read(reader, [pressed(11, 7)[lone]])
        found += reader.expire(SILENT_SECONDS + 1.0)
        assert [tone.tone for tone in found] == ["#"]
        assert not reader.open


def test_an_event_without_an_end_is_told_when_the_next_begins_or_nothing_more_comes():
    reader = ToneReader("ana")
    assert read(reader, pressed(1, 1000)[:3]) == []
    assert read(reader, pressed(2, 9000, now=0.2)[:2]) == [("ana", "1", 0.06)]
    assert reader.open
    assert reader.expire(0.3) == []
    assert reader.expire(0.3 + SILENT_SECONDS) == [("ana", "2", 0.04)]
    assert reader.expire(99.0) == []


def test_late_packets_of_an_event_before_are_no_tone():
    reader = ToneReader("ana")
    first = pressed(1, 0xFFFFFF00)
    assert len(read(reader, first[:-1])) == 1
    assert len(read(reader, pressed(2, 0x100))) == 1
    assert read(reader, first[-1:]) == []


@pytest.mark.parametrize(("rate", "step"), [(48_000, 0xFFFF), (8000, 0xFFFF), (8000, 0xFFFF * 6)])
def test_segments_of_a_long_event_are_one_tone(rate, step):
    # Section 2.5.2.3. Some count the step in the event's clock rate, some in that of the voice.
    reader = ToneReader("ana")
    packets = [
        (KeyPress(3, False, 10, 0x8000), 1000, 0.0),
        (KeyPress(3, False, 10, 0xFFFF), 1000, 0.1),
        (KeyPress(3, False, 10, 480), 1000 + step, 0.2),
        (KeyPress(3, True, 10, 960), 1000 + step, 0.3),
    ]
    assert read(reader, packets, rate) == [("ana", "3", (0xFFFF + 960) / rate)]


def test_more_tones_than_fingers_can_press_are_not_told():
    reader = ToneReader("ana")
    flood = [(KeyPress(1, True, 10, 960), 1000 * number, 0.005 * number) for number in range(1, 1001)]
    assert len(read(reader, flood)) < 100
