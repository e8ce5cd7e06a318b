"""What strangers and misbehaving members send (ASVS 17.2.6): counted, dropped, and nobody is disturbed."""

import os
import random
import socket
from contextlib import suppress

import pylibsrtp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.peer import Habits
from bench.peer_dtls import DtlsEnd, Identity
from bench.peer_rtp import Fields
from bench.peer_sdp import Shape
from sfu.ice import Source
from sfu.mmsg import sockaddr
from sfu.selection import MuteFlags
from sfu.sources import MAX_SSRCS, NEW_SSRCS_AT_ONCE
from tests.support.house import eventually, hear_from, slot_of, talk

ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"
"""A fatal DTLS alert in clear: handshake_failure."""

SIZES = (0, 1, 65_507)


def records_of_a_stranger():
    """A ClientHello, a ServerHello's flight and an alert, as another implementation would send them."""
    client = DtlsEnd(Identity(), ("SRTP_AEAD_AES_256_GCM",), "", client=True)
    server = DtlsEnd(Identity(), ("SRTP_AEAD_AES_256_GCM",), "", client=False)
    client.start()
    server.start()
    hello = client.out[-1]
    server.receive(hello)
    client.receive(server.out[-1])
    answer = next((out for out in reversed(client.out) if out != hello), hello)
    server.out.clear()
    server.receive(answer)
    return [hello, answer, *server.out, ALERT]


@pytest.fixture
def stranger():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        opened.bind(("127.0.0.1", 0))
        opened.setblocking(False)
        yield opened


def received(stranger):
    """Everything that the server has sent to the stranger."""
    answers = []
    while True:
        try:
            answers.append(stranger.recv(65_536))
        except BlockingIOError:
            return answers


async def conversation(house):
    ana, ben = await house.join("ana"), await house.join("ben")
    await talk(ana, ben, "1", [b"begin"])
    return ana, ben


async def still_fine(house, ana, ben, expected=(b"begin", b"end")):
    await talk(ana, ben, "1", [b"end"])
    await talk(ben, ana, "1", [b"and back"])
    assert hear_from(ben, "1") == list(expected)
    assert not [event for event in house.observer.told if event[0] == "media_gone"]


# -- strangers ------------------------------------------------------------------------------------------------------


async def test_foreign_handshake_records_change_nothing_at_any_moment(house, stranger):
    # before ICE, in the middle of the handshake, and after it.
    records = records_of_a_stranger()
    to = ("127.0.0.1", house.server.port)

    def disturb():
        for record in records:
            stranger.sendto(record, to)

    house.server.participants.add("hall", "ana", MuteFlags())
    ana = house.peer()
    disturb()
    await ana.negotiate(house.signal("ana"))
    disturb()
    put = ana.put

    def put_disturbed(datagram):
        disturb()
        put(datagram)
        disturb()

    ana.put = put_disturbed
    await ana.connect(house.signal("ana"))
    ana.put = put
    ben = await house.join("ben")
    disturb()
    await talk(ana, ben, "1", [b"begin"])
    await still_fine(house, ana, ben)
    assert not received(stranger)
    assert house.count("dropped_unknown_address") >= 5 * len(records)


@pytest.mark.parametrize("size", SIZES)
async def test_empty_tiny_and_huge_datagrams_change_nothing_at_any_moment(house, stranger, size):
    # from strangers and from the peer's own address.
    to = ("127.0.0.1", house.server.port)
    datagrams = [bytes([first]) * size for first in (0, 1, 22, 63, 128, 144, 191, 255)]

    def disturb(peer):
        for datagram in datagrams:
            stranger.sendto(datagram, to)
            peer.socket.sendto(datagram, to)

    house.server.participants.add("hall", "ana", MuteFlags())
    ana = house.peer()
    disturb(ana)
    await ana.negotiate(house.signal("ana"))
    disturb(ana)
    put = ana.put

    def put_disturbed(datagram):
        disturb(ana)
        put(datagram)
        disturb(ana)

    ana.put = put_disturbed
    await ana.connect(house.signal("ana"))
    ana.put = put
    ben = await house.join("ben")
    disturb(ana)
    await talk(ana, ben, "1", [b"begin"])
    await still_fine(house, ana, ben)
    assert not received(stranger)


async def test_stun_without_credentials_is_not_answered_and_binds_nothing(house, stranger):
    ana, ben = await conversation(house)
    own, ana.socket = ana.socket, stranger
    for pwd, ufrag in (("wrong" * 5, None), (None, "nobody"), ("wrong" * 5, "nobody")):
        ana.check(pwd=pwd, ufrag=ufrag)
    signed = ana.check(nominate=False)
    ana.put(signed[:20] + signed[20:-32])
    ana.put(signed[:-8])
    ana.put(signed[:-1])
    ana.put(bytes(signed[:2]) + b"\xff\xff" + signed[4:])
    ana.socket = own
    await house.counted("dropped_malformed_stun", 3)
    await still_fine(house, ana, ben)
    # The sound check alone.
    assert len(received(stranger)) == 1
    assert house.count("dropped_unknown_username") == 2
    assert house.count("dropped_check_refused") == 1


async def test_a_response_is_never_larger_than_what_it_answers(house, stranger):
    ana, _ = await conversation(house)
    own, ana.socket = ana.socket, stranger
    sizes = [len(ana.check(nominate=False)) for _ in range(20)]
    ana.socket = own
    await eventually(lambda: len(ours(house, "ana").endpoint.ice.addresses()) == 2)
    ana.check()
    await ana.until(lambda: ana.responses > 1)
    answers = received(stranger)
    assert 0 < len(answers) <= 20
    assert max(map(len, answers)) <= min(sizes)


def ours(house, name):
    return house.server.connections._connections[name]


async def test_a_flood_of_checks_is_answered_a_hundred_times_a_second_at_most(house, stranger):
    ana, ben = await conversation(house)
    own, ana.socket = ana.socket, stranger
    sent = [ana.check(nominate=False, pwd="wrong" * 5) for _ in range(1500)]
    sent += [ana.check(nominate=False) for _ in range(1500)]
    ana.socket = own
    await eventually(lambda: house.count("dropped_stun_rate") + house.count("dropped_check_refused") >= 1500)
    await still_fine(house, ana, ben)
    answers = received(stranger)
    assert sum(map(len, answers)) <= sum(map(len, sent)) / 10
    assert len(answers) <= 200


async def test_packets_from_an_unknown_address_are_not_looked_at(house, stranger):
    ana, ben = await conversation(house)
    genuine = ana.protect(ana.packet(b"genuine"))
    stranger.sendto(genuine, ana.server)
    await house.counted("dropped_unknown_address")
    assert house.count("packets_in") == 1
    # It was not even decrypted: the same packet from its own address is no replay.
    ana.put(genuine)
    await ben.until(lambda: hear_from(ben, "1")[-1:] == [b"genuine"])
    await still_fine(house, ana, ben, (b"begin", b"genuine", b"end"))


# -- SRTP -----------------------------------------------------------------------------------------------------------


async def test_tampered_packets_are_not_forwarded(house):
    ana, ben = await conversation(house)
    for flip in (1, 2, 5, 9, 14, -1, -16):
        data = bytearray(ana.protect(ana.packet(b"tampered")))
        data[flip] ^= 0x01
        ana.put(bytes(data))
    zeroed = ana.protect(ana.packet(b"zeroed"))
    ana.put(zeroed[:-16] + bytes(16))
    await house.counted("dropped_unauthentic", 7)
    await talk(ana, ben, "1", [b"end"])
    assert hear_from(ben, "1") == [b"begin", b"end"]
    assert set(ours(house, "ana").endpoint.streams) == {ana.ssrc}


async def test_replayed_packets_are_not_forwarded(house):
    # RFC 3711 section 3.3.2.
    ana, ben = await conversation(house)
    once = [ana.send(b"once %d" % number) for number in range(20)]
    for data in once * 2:
        ana.put(data)
    await house.counted("dropped_replayed", 40)
    await talk(ana, ben, "1", [b"end"])
    assert hear_from(ben, "1") == [b"begin", *(b"once %d" % number for number in range(20)), b"end"]


async def test_late_packets_are_forwarded_once_under_their_own_numbers(house):
    # Order and continuity of sequence numbers are the sender's.
    ana, ben = await conversation(house)
    listed = [ana.protect(ana.packet(b"n%d" % number)) for number in range(40)]
    order = list(range(40))
    random.Random(4).shuffle(order)
    for number in [*order, *order[::3]]:
        ana.put(listed[number])
    await house.counted("dropped_replayed", len(order[::3]))
    await ben.until(lambda: len(ben.heard["1"]) == 41)
    heard = ben.heard["1"][1:]
    base = (ben.heard["1"][0].sequence + 1) & 0xFFFF
    assert {(one.sequence - base) & 0xFFFF: one.payload for one in heard} == {n: b"n%d" % n for n in range(40)}


async def test_replays_after_the_stream_has_ended_are_not_forwarded(house):
    ana, ben = await conversation(house)
    old = ana.send(b"secret")
    await ben.until(lambda: len(ben.heard["1"]) == 2)
    house.clock.skip(29)
    for peer in (ana, ben):
        peer.check()
    await ana.until(lambda: ana.responses > 1)
    await ben.until(lambda: ben.responses > 1)
    house.clock.skip(5)
    await eventually(lambda: not ours(house, "ana").endpoint.streams)
    ana.put(old)
    await house.counted("dropped_replayed")
    await still_fine(house, ana, ben, (b"begin", b"secret", b"end"))


# -- what an endpoint may send --------------------------------------------------------------------------------------


async def test_eight_ssrcs_of_one_endpoint_are_kept_and_too_many_new_ones_are_not_even_decrypted(house):
    ana, ben = await conversation(house)
    sent = MAX_SSRCS + NEW_SSRCS_AT_ONCE + 10
    for ssrc in range(1, sent):
        ana.send(b"another", Fields(ssrc=ssrc))
    await house.counted("dropped_ssrc_limit", 10)
    assert len(ours(house, "ana").endpoint.streams) == MAX_SSRCS
    await talk(ana, ben, "1", [b"the first again"])
    assert hear_from(ben, "1")[-1:] == [b"the first again"]
    await talk(ben, ana, "1", [b"not disturbed"])
    assert len(house.observer.slots["ben"]) == 8


async def test_srtp_state_is_bounded_whatever_ssrcs_are_named(house):
    ana, ben = await conversation(house)
    context = ours(house, "ana").endpoint.srtp
    forgotten = []
    forget = type(context).forget
    type(context).forget = lambda self, ssrc: (forgotten.append(ssrc), forget(self, ssrc))
    try:
        for ssrc in range(1, 121):
            ana.send(b"", Fields(ssrc=ssrc, payload_type=13))
        await house.counted("dropped_payload_type", 120)
    finally:
        type(context).forget = forget
    assert forgotten == list(range(1, 57))
    await still_fine(house, ana, ben)


async def test_two_people_with_one_ssrc_are_both_heard(house):
    # RFC 3550 section 8: a collision is none, as each listener sees SSRCs of ours.
    ana, ben = await conversation(house)
    cleo = await house.join("cleo")
    cleo.ssrc = ana.ssrc
    await talk(cleo, ben, slot_of(house, "ben", "cleo"), [b"I am cleo"])
    await talk(ana, ben, "1", [b"I am ana"])
    await talk(cleo, ana, slot_of(house, "ana", "cleo"), [b"and still am"])
    await ben.until(lambda: len(ben.heard[slot_of(house, "ben", "cleo")]) == 2)
    assert hear_from(ben, "1") == [b"begin", b"I am ana"]
    assert hear_from(ben, slot_of(house, "ben", "cleo")) == [b"I am cleo", b"and still am"]


async def test_who_sends_under_the_ssrc_of_a_slot_confuses_nobody(house):
    ana, ben = await conversation(house)
    spoofed = ben.answer.lines["1"].ssrc
    await talk(ben, ana, "1", [b"me"])
    ben.send(b"under my slot's", Fields(ssrc=spoofed))
    await house.counted("packets_in", 3)
    await talk(ben, ana, "1", [b"still me"])
    ana.send(b"on")
    await ben.until(lambda: hear_from(ben, "1")[-1:] == [b"on"])


@pytest.mark.parametrize("payload_type", [0, 9, 13, 109, 112, 127])
async def test_a_payload_type_that_was_not_agreed_is_dropped(house, payload_type):
    ana, ben = await conversation(house)
    ana.send(b"what is this?", Fields(payload_type=payload_type))
    await house.counted("dropped_payload_type")
    await still_fine(house, ana, ben)


def block(profile, body):
    body += bytes(-len(body) % 4)
    return profile.to_bytes(2, "big") + (len(body) // 4).to_bytes(2, "big") + body


BOMB = block(0xBEDE, b"".join(bytes([number % 14 + 1 << 4, number]) for number in range(200)))
LIES = {
    "an element past its block": block(0xBEDE, b"\x2f\x01\x02"),
    "two bytes past its block": block(0x1000, b"\x02\xff\x01\x02"),
    "many padding octets": block(0xBEDE, bytes(300)),
    "many elements": block(0xBEDE, b"\x20\x01" * 100),
}


@pytest.mark.parametrize("name", LIES)
async def test_header_extensions_that_lie_are_counted(house, name):
    ana, ben = await conversation(house)
    ana.send(b"", Fields(block=LIES[name]))
    await house.counted("dropped_malformed")
    await still_fine(house, ana, ben)


@pytest.mark.parametrize("padding", [b"\x00", b"\xff", b"\x80"])
async def test_padding_that_lies_is_counted(house, padding):
    ana, ben = await conversation(house)
    ana.send(b"short", Fields(padding=padding))
    await house.counted("dropped_malformed")
    await still_fine(house, ana, ben)


async def test_padding_and_csrcs_are_taken_off(house):
    # RFC 3550 section 5.1; fifteen CSRCs are allowed, and are nobody's business.
    ana, ben = await conversation(house)
    ana.send(b"padded", Fields(padding=bytes(6) + b"\x07"))
    ana.send(b"mixed", Fields(csrcs=15))
    await ben.until(lambda: len(ben.heard["1"]) == 3)
    await still_fine(house, ana, ben, (b"begin", b"padded", b"mixed", b"end"))


async def test_extensions_that_were_not_agreed_are_never_relayed(house):
    ana, ben = await conversation(house)
    level = bytes([1 << 4, 0x80 | 40])
    ana.send(b"one", Fields(block=block(0xBEDE, level + b"\x32abc" + b"\x71xy")))
    ana.send(b"two", Fields(block=block(0x1000, b"\x01\x01\x28\x0f\x03abc")))
    ana.send(b"three", Fields(block=block(0xABCD, b"private!")))
    ana.send(b"bomb", Fields(block=BOMB))
    await ben.until(lambda: len(ben.heard["1"]) + house.count("dropped_malformed") == 5)
    assert hear_from(ben, "1")[:4] == [b"begin", b"one", b"two", b"three"]
    assert all(set(heard.extensions) <= {1, 4} for heard in ben.heard["1"])
    assert [heard.extensions[1] for heard in ben.heard["1"][1:3]] == [b"\x28", b"\x28"]


async def test_datagrams_longer_than_a_lane_are_counted(house):
    ana, ben = await conversation(house)
    largest = os.urandom(1300)
    await talk(ana, ben, "1", [largest])
    genuine = ana.protect(ana.packet(b"long"))
    for size in (2000, 2047, 2048, 9000):
        ana.put(genuine + bytes(size - len(genuine)))
    await eventually(lambda: house.count("dropped_size") + house.count("dropped_unauthentic") == 4)
    await still_fine(house, ana, ben, (b"begin", largest, b"end"))


# -- floods ---------------------------------------------------------------------------------------------------------


async def test_a_flooder_is_told_and_cut_off_and_the_others_lose_nothing(house):
    ana, ben = await conversation(house)
    eve = await house.join("eve")
    for number in range(5000):
        eve.send(b"flood")
        if number % 500 == 0:
            ana.send(b"calm %d" % (number // 500))
            await eventually(lambda number=number: hear_from(ben, "1")[-1] == b"calm %d" % (number // 500))
    await house.told("flooding", "eve")
    assert house.observer.told.count(("flooding", "eve")) == 1
    assert hear_from(ben, "1") == [b"begin", *(b"calm %d" % number for number in range(10))]
    passed = len(ben.heard[slot_of(house, "ben", "eve")])
    assert passed <= 200 + 200 * 5

    for _ in range(12):
        house.clock.skip(1)
        for _ in range(500):
            eve.send(b"flood")
        await eventually(lambda: not pending(house))
    await house.told("media_gone", "eve", "flood")
    await eve.until(lambda: eve.dtls.state == "closed")
    await talk(ana, ben, "1", [b"end"])
    assert not [event for event in house.observer.told if event[0] == "media_gone" and event[1] != "eve"]


def pending(house):
    """Whether datagrams wait in the server's socket."""
    try:
        return house.server.switchboard.sockets[0].socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


async def test_a_flood_of_rtcp_counts_as_well(house):
    ana, ben = await conversation(house)
    for _ in range(400):
        ana.report()
    await house.counted("dropped_flood")
    await house.told("flooding", "ana")
    await talk(ben, ana, "1", [b"not disturbed"])


async def test_a_flood_of_dtls_is_dropped_and_ends_nobody(house):
    # Anybody may have sent it: records in clear prove nothing.
    ana, ben = await conversation(house)
    for _ in range(15):
        for _ in range(400):
            ana.put(ALERT)
        await eventually(lambda: not pending(house))
        house.clock.skip(1)
    assert house.count("dropped_noise") > 1000
    assert house.observer.told.count(("flooding", "ana")) == 0
    await still_fine(house, ana, ben)


FORGED = b"\x80\x6f" + bytes(10) + b"\x2a" * 60
"""SRTP, but for the keys."""


async def test_who_sends_under_a_members_address_cannot_have_him_cut_off(house):
    # 500 a second for 15 s, three times what ends a member who sends them himself.
    ana, ben = await conversation(house)
    for second in range(15):
        for number in range(500):
            ana.put(FORGED if number % 2 else b"\x80\xc8" + FORGED[2:])
        await eventually(lambda: not pending(house))
        await talk(ana, ben, "1", [b"heard in second %d" % second])
        house.clock.skip(1)
    assert house.count("dropped_unauthentic") == 15 * 500
    assert house.count("dropped_noise") == house.count("dropped_flood") == 0
    assert not [event for event in house.observer.told if event[0] in ("flooding", "media_gone")]
    assert len(ben.heard["1"]) == 1 + 15


async def test_noise_without_end_is_not_decrypted_without_end(house):
    ana, ben = await conversation(house)
    decrypted = 0
    for _ in range(12):
        before = house.count("dropped_unauthentic")
        for _ in range(3000):
            ana.put(FORGED)
            if ana.refused:
                await eventually(lambda: not pending(house))
        await eventually(lambda: not pending(house))
        decrypted = max(decrypted, house.count("dropped_unauthentic") - before)
        house.clock.skip(1)
    assert house.count("dropped_noise") > 1000
    assert decrypted < 3000
    assert not [event for event in house.observer.told if event[0] in ("flooding", "media_gone")]
    await still_fine(house, ana, ben)


async def test_a_flood_of_replays_ends_nobody(house):
    # Whoever can listen on the way can send them again.
    ana, ben = await conversation(house)
    once = ana.send(b"once")
    for _ in range(15):
        for _ in range(300):
            ana.put(once)
        await eventually(lambda: not pending(house))
        house.clock.skip(1)
    assert house.count("dropped_replayed") == 15 * 300
    await still_fine(house, ana, ben, (b"begin", b"once", b"end"))


async def test_a_flood_before_the_handshake_is_only_counted(house):
    ben = await house.join("ben")
    house.server.participants.add("hall", "ana", MuteFlags())
    ana = house.peer(habits=Habits(dtls=False))
    await ana.negotiate(house.signal("ana"))
    ana.check()
    await ana.until(lambda: ana.responses)
    for number in range(1000):
        ana.put(b"\x16\xfe\xfd" + number.to_bytes(20, "big"))
        ana.put(b"\x80\x6f" + bytes(60))
        ana.put(b"\x80\xc8" + bytes(60))
    await eventually(lambda: not pending(house))
    assert house.count("dropped_unready") > 0
    assert house.count("dropped_noise") > 0
    cleo = await house.join("cleo")
    await talk(cleo, ben, slot_of(house, "ben", "cleo"), [b"fine"])


# -- any bytes ------------------------------------------------------------------------------------------------------

ANY = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda first, rest: bytes([first]) + rest,
        st.sampled_from([0, 1, 3, 4, 19, 20, 22, 63, 64, 79, 127, 128, 143, 144, 160, 175, 191, 192, 255]),
        st.binary(max_size=1500),
    ),
    st.builds(
        lambda kind, rest: b"\x80" + bytes([kind]) + rest, st.sampled_from([111, 192, 200, 207, 223]), st.binary()
    ),
    st.builds(
        lambda kind, size, rest: kind.to_bytes(2, "big") + size.to_bytes(2, "big") + b"\x21\x12\xa4\x42" + rest,
        st.sampled_from([0x0001, 0x0101, 0x0111, 0x0011, 0x3FFF]),
        st.integers(0, 100),
        st.binary(max_size=120),
    ),
)


def any_datagrams(house, peer):
    """Hands datagrams to the server as if they came from a stranger, and from the peer's own address."""
    server = house.server
    (sock,) = server.switchboard.sockets
    address = peer.socket.getsockname()
    known, unknown = sock.name_of(*address), sockaddr(socket.AF_INET, "192.0.2.9", 9)
    endpoint = ours(house, "ana").endpoint

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(datagram=ANY, name=st.sampled_from([known, unknown]))
    def play(datagram, name):
        server._receive_other(sock, datagram, name, server.now())
        endpoint.receive(datagram, Source(0, address), server.now())
        list(endpoint.drain())

    return play


async def test_no_octets_raise_past_the_server(house):
    ana, ben = await conversation(house)
    any_datagrams(house, ana)()
    house.clock.skip(2)  # it was a flood, too
    await still_fine(house, ana, ben)


async def test_no_octets_over_the_wire_end_a_call(house, stranger):
    ana, ben = await conversation(house)
    chance = random.Random(7)
    before = sum(count for name, count in house.server.observation.counters().items() if name.startswith("dropped"))
    for number in range(150):
        data = bytes([number * 5 % 256]) + chance.randbytes(chance.randint(0, 400))
        stranger.sendto(data, ana.server)
        ana.put(data)
    await eventually(lambda: not pending(house))
    counters = house.server.observation.counters()
    assert sum(count for name, count in counters.items() if name.startswith("dropped")) > before
    await still_fine(house, ana, ben)


async def test_authentic_packets_with_any_content_are_forwarded_or_counted(house):
    ana, ben = await conversation(house)
    chance = random.Random(11)
    for _ in range(150):
        packet = bytearray(ana.packet(chance.randbytes(chance.randint(0, 60))))
        packet[0] = 0x80 | chance.getrandbits(6) & 0x3F
        packet[12:16] = chance.choice([b"\xbe\xde\x00\x01", b"\x10\x00\x00\x02", chance.randbytes(4)])
        packet[-1] = chance.getrandbits(8)
        with suppress(pylibsrtp.Error):  # libsrtp of the sender refuses some of them itself
            ana.put(ana.protect(bytes(packet)))
    await eventually(lambda: not pending(house))
    assert hear_from(ben, "1")[0] == b"begin"
    await talk(ana, ben, "1", [b"end"])


async def test_a_client_that_agreed_on_no_level_may_send_any_extension(house):
    ana = await house.join("ana", Shape(level_id=None, mid_id=None))
    ben = await house.join("ben")
    ana.send(b"one", Fields(block=BOMB))
    ana.send(b"two", Fields(block=LIES["an element past its block"]))
    await ben.until(lambda: len(ben.heard["1"]) == 2)
    assert hear_from(ben, "1") == [b"one", b"two"]
