"""Which SSRCs of an endpoint are kept, and which streams an offer ends."""

from dataclasses import replace
from itertools import count

import pytest

from sfu.answer import negotiate
from sfu.dtmf import KeyPress
from sfu.listener import StreamBegan, StreamEnded
from sfu.sdp import parse_offer
from sfu.sources import FORGET_SECONDS, MAX_SSRCS, BareKeyPress, KeysEnded, Sources
from tests.sfu.offers import one_line
from tests.support.ears import OPUS

IDS = count(1)
ONE = KeyPress(1, False, 10, 960)


class Client:
    """Sends under SSRCs; `told` has what became of them, in order."""

    def __init__(self):
        self.told = []
        self.sources = Sources("ana", IDS, self.told.append)

    def send(self, ssrc, now=0.0):
        stream = self.sources.streams.get(ssrc)
        if stream is None:
            stream = self.sources.begin(ssrc, OPUS, (1, 1), now)
        stream.statistics.add(stream.statistics.packets_received, 0, now, 80)
        return stream

    def press(self, ssrc, sequence=1, now=0.0):
        self.sources.press(BareKeyPress(ssrc, ONE, 48_000, 7), sequence, now)

    def offer(self, *attributes, **kwargs):
        lines = negotiate(parse_offer(one_line(*attributes, **kwargs)))
        self.negotiate(*lines)
        return lines

    def negotiate(self, *lines):
        self.sources.negotiate([line for line in lines if line.can_send])

    def take(self):
        told, self.told[:] = list(self.told), []
        return told


def test_ids_of_streams_are_unique_in_the_server():
    # Two endpoints of one participant, while one peer connection replaces the other.
    former, new = Client(), Client()
    streams = [client.send(7) for client in (former, new, former, new)]
    assert streams[0] is streams[2]
    assert streams[1] is streams[3]
    assert streams[0].id != streams[1].id


def test_a_stream_has_the_format_of_its_payload_type():
    client = Client()
    (line,) = client.offer()
    assert client.sources.formats == {111: OPUS}
    assert (line.clock_rate, line.payload_type) == (48_000, 111)
    stream = client.send(7)
    assert (stream.kind, stream.payload_type, stream.clock_rate) == ("audio", 111, 48_000)
    assert (stream.statistics.clock_rate, stream.active) == (48_000, False)


def test_rfc4733_a_bare_event_begins_no_stream_and_voice_under_its_ssrc_does():
    client = Client()
    client.press(7)
    assert client.take() == [BareKeyPress(7, ONE, 48_000, 7)]
    assert 7 in client.sources
    assert client.sources.streams == {}
    stream = client.send(7)
    assert client.take() == [StreamBegan(stream)]
    assert client.sources.keys == {}


@pytest.mark.parametrize(("sequence", "told"), [(0xFFFF, 0), (0, 1), (1, 1), (0xFF00, 0), (0x7FFE, 1), (0x7FFF, 0)])
def test_rfc3550_a_late_or_repeated_event_tells_nothing(sequence, told):
    client = Client()
    client.press(7, 0xFFFF)
    client.take()
    client.press(7, sequence)
    assert len(client.take()) == told


def test_b8_the_one_silent_longest_goes_be_it_a_stream_or_keys_and_never_the_active_one():
    client = Client()
    active = client.send(1, 0.0)
    active.active = True
    client.press(2, now=0.1)
    for ssrc in range(3, MAX_SSRCS + 1):
        client.send(ssrc, ssrc / 10)
    client.take()
    client.send(50, 1.0)
    assert isinstance(client.told[0], KeysEnded)
    third = client.sources.streams[3]
    client.send(51, 1.1)
    assert StreamEnded(third) in client.take()
    assert 1 in client.sources
    assert len(client.sources.streams) == MAX_SSRCS


def test_what_sends_nothing_for_half_a_minute_is_forgotten():
    client = Client()
    stream = client.send(1, 0.0)
    client.press(2, now=5.0)
    client.take()
    client.sources.expire(FORGET_SECONDS)
    assert client.take() == []
    client.sources.expire(FORGET_SECONDS + 1)
    assert client.take() == [StreamEnded(stream)]
    client.sources.expire(FORGET_SECONDS + 6)
    assert client.take() == [KeysEnded(2)]


# -- offers ---------------------------------------------------------------------------------------------------------

MIC = ("a=msid:stream mic",)


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_rfc8829_an_offer_that_ends_a_sender_ends_its_streams_and_its_keys(direction):
    client = Client()
    client.offer(*MIC)
    stream = client.send(7)
    client.press(8)
    client.take()
    client.offer(direction=direction)
    assert client.take() == [StreamEnded(stream), KeysEnded(8)]
    assert client.sources.formats == {}


@pytest.mark.parametrize(
    ("before", "after", "goes_on"),
    [
        # An ICE restart, or a line more: all as it was.
        (MIC, MIC, True),
        ((), (), True),
        ((), ("a=ssrc:7 cname:x",), True),
        ((*MIC, "a=ssrc:7 cname:x"), (*MIC, "a=ssrc:7 cname:x"), True),
        # Another track, with or without its SSRC announced.
        (MIC, ("a=msid:stream headset",), False),
        ((*MIC, "a=ssrc:7 cname:x"), ("a=msid:stream headset", "a=ssrc:9 cname:x"), False),
        ((*MIC, "a=ssrc:7 cname:x"), (*MIC, "a=ssrc:9 cname:x"), False),
        # The same SSRC under another name is the same stream.
        ((*MIC, "a=ssrc:7 cname:x"), ("a=msid:stream renamed", "a=ssrc:7 cname:x"), True),
        # A sender that no longer says its SSRCs, or that never said them.
        ((*MIC, "a=ssrc:7 cname:x"), MIC, True),
        (MIC, (*MIC, "a=ssrc:9 cname:x"), True),
    ],
)
def test_rfc8830_an_offer_that_replaces_a_sender_ends_its_stream(before, after, goes_on):
    client = Client()
    client.offer(*before)
    client.send(7)
    client.offer(*after)
    assert (7 in client.sources.streams) is goes_on


def test_a_line_that_is_rejected_ends_its_own_stream_only():
    client = Client()
    (line,) = client.offer(*MIC)
    first = replace(line, ssrcs=(7,))
    second = replace(line, index=1, mid="1", payload_type=112, msid="stream second")
    client.negotiate(first, second)
    one = client.send(7)
    other = client.sources.begin(9, OPUS._replace(payload_type=112), (1, 1), 0.0)
    client.take()
    client.negotiate(second)
    assert client.take() == [StreamEnded(one)]
    client.negotiate(first, replace(second, msid="stream third"))
    assert client.take() == [StreamEnded(other)]
