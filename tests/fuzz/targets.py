"""What is fuzzed: for each parser good input to begin with, a way to spoil it, and what has to hold whatever comes.

`check` says whether the input was taken (True) or refused with the parser's own error (False). Anything else that it
raises is a find.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from random import Random
from typing import Any

import orjson
from aioice import stun as codec

from bench.peer_dtls import DtlsEnd, Identity
from sfu.answer import AnswerParameters, HostCandidate, SlotStream, build_answer, choose_setup, negotiate
from sfu.dtls_alert import AlertKeys, ends_association
from sfu.endpoint import Endpoint
from sfu.errors import BadOffer, MalformedPacket, SrtpFailure
from sfu.ice import IceLite, Source
from sfu.offer import Fingerprint, IceParameters
from sfu.reports import Reports
from sfu.rtcp import (
    ExtendedReport,
    Feedback,
    Goodbye,
    LastReceiverReport,
    LastReceiverReports,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    SenderReport,
)
from sfu.rtcp_build import build as build_rtcp
from sfu.rtcp_build import describe
from sfu.rtcp_parse import parse as parse_rtcp
from sfu.rtp import ONE_BYTE_PROFILE, RtpPacket, audio_level, elements, parse, parse_header
from sfu.rtp import build as build_rtp
from sfu.sdp import parse_candidate, parse_offer
from sfu.stun import error_response, parse_request, read_mapped_address, success_response
from sfu.udp import RTP, classify
from signaling.errors import ClientMistake
from signaling.protocol.client_messages import parse_client_message
from signaling.protocol.whip import WHEP, WHIP, one_way_offer, parse_fragment, restarted
from tests.fuzz.mutators import mutate_json, mutate_lines, mutate_octets
from tests.sfu.offers import NAMES, one_line, read
from tests.signaling.protocol.test_client_messages import GOOD
from tests.support.check_client import signed_check
from tests.support.ears import OPUS, srtp_contexts


@dataclass(frozen=True)
class Target:
    """One parser under fire. `spoil(seeds, chance)` makes the next input."""

    seeds: Sequence[Any]
    spoil: Callable[[Sequence[Any], Random], Any]
    check: Callable[[Any], bool]


OURS = IceParameters("ours", "o" * 22)
THEIRS = IceParameters("theirs", "t" * 22)
HERE, ELSEWHERE = Source(0, ("192.0.2.1", 5000)), Source(0, ("192.0.2.2", 6000))
TRANSACTION = bytes(range(12))
PARAMETERS = AnswerParameters(
    session_id=1,
    version=1,
    ice=OURS,
    fingerprint=Fingerprint("sha-256", ":".join(["AB"] * 32)),
    setup="passive",
    candidates=[HostCandidate("192.0.2.9", 7882), HostCandidate("2001:db8::9", 7882)],
    slots={"0": SlotStream(1, "slot-0", "audio-0")},
    cname="fuzz",
)
REPORTS = [
    (SenderReport(7, 1 << 63, 9, 10, 11, (ReportBlock(12, 0x40, -2, 0x10003, 14, 15, 16),)), describe([7], "me")),
    (ReceiverReport(7, tuple(ReportBlock(one, 0, one, one, 0, 0, 0) for one in range(5))),),
    (ReceiverReport(7), Feedback(205, 15, 1, 2, bytes(12)), Feedback(206, 1, 1, 2, b"")),
    (
        ReceiverReport(7),
        ExtendedReport(7, (ReceiverReferenceTime(99), LastReceiverReports((LastReceiverReport(1, 2, 3),)))),
    ),
    (ReceiverReport(7), Goodbye((7, 8), b"ab")),
]
PACKETS = [
    RtpPacket(111, 1, 2, 3, b"opus"),
    RtpPacket(111, 65_535, 2**32 - 1, 3, b"opus" * 20, marker=True, csrcs=(1, 2), padding=7),
    RtpPacket(111, 1, 2, 3, b"opus", extensions=((1, b"\x80"), (4, b"mid-0"), (14, bytes(16)))),
    RtpPacket(111, 1, 2, 3, b"", extensions=((200, bytes(200)), (3, b""))),
]


def _octets(seeds: Sequence[bytes], chance: Random) -> bytes:
    return mutate_octets(chance.choice(seeds), chance, seeds)


def _check_offer(text: str) -> bool:
    """An offer that keeps its promises and can be answered, or `BadOffer`; the same for its candidates."""
    for line in text.split("\r\n"):
        if line.startswith("a=candidate:"):
            with contextlib.suppress(BadOffer):
                assert parse_candidate(line[2:]).port < 65_536
            break
    try:
        offer = parse_offer(text)
        negotiate(offer)
        choose_setup(offer, None)
        answer = build_answer(offer, PARAMETERS)
    except BadOffer:
        return False
    assert offer.audio
    assert offer.fingerprints
    assert [line.index for line in offer.media] == list(range(len(offer.media)))
    assert len({line.mid for line in offer.media}) == len(offer.media)
    assert answer.count("\r\nm=") == len(offer.media)
    assert "\n" not in answer.replace("\r\n", "")
    return True


def _check_stun(datagram: bytes) -> bool:
    taken = False
    try:
        request = parse_request(datagram)
        if request is not None:
            taken = request.authentic(OURS.pwd)
            success_response(request, ("192.0.2.1", 1), OURS.pwd)
            error = error_response(request, 401)
            assert error is None or len(error) <= len(datagram)
    except MalformedPacket:
        pass
    try:
        read_mapped_address(datagram, TRANSACTION)
        taken = True
    except MalformedPacket:
        pass
    return taken


def _check_rtp(packet: bytes) -> bool:
    try:
        _, _, _, _, profile, start, end, payload_end = parse_header(packet)
        assert 12 <= start <= end <= payload_end <= len(packet)
        for identifier in (1, 15, 200):
            audio_level(packet, profile, start, end, identifier)
        if profile == ONE_BYTE_PROFILE:
            assert all(at + length <= end for _, at, length in elements(packet, profile, start, end))
        parse(packet)
    except MalformedPacket:
        return False
    return True


def _check_rtcp(datagram: bytes) -> bool:
    try:
        parse_rtcp(datagram)
    except MalformedPacket:
        return False
    return True


class _Member:
    """An endpoint that gets datagrams as from its member, who has the keys, and as from a stranger."""

    def __init__(self) -> None:
        self.keys = AlertKeys(bytes(16), bytes(4), explicit=True)
        self.renew()

    def renew(self) -> None:
        """Begin anew: what was sent before may have ended it, and libsrtp's lists of SSRCs have grown."""
        self.server, self.client = srtp_contexts()
        self.now = 0.0
        self.engine = Endpoint("ana", IceLite(OURS, THEIRS, 0.0), Reports(0xABCD, "cname", 1e9), Random(5), count(1))
        self.engine.receive(signed_check(THEIRS, OURS, TRANSACTION, nominate=True), HERE, 0.0)
        self.engine.connected(self.server, 0.0)
        for ssrc in (7, 8):
            self.engine.sources.begin(ssrc, OPUS, (100, 0), 0.0)

    def take(self, datagram: bytes) -> bool:
        """From the member's address, from elsewhere, and where it can be encrypted as the member's own RTCP."""
        if self.engine.gone or self.now > 20.0:
            self.renew()
        self.now += 0.01
        kind = classify(datagram)
        ends_association(datagram, self.keys)
        for source in (HERE, ELSEWHERE):
            if kind != RTP:
                self.engine.receive(datagram, source, self.now)
        with contextlib.suppress(SrtpFailure):  # where not even libsrtp's sender takes it
            self.engine.receive(self.client.protect_rtcp(datagram), HERE, self.now)
        self.engine.advance(self.now)
        before = len(self.engine.outputs)
        assert sum(1 for _ in self.engine.drain()) >= before
        return kind != 0


def _records() -> list[bytes]:
    """A whole handshake of two ends, as datagrams."""
    ours, theirs = Identity(), Identity()
    profiles = ("SRTP_AEAD_AES_128_GCM",)
    client = DtlsEnd(ours, profiles, theirs.fingerprint, client=True)
    server = DtlsEnd(theirs, profiles, ours.fingerprint, client=False)
    client.start()
    server.start()
    seen = list(client.out)
    while client.out or server.out:
        for sender, receiver in ((client, server), (server, client)):
            out, sender.out = sender.out, []
            for record in out:
                seen.append(record)
                receiver.receive(record)
    return seen


def _check_message(text: str) -> bool:
    try:
        parse_client_message(text)
    except ClientMistake:
        return False
    return True


def _stun_seeds() -> list[bytes]:
    checks = [signed_check(THEIRS, OURS, TRANSACTION, nominate=one) for one in (True, False)]
    answer = codec.Message(codec.Method.BINDING, codec.Class.RESPONSE, TRANSACTION)
    answer.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.7", 4711)
    refusal = codec.Message(codec.Method.BINDING, codec.Class.ERROR, TRANSACTION)
    refusal.attributes["ERROR-CODE"] = (487, "Role Conflict")
    return [*checks, bytes(answer), bytes(refusal)]


@cache
def target(name: str) -> Target:
    """The target of this name. Raises KeyError."""
    return _TARGETS[name]()


def _sdp() -> Target:
    seeds = [*map(read, NAMES), one_line()]
    return Target(seeds, lambda given, chance: mutate_lines(chance.choice(given), chance), _check_offer)


def _rtcp() -> Target:
    return Target([build_rtcp(*packets) for packets in REPORTS], _octets, _check_rtcp)


def _demux() -> Target:
    seeds = [*_records(), *_stun_seeds(), *(build_rtcp(*packets) for packets in REPORTS), build_rtp(PACKETS[0])]
    return Target(seeds, _octets, _Member().take)


def _check_fragment(text: str) -> bool:
    """A fragment of WHIP, and the same text as an offer of WHIP or WHEP: either is read, or is a ClientMistake."""
    for way in (WHIP, WHEP):
        with contextlib.suppress(ClientMistake):
            assert {
                line.direction for line in parse_offer(one_way_offer(text.encode(errors="surrogatepass"), way)).audio
            } == {way.direction}
    try:
        fragment = parse_fragment(text.encode(errors="surrogatepass"))
    except ClientMistake:
        return False
    if fragment.ice is not None:
        assert parse_offer(restarted(one_line(), fragment.ice)).ice == fragment.ice
    return True


def _sdpfrag() -> Target:
    ice = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901"]
    candidates = ["a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host", "a=end-of-candidates"]
    seeds = ["\r\n".join([*lines, ""]) for lines in (ice, candidates, [*ice, *candidates])]
    offers = [one_line(direction="sendonly"), one_line(direction="recvonly")]

    def spoil(given: Sequence[str], chance: Random) -> str:
        return mutate_lines(chance.choice([*given, *offers]), chance)

    return Target(seeds, spoil, _check_fragment)


def _json() -> Target:
    seeds = [orjson.dumps({"type": kind, "id": 1, "payload": payload}).decode() for kind, payload in GOOD.items()]
    return Target(seeds, lambda given, chance: mutate_json(chance.choice(given), chance), _check_message)


_TARGETS: dict[str, Callable[[], Target]] = {
    "sdp": _sdp,
    "stun": lambda: Target(_stun_seeds(), _octets, _check_stun),
    "rtp": lambda: Target([build_rtp(packet) for packet in PACKETS], _octets, _check_rtp),
    "rtcp": _rtcp,
    "demux": _demux,
    "json": _json,
    "sdpfrag": _sdpfrag,
}
NAMES_OF_TARGETS = tuple(_TARGETS)


@dataclass(frozen=True)
class Outcome:
    """So many inputs were taken, so many refused."""

    taken: int
    refused: int


class Find(AssertionError):
    """A parser let something past that is not its error. The input is in the text, to become a test."""


def fuzz(name: str, numbers: range, seed: int) -> Outcome:
    """Give the target the inputs of these numbers. The same seed and number make the same input. Raises Find."""
    chosen, taken = target(name), 0
    check, spoil = chosen.check, partial(chosen.spoil, chosen.seeds)
    for number in numbers:
        given = spoil(Random(seed << 40 | number))
        try:
            taken += check(given)
        except Exception as error:
            raise Find(f"{name}, seed {seed}, number {number}: {error!r} for\n{given!r}") from error
    return Outcome(taken, len(numbers) - taken)
