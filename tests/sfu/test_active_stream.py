"""The room follows the stream that is really sending: what Ben hears of Ana, in virtual time, under many SSRCs."""

import itertools
from itertools import pairwise

import pytest

from sfu.active_stream import (
    RIVAL_MEMORY,
    RIVAL_SILENCE,
    RIVAL_TURNS,
    TAKEOVER_PACKETS,
    TAKEOVER_SILENCE,
    ActiveStream,
    newest,
)
from sfu.dtmf import KeyPress
from sfu.selection import MuteFlags
from sfu.sources import MAX_SSRCS, NEW_SSRCS
from sfu.voice import SILENCE
from tests.support.check_client import SERVER
from tests.support.ears import FRAME, Mouth, stream_of
from tests.support.room_end import EVENTS, RoomEnd, Told
from tests.support.wire import Wire, play


class Call:
    """Ana sends 20 ms packets under any SSRCs; Ben listens. `heard` has (arrival, payload) of all that he hears."""

    def __init__(self, seed=1):
        self.wire = Wire(seed)
        self.server = RoomEnd(seed, slots=2)
        self.numbers = {}
        self.tones = []
        ends = [self.server.admit(name, number) for number, name in enumerate(("ana", "ben"), 1)]
        (_, self.ana), (_, self.ben) = ends
        self.ends = {SERVER: self.server, **dict(ends)}
        self.play(1.0)

    @property
    def now(self):
        return self.wire.clock.now

    def play(self, seconds):
        for heard in play(self.ends, self.wire, self.now + seconds):
            assert isinstance(heard.event, Told)
        self.tones += self.server.room.take_changes().tones

    def send(self, *ssrcs, packets=1, every=0.02):
        """So many packets of each of these SSRCs, side by side. Gives back when the first was sent."""
        begun = self.now
        for _ in range(packets):
            for ssrc in ssrcs:
                number = self.numbers[ssrc] = self.numbers.get(ssrc, -1) + 1
                # Each SSRC has its own origin of numbers, and its timestamps go with the time.
                self.ana.say(ssrc, 7 * ssrc + number, 1000 * ssrc + round(self.now * 48_000), b"%d:%d" % (ssrc, number))
            self.play(every)
        return begun

    def press(self, ssrc, code, packets=5):
        """One telephone event under this SSRC, its end three times."""
        begun = round(self.now * 48_000)
        for step in [*range(1, packets + 1), packets, packets]:
            number = self.numbers[ssrc] = self.numbers.get(ssrc, -1) + 1
            self.ana.press(ssrc, 7 * ssrc + number, begun, KeyPress(code, step == packets, 10, step * FRAME))
            self.play(0.02)

    @property
    def packets(self):
        """All RTP that came to Ben, in order of arrival; it came through one slot."""
        assert len(self.ben.heard) <= 1
        return [entry for packets in self.ben.heard.values() for entry in packets]

    @property
    def voices(self):
        """(arrival, SSRC, number) of the voice packets among it."""
        found = [(at, *packet.payload.split(b":")) for at, packet in self.packets if packet.payload_type == 111]
        return [(at, int(ssrc), int(number)) for at, ssrc, number in found]

    def heard_of(self, ssrc):
        return [number for _, one, number in self.voices if one == ssrc]

    def heard_at(self, ssrc, since):
        """Seconds from `since` until Ben first heard this SSRC."""
        return next(at for at, one, _ in self.voices if one == ssrc and at >= since) - since

    def silence(self, since, until):
        """The longest time within which Ben heard nothing."""
        times = [since, *(at for at, *_ in self.voices if since <= at <= until), until]
        return max(after - before for before, after in pairwise(times))

    def judge(self):
        """Ben had one stream that never restarted: sequence numbers without a gap, timestamps that only rise."""
        assert self.server.out.failed == 0
        ordered = [packet for _, packet in self.packets]
        assert [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(ordered)] == [1] * (len(ordered) - 1)
        voice = [packet for packet in ordered if packet.payload_type == 111]
        steps = [(b.rtp_timestamp - a.rtp_timestamp) & 0xFFFFFFFF for a, b in pairwise(voice)]
        assert all(FRAME <= step < 1 << 31 for step in steps)


FLOOD = 1 << 20

DELAY = 2 * 0.02
"""Seconds from Ana to Ben over the wire."""


# -- B26 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 2])
def test_b26_a_few_packets_of_another_ssrc_take_nothing_from_the_voice(at_once):
    call = Call()
    call.send(10, packets=50)
    for ssrc in (11, 12, 13):
        call.send(10, *[ssrc] * at_once)
        call.send(10, packets=20)
    call.play(0.1)
    assert call.heard_of(10) == list(range(50 + 3 * 21))
    assert [call.heard_of(ssrc) for ssrc in (11, 12, 13)] == [[], [], []]
    call.judge()


def test_b26_an_event_on_an_ssrc_of_its_own_takes_nothing_from_the_voice_and_is_heard():
    call = Call()
    call.send(10, packets=25)
    call.press(11, code=5)
    since = call.send(10, packets=25)
    call.play(0.1)
    assert call.heard_of(10) == list(range(50))
    assert call.heard_at(10, since) < DELAY + 0.001
    events = [packet for _, packet in call.packets if packet.payload_type == EVENTS.payload_type]
    assert [packet.payload for packet in events] == [
        KeyPress(5, n >= 5, 10, min(n, 5) * FRAME).payload() for n in range(1, 8)
    ]
    assert [packet.marker for packet in events] == [True] + [False] * 6
    assert len({packet.rtp_timestamp for packet in events}) == 1
    assert [tone[:2] for tone in call.tones] == [("ana", "5")]
    call.judge()


def test_b26_an_event_beside_the_voice_leaves_no_packet_of_the_voice_out():
    call = Call()
    call.send(10, packets=10)
    for step in (1, 2, 3, 3, 3):
        call.ana.press(11, 500 + len(call.packets), 4711, KeyPress(9, step == 3, 10, step * FRAME))
        call.send(10)
    call.send(10, packets=10)
    call.play(0.1)
    assert call.heard_of(10) == list(range(25))
    assert [tone[:2] for tone in call.tones] == [("ana", "9")]
    call.judge()


def test_events_before_the_first_word_and_on_the_voice_s_own_ssrc_begin_no_second_stream():
    call = Call()
    call.press(10, code=1)
    assert not call.server.endpoints["ana"].streams
    call.send(10, packets=10)
    call.press(10, code=2)
    call.send(10, packets=10)
    call.play(0.1)
    assert len(call.heard_of(10)) == 20
    assert [tone[:2] for tone in call.tones] == [("ana", "1"), ("ana", "2")]
    assert len(call.server.endpoints["ana"].streams) == 1


def test_b26_forty_ssrcs_one_after_the_other_are_each_heard_within_100_ms():
    call = Call()
    for ssrc in range(10, 50):
        since = call.send(ssrc, packets=10)
        assert call.heard_at(ssrc, since) <= DELAY + 0.1
    call.play(0.1)
    # Those that were sent until it took over were not lost.
    assert [call.heard_of(ssrc) for ssrc in range(10, 50)] == [list(range(10))] * 40
    assert len(call.server.endpoints["ana"].streams) == MAX_SSRCS
    call.judge()


def test_b26_a_then_b_then_a_again():
    call = Call()
    for ssrc in (10, 11, 10, 11, 10):
        since = call.send(ssrc, packets=25)
        assert call.heard_at(ssrc, since) <= DELAY + 0.1
        assert call.silence(since, call.now) <= DELAY + 0.1
    call.judge()


@pytest.mark.parametrize("pause", [0.0, 0.02, 1.0, 40.0])
def test_a_track_that_was_replaced_is_heard_within_100_ms(pause):
    call = Call()
    call.send(10, packets=25)
    call.play(pause)
    since = call.send(11, packets=25)
    assert call.heard_at(11, since) <= DELAY + 0.1
    call.judge()


def test_a_mute_that_is_lifted_with_another_ssrc_is_heard_within_100_ms():
    call = Call()
    call.send(10, packets=25)
    call.server.room.set_flags("ana", MuteFlags(self_mute=True), call.now)
    call.send(11, packets=25)
    assert call.heard_of(11) == []
    call.server.room.set_flags("ana", MuteFlags(), call.now)
    since = call.send(11, packets=25)
    assert call.heard_at(11, since) <= DELAY + 0.1
    call.play(0.1)
    # Nothing of what was said muted.
    assert call.heard_of(11) == list(range(25, 50))
    call.judge()


def test_of_two_that_send_all_the_time_one_is_heard():
    call = Call(seed=3)
    call.send(10, packets=25)
    call.wire.loss, call.wire.jitter = 0.02, 0.03
    call.send(10, 11, packets=500)
    call.play(0.1)
    assert call.heard_of(11) == []
    assert len(call.heard_of(10)) > 480
    # When it stops, the other one is heard.
    since = call.send(11, packets=25)
    assert call.heard_at(11, since) <= DELAY + 0.03 + RIVAL_SILENCE


def test_a_new_track_that_overlaps_with_the_old_one_is_heard_within_100_ms_of_its_end():
    call = Call()
    call.send(10, packets=25)
    call.send(10, 11, packets=RIVAL_TURNS - 1)
    since = call.send(11, packets=25)
    assert call.heard_at(11, since) <= DELAY + 0.1
    call.judge()


def test_a_talker_in_dtx_keeps_the_slots_against_single_packets():
    call = Call()
    call.send(10, packets=25)
    for number in range(10):
        call.send(10, every=0.2)
        call.send(20 + number % 3, every=0.2)
    call.send(10, packets=25)
    call.play(0.1)
    assert call.heard_of(10) == list(range(60))
    call.judge()


# -- eight SSRCs ----------------------------------------------------------------------------------------------------


def test_b8_of_more_than_eight_ssrcs_the_one_silent_longest_goes():
    call = Call()
    for ssrc in range(10, 10 + MAX_SSRCS):
        call.send(ssrc, packets=5)
    streams = call.server.endpoints["ana"].streams
    call.send(10)
    since = call.send(30, packets=10)
    # 11 was silent longest, as 10 has sent since.
    assert set(streams) == {10, *range(12, 10 + MAX_SSRCS), 30}
    assert call.heard_at(30, since) <= DELAY + 0.1


def test_b8_a_flood_of_ssrcs_is_not_decrypted_and_the_voice_is_heard_throughout():
    call = Call()
    call.send(10, packets=25)
    counted = itertools.count(FLOOD)
    decrypted = call.server.endpoints["ana"].srtp
    tried = []
    original = type(decrypted).unprotect
    type(decrypted).unprotect = lambda self, packet: (tried.append(packet), original(self, packet))[1]
    try:
        for _ in range(100):
            call.send(10, *itertools.islice(counted, 20))
    finally:
        type(decrypted).unprotect = original
    call.play(0.1)
    assert call.heard_of(10) == list(range(125))
    flood = [packet for packet in tried if int.from_bytes(packet[8:12], "big") >= FLOOD]
    assert len(flood) <= MAX_SSRCS + 2 * NEW_SSRCS + 2 * NEW_SSRCS
    assert call.server.endpoints["ana"].drops["ssrc_limit"] >= 1800
    ana = call.server.room.participants["ana"]
    assert len(ana.streams) == len(ana.tables) == MAX_SSRCS
    assert len(ana.voice._runs) < MAX_SSRCS
    call.judge()


# -- the rule -------------------------------------------------------------------------------------------------------


def standing_by(number, now):
    mouth = Mouth(stream_of("ana", number, now=now), now)
    mouth.stream.handlers = ()
    return mouth


def test_a_takeover_wants_packets_in_a_row_and_silence_of_the_active_stream():
    voice, first, second = ActiveStream(), standing_by(1, 0.0), standing_by(2, 0.0)
    voice.choose(first.stream)
    first.say()
    for now, expected in ((0.001, False), (0.002, False), (0.003, False), (TAKEOVER_SILENCE, True)):
        assert voice.taken_over(second.stream, now) is expected
    first.now = 0.1
    first.say(SILENCE)
    assert [voice.taken_over(second.stream, 1.0) for _ in range(TAKEOVER_PACKETS)] == [False, False, True]


def test_two_that_stand_by_do_not_keep_each_other_from_taking_over():
    voice, first = ActiveStream(), standing_by(1, 0.0)
    voice.choose(first.stream)
    first.say()
    second, third = standing_by(2, 0.0).stream, standing_by(3, 0.0).stream
    taken = [voice.taken_over(stream, 1.0) for stream in (second, third) * TAKEOVER_PACKETS]
    assert taken.index(True) == 2 * TAKEOVER_PACKETS - 2


def test_one_stream_is_active():
    voice, first, second = ActiveStream(), standing_by(1, 0.0).stream, standing_by(2, 0.0).stream
    voice.choose(first)
    voice.choose(second)
    assert (first.active, second.active, voice.stream) == (False, True, second)
    voice.choose(None)
    assert (first.active, second.active, voice.stream) == (False, False, None)


def test_the_stream_that_sent_last_follows():
    first, second = standing_by(1, 0.0), standing_by(2, 0.0)
    second.say()
    first.now = 1.0
    first.say()
    assert newest([first.stream, second.stream]) is first.stream
    assert newest([]) is None


def test_a_rival_that_has_been_quiet_for_a_while_is_none_any_more():
    voice, first = ActiveStream(), standing_by(1, 0.0)
    voice.choose(first.stream)
    second = standing_by(2, 0.0).stream
    for _ in range(RIVAL_TURNS + 1):
        first.say()
        voice.taken_over(second, first.now)
    rested = first.now + RIVAL_MEMORY + 0.1
    first.now = rested
    first.say()
    taken = [voice.taken_over(second, rested + 0.02 * number) for number in range(1, 4)]
    assert taken == [False, False, True]


def test_what_has_ended_is_not_counted_on():
    voice, first, second = ActiveStream(), standing_by(1, 0.0), standing_by(2, 0.0)
    voice.choose(first.stream)
    assert not any(voice.taken_over(second.stream, 1.0) for _ in range(TAKEOVER_PACKETS - 1))
    voice.forget(second.stream)
    assert not voice.taken_over(second.stream, 1.0)
