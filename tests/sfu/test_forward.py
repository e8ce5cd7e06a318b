import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.forward import (
    NO_EXTENSION,
    ExtensionBlock,
    SendingSocket,
    Target,
    build_fan,
    extension_block,
    forward,
    forward_plainly,
)
from sfu.mmsg import LANE, SEND_LANES, PinnedSockaddr, SendBatch, sockaddr
from sfu.rtp import LEVEL_MASK, parse
from tests.support.ears import NOWHERE, CollectingBatch, collecting_socket, srtp_contexts

WORDS = st.integers(0, 0xFFFFFFFF)
OFFSETS = st.one_of(
    st.integers(-(1 << 40), 1 << 40), st.sampled_from([0, -1, 0xFFFF, -0x10000, 1 << 16, 1 << 32, -(1 << 32)])
)
IDS = st.none() | st.integers(1, 14) | st.integers(15, 255)
BLOCKS = st.builds(extension_block, st.none() | st.text("abc1", min_size=1, max_size=40), IDS, IDS)
PACKETS = st.tuples(
    st.one_of(st.integers(0, 1 << 20), st.sampled_from([0xFFFF, 0x10000, 0x1FFFF])),
    st.one_of(WORDS, st.sampled_from([0, 0xFFFFFFFF])),
    st.sampled_from([0, 0x80]),
    st.integers(0, 127),
    st.binary(max_size=200),
)


class Listeners:
    """So many listeners, each with keys and an address of its own."""

    def __init__(self, count, profile="SRTP_AEAD_AES_128_GCM"):
        self.contexts = [srtp_contexts(profile, seed) for seed in range(count)]
        self.pinned = [PinnedSockaddr(sockaddr(socket.AF_INET, "127.0.0.1", 1 + seed)) for seed in range(count)]
        self.client_of = {
            pinned.address: client for pinned, (_, client) in zip(self.pinned, self.contexts, strict=True)
        }

    def target(self, number, ssrc, sequence_offset=0, timestamp_offset=0, kind=111):
        session = self.contexts[number][0].outbound
        return Target(session, ssrc, sequence_offset, timestamp_offset, kind, self.pinned[number].address)

    def hear(self, sent):
        """(address, RTP) of what was sent, decrypted."""
        return [(address, self.client_of[address].unprotect(datagram)) for address, datagram in sent]


MANY = Listeners(150)
TARGETS = st.lists(
    st.tuples(BLOCKS, WORDS, OFFSETS, OFFSETS, st.sampled_from([0, 96, 111, 127]), st.sampled_from([0, 0x80])),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(TARGETS, PACKETS)
def test_forward_does_byte_for_byte_what_forward_plainly_says(chosen, packet):
    listeners = Listeners(len(chosen))
    socket_, batch = collecting_socket()
    pairs = [
        (block, listeners.target(number, ssrc, sequence, timestamp, kind | fresh))
        for number, (block, ssrc, sequence, timestamp, kind, fresh) in enumerate(chosen)
    ]
    fan = build_fan((socket_, *pair) for pair in pairs)
    forward(fan, *packet)
    expected = {target.address: plain for (_, target), plain in zip(pairs, forward_plainly(pairs, packet), strict=True)}
    assert dict(listeners.hear(batch.take())) == expected
    assert (socket_.sent, socket_.failed) == (len(chosen), 0)


@pytest.mark.parametrize("count", [0, 1, SEND_LANES, SEND_LANES + 1, 2 * SEND_LANES + 22])
@pytest.mark.parametrize("block", [NO_EXTENSION, extension_block("mid", 2, 1)])
def test_more_targets_than_lanes_take_more_batches(count, block):
    socket_, batch = collecting_socket()
    pairs = [(block, MANY.target(number, 9000 + count + 1000 * len(block.octets))) for number in range(count)]
    fan = build_fan((socket_, *pair) for pair in pairs)
    assert [len(group.targets) for group in fan] == [
        min(SEND_LANES, count - start) for start in range(0, count, SEND_LANES)
    ]
    packet = (5, 960, 0, 40, b"payload")
    forward(fan, *packet)
    assert [rtp for _, rtp in MANY.hear(batch.take())] == forward_plainly(pairs, packet)
    assert socket_.sent == count


def test_targets_are_grouped_by_socket_and_extensions_in_a_stable_order():
    one, other = collecting_socket()[0], collecting_socket()[0]
    level = extension_block(None, None, 1)
    target = [MANY.target(number, number) for number in range(5)]
    fan = build_fan(
        [
            (one, level, target[0]),
            (other, level, target[1]),
            (one, NO_EXTENSION, target[2]),
            (one, extension_block(None, None, 1), target[3]),
            (other, level, target[4]),
        ]
    )
    assert [(group.socket, group.extension, group.targets) for group in fan] == [
        (one, level, (target[0], target[3])),
        (other, level, (target[1], target[4])),
        (one, NO_EXTENSION, (target[2],)),
    ]


@pytest.mark.parametrize("profile", ["SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80"])
def test_tags_of_different_length_go_in_one_batch(profile):
    listeners = Listeners(1, profile)
    socket_, batch = collecting_socket()
    others = Listeners(2)
    targets = [(NO_EXTENSION, listeners.target(0, 1)), (NO_EXTENSION, others.target(1, 2))]
    forward(build_fan((socket_, *pair) for pair in targets), 1, 2, 0, 3, b"x" * 30)
    (_, first), (_, second) = batch.take()
    assert listeners.contexts[0][1].unprotect(first)[12:] == b"x" * 30
    assert others.contexts[1][1].unprotect(second)[12:] == b"x" * 30


# -- the header extension -------------------------------------------------------------------------------------------


@given(st.none() | st.text("xyz", min_size=1, max_size=40), IDS, IDS, st.integers(0, 127))
def test_rfc8285_rfc6464_a_block_reads_as_what_was_negotiated(mid, mid_id, level_id, level):
    block = extension_block(mid, mid_id, level_id)
    (rtp,) = forward_plainly([(block, MANY.target(0, 1))], (1, 2, 0, level, b"opus"))
    expected = []
    if level_id is not None:
        expected.append((level_id, bytes([level & LEVEL_MASK])))
    if mid is not None and mid_id is not None:
        expected.append((mid_id, mid.encode()))
    packet = parse(rtp)
    assert list(packet.extensions) == expected
    assert packet.payload == b"opus"
    assert len(block.octets) % 4 == 0


@pytest.mark.parametrize(
    ("mid", "mid_id", "level_id", "profile"),
    [
        ("0", 14, 1, 0xBEDE),
        ("0", 15, 1, 0x1000),
        ("m" * 16, 2, 1, 0xBEDE),
        ("m" * 17, 2, 1, 0x1000),
        (None, None, 16, 0x1000),
    ],
)
def test_rfc8285_4_3_the_two_byte_form_where_one_byte_does_not_do(mid, mid_id, level_id, profile):
    assert int.from_bytes(extension_block(mid, mid_id, level_id).octets[:2], "big") == profile


def test_nothing_negotiated_is_no_extension_at_all():
    assert extension_block(None, None, None) is NO_EXTENSION
    assert extension_block("0", None, None) is NO_EXTENSION
    assert extension_block(None, 3, None) is NO_EXTENSION
    assert ExtensionBlock(b"", -1) == NO_EXTENSION


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [(0,), (2,), (4,), (0, 1), (1, 3), (0, 4), (0, 1, 2, 3, 4)])
def test_a_repeated_sequence_number_is_refused_and_counted_and_the_others_are_sent(used):
    listeners = Listeners(5)
    socket_, batch = collecting_socket()
    targets = [(NO_EXTENSION, listeners.target(number, number + 1)) for number in range(5)]
    forward(build_fan((socket_, *targets[number]) for number in used), 10, 960, 0, 30, b"before")
    batch.take()
    assert (socket_.sent, socket_.failed) == (len(used), 0)
    forward(build_fan((socket_, *pair) for pair in targets), 10, 960, 0, 30, b"again")
    assert socket_.failed == len(used)
    left = [number for number in range(5) if number not in used]
    assert listeners.hear(batch.take()) == [
        (listeners.pinned[number].address, forward_plainly([targets[number]], (10, 960, 0, 30, b"again"))[0])
        for number in left
    ]
    # The lanes are in order again for the next packet.
    forward(build_fan((socket_, *pair) for pair in targets), 11, 1920, 0, 30, b"next, and a longer one")
    assert [rtp[12:] for _, rtp in listeners.hear(batch.take())] == [b"next, and a longer one"] * 5


def test_a_refused_destination_does_not_stop_the_rest():
    listeners = Listeners(4)
    socket_, batch = collecting_socket()
    batch.refused.add(listeners.pinned[1].address)
    forward(build_fan((socket_, NO_EXTENSION, listeners.target(number, 1)) for number in range(4)), 1, 2, 0, 3, b"opus")
    assert [address for address, _ in batch.take()] == [listeners.pinned[number].address for number in (0, 2, 3)]
    assert (socket_.sent, socket_.failed) == (3, 1)


def test_through_the_kernel_a_refused_destination_does_not_stop_the_rest():
    listeners = Listeners(3)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        for one in (here, there):
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
        good = PinnedSockaddr(sockaddr(socket.AF_INET, *there.getsockname()))
        bad = PinnedSockaddr(sockaddr(socket.AF_INET, "127.0.0.1", 0))
        out = SendingSocket(here.fileno(), SendBatch(socket.AF_INET))
        targets = [
            listeners.target(number, number + 1)._replace(address=(bad if number == 1 else good).address)
            for number in range(3)
        ]
        forward(build_fan((out, NO_EXTENSION, target) for target in targets), 1, 2, 0, 3, b"opus")
        assert (out.sent, out.failed) == (2, 1)
        came = [listeners.contexts[number][1].unprotect(there.recv(2000)) for number in (0, 2)]
        assert [parse(rtp).ssrc for rtp in came] == [1, 3]


def test_the_longest_datagram_that_is_taken_fits_with_every_extension_in_the_last_lane():
    listeners = Listeners(SEND_LANES, "SRTP_AEAD_AES_256_GCM")
    socket_, batch = collecting_socket()
    payload = bytes(LANE - 12)
    block = extension_block("m" * 255, 200, 201)
    targets = [(block, listeners.target(number, 5)) for number in range(SEND_LANES)]
    forward(build_fan((socket_, *pair) for pair in targets), 1, 2, 0x80, 3, payload)
    heard = listeners.hear(batch.take())
    assert [rtp for _, rtp in heard] == forward_plainly(targets, (1, 2, 0x80, 3, payload))


def test_an_empty_fan_sends_nothing():
    socket_ = SendingSocket(NOWHERE, CollectingBatch())
    forward((), 1, 2, 0, 3, b"opus")
    assert (socket_.sent, socket_.failed) == (0, 0)


def test_rfc3551_4_1_the_marker_comes_from_the_switch_or_from_the_source():
    for kind, marker, sent in ((111, 0, 0), (111, 0x80, 0x80), (111 | 0x80, 0, 0x80), (111 | 0x80, 0x80, 0x80)):
        (rtp,) = forward_plainly([(NO_EXTENSION, MANY.target(0, 1, kind=kind))], (1, 2, marker, 3, b""))
        assert (rtp[1] & 0x80, rtp[1] & 0x7F) == (sent, 111)
