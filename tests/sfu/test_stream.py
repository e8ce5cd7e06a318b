import pytest

from quality.sequence import MAX_DROPOUT
from sfu.dtmf import KeyPress
from sfu.opus import OPUS_CLOCK
from sfu.stream import RING_PACKETS, InboundPacket, InboundStream
from tests.support.ears import FRAME, LOUD, OPUS, QUIET, Mouth, stream_of


class Taker:
    def __init__(self, stream):
        self.taken = []
        stream.handlers = (self.take,)

    def take(self, stream, packet, arrival):
        self.taken.append((packet.sequence, stream.highest, arrival))


def test_a_packet_goes_to_every_handler_and_into_the_ring():
    stream = stream_of("ana", first=10)
    one, other = Taker(stream), Taker(stream)
    stream.handlers = (one.take, other.take)
    Mouth(stream, now=5.0).say(LOUD, 2)
    assert one.taken == other.taken == [(10, 10, 5.0), (11, 11, 5.0 + 0.02)]
    assert [(sequence, level, payload) for sequence, _, level, payload in stream.ring] == [
        (10, LOUD, b"ana:1:10"),
        (11, LOUD, b"ana:1:11"),
    ]
    assert pytest.approx(0.4) == RING_PACKETS * 0.02


def test_the_ring_keeps_the_newest_400_ms():
    stream = stream_of("ana", first=0)
    Taker(stream)
    Mouth(stream).say(packets=50)
    assert [entry[0] for entry in stream.ring] == list(range(30, 50))


def test_nobody_may_hear_so_nothing_is_kept_but_the_count_goes_on():
    stream = stream_of("ana", first=10)
    Mouth(stream, now=5.0).say(LOUD, 3)
    assert (len(stream.ring), stream.voice.voiced) == (0, False)
    assert (stream.highest, stream.highest_arrival) == (12, pytest.approx(5.04))


def test_the_voice_is_told_before_its_packet_is_handled_with_highest_as_it_was():
    stream = stream_of("ana", first=10)
    taker, told = Taker(stream), []
    stream.on_voice = lambda who, now: told.append(
        (who.voice.voiced, who.packet.sequence, who.highest, now, len(taker.taken))
    )
    mouth = Mouth(stream)
    mouth.say(QUIET, 2)
    mouth.say(LOUD)
    assert told == [(True, 12, 11, pytest.approx(0.04), 2)]
    stream.on_voice = None
    mouth.say(QUIET, 30)
    assert not stream.voice.voiced


def test_rfc3550_a1_late_packets_move_nothing():
    stream = stream_of("ana", first=10)
    taker = Taker(stream)
    mouth = Mouth(stream)
    mouth.say()
    mouth.skip()
    mouth.say()
    assert (stream.highest, stream.highest_timestamp) == (12, (0xFFFFF000 + 2 * FRAME) & 0xFFFFFFFF)
    mouth.send(11, 0xFFFFF000 + FRAME)
    mouth.send(9, 0xFFFFF000 - FRAME)
    assert [sequence for sequence, _, _ in taker.taken] == [10, 12, 11, 9]
    assert stream.highest == 12


def test_rfc3550_a1_one_odd_packet_is_not_handed_on_and_a_restart_is():
    stream = stream_of("ana", first=10)
    taker = Taker(stream)
    mouth = Mouth(stream)
    mouth.say()
    mouth.send(10 + MAX_DROPOUT, 5)
    assert (stream.highest, len(taker.taken)) == (10, 1)
    mouth.say()
    assert taker.taken[-1][0] == 11
    mouth.send(20_000, 5)
    mouth.send(20_001, 965)
    assert [sequence for sequence, _, _ in taker.taken] == [10, 11, 20_001]
    assert (stream.highest, stream.highest_timestamp) == (20_001, 965)


def test_numbers_go_on_over_both_wraps():
    stream = stream_of("ana", first=0xFFFE)
    taker = Taker(stream)
    Mouth(stream).say(packets=6)
    assert [sequence for sequence, _, _ in taker.taken] == [0xFFFE, 0xFFFF, 0x10000, 0x10001, 0x10002, 0x10003]
    assert stream.highest_timestamp == (0xFFFFF000 + 5 * FRAME) & 0xFFFFFFFF


def test_hush_forgets_what_was_said():
    stream = stream_of("ana")
    Taker(stream)
    Mouth(stream).say(LOUD, 5)
    stream.hush()
    assert (len(stream.ring), stream.voice.voiced, stream.voice.loudness) == (0, False, 0.0)


def test_the_source_s_timestamp_runs_on_with_the_clock():
    stream = InboundStream(1, "ana", 7, OPUS, (10, 480), 100.0)
    assert stream.timestamp_at(100.0) == 480
    assert stream.timestamp_at(101.5) == 480 + 3 * OPUS_CLOCK // 2


@pytest.mark.parametrize("ticks", [120, 480, 960, 2880, 5760])
def test_rfc6716_3_2_5_rfc7587_4_1_the_length_of_a_frame_is_read_from_the_timestamps(ticks):
    stream = stream_of("ana", first=0)
    Taker(stream)
    assert stream.frame() == 960
    mouth = Mouth(stream)
    for number in range(3):
        mouth.send(number, ticks * number)
    # Neither a loss nor DTX nor a late packet makes frames longer.
    mouth.send(5, ticks * 5)
    mouth.send(6, ticks * 5 + 19_200)
    mouth.send(4, ticks * 4)
    assert stream.frame() == ticks


def test_rfc7656_2_1_10_a_stream_is_named_by_an_id_of_our_own():
    one, other = (InboundStream(number, "ana", 0xCAFE, OPUS, (1, 1), 0.0) for number in (1, 2))
    assert (one.id, other.id, one.ssrc, other.ssrc) == (1, 2, 0xCAFE, 0xCAFE)
    assert (InboundPacket().level, InboundPacket().payload) == (127, b"")


def test_rfc4733_an_event_moves_the_numbers_and_nothing_that_is_known_of_the_voice():
    stream = stream_of("ana", first=20)
    told = []
    stream.handlers = (lambda *_: None,)
    stream.on_event = lambda *event: told.append(event)
    mouth = Mouth(stream)
    mouth.say(LOUD, 3)
    before = (stream.highest_timestamp, stream.highest_arrival, stream.voice.voiced, stream.voice.loudness)
    stream.packet.sequence, stream.packet.timestamp = 23, 777
    event = KeyPress(5, False, 10, 960)
    stream.take_event(event, 48_000, 9.0)
    assert told == [(stream, event, 48_000, 9.0)]
    assert stream.highest == 23
    assert (stream.highest_timestamp, stream.highest_arrival, stream.voice.voiced, stream.voice.loudness) == before
    assert not stream.ring, "what was said before the key is no first syllable of what is said after it"


def test_an_event_of_somebody_who_may_not_be_heard_goes_nowhere():
    stream = stream_of("ana", first=20)
    stream.packet.sequence = 21
    stream.take_event(KeyPress(5, False, 10, 960), 48_000, 9.0)
    assert stream.highest == 21


def test_one_odd_event_far_ahead_is_not_handed_on():
    stream = stream_of("ana", first=20)
    told = []
    stream.on_event = lambda *event: told.append(event)
    Mouth(stream).say()
    stream.packet.sequence = 20 + MAX_DROPOUT
    stream.take_event(KeyPress(5, False, 10, 960), 48_000, 9.0)
    assert (told, stream.highest) == ([], 20)
