"""Both ends of a call for `tests.support.wire`: the SFU's rooms and endpoints without sockets, and people who talk.

The DTLS handshake is left out: keys are there from the start. All else is real, SRTP too.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from quality.receive import ReceiveStatistics
from quality.sequence import PacketCount
from sfu.dtmf import EventFormat, KeyPress, parse_key_press
from sfu.endpoint import Endpoint, Gone, Send
from sfu.errors import SrtpFailure
from sfu.ice import IceLite, SelectedMoved, Source
from sfu.listener import StreamBegan, StreamEnded
from sfu.mmsg import PinnedSockaddr
from sfu.offer import IceParameters
from sfu.opus import OPUS_CLOCK
from sfu.reports import Reports
from sfu.room import MediaRoom
from sfu.rtcp import ReceiverReport, ReportBlock
from sfu.rtcp_build import build as build_rtcp
from sfu.rtcp_parse import parse as parse_rtcp
from sfu.rtp import RtpPacket, parse_header
from sfu.rtp import build as build_rtp
from sfu.rtp import parse as parse_rtp
from sfu.selection import MuteFlags
from sfu.slot import Route, Slot, SlotFormat
from sfu.sources import BareKeyPress, KeysEnded
from sfu.srtp import SrtpContext
from sfu.stun import parse_request
from sfu.udp import RTCP, RTP, STUN, classify
from tests.support.check_client import CheckClient, Datagram
from tests.support.ears import FRAME, LOUD, OPUS, QUIET, collecting_socket, srtp_contexts

TICK = 0.05
LEVEL_ID = 1
EVENTS = EventFormat(110, 48_000)


@dataclass(frozen=True)
class Told:
    """An event of one endpoint."""

    participant: str
    event: Any


class Person(CheckClient):
    """Checks, sends a packet every 20 ms from `speak_from` on, and reports on what comes, each second.

    `heard` has every RTP packet that came, by SSRC, in order of arrival. `speaks(now)` says whether it is loud.
    """

    def __init__(self, name: str, context: SrtpContext, local: IceParameters, remote: IceParameters, seed: int) -> None:
        super().__init__(local, remote, seed=seed)
        self.name = name
        self.context = context
        self.ssrc = seed
        self.sequence = 0xFF00
        self.timestamp = 0xFFFFF000
        self.speak_from = math.inf
        self.speaks: Any = lambda now: True
        self.sent: list[int] = []
        self.heard: dict[int, list[tuple[float, RtpPacket]]] = defaultdict(list)
        self.statistics: dict[int, ReceiveStatistics] = {}
        self._reported: dict[int, PacketCount] = {}
        self.reports: list[Any] = []
        self.refused: Counter[str] = Counter()
        self._report_at = math.inf

    def talk(self, now: float) -> None:
        """Send from now on."""
        self.speak_from, self._report_at = now, now + 0.5

    def advance(self, now: float) -> None:
        """Do what is due."""
        super().advance(now)
        while now >= self.speak_from:
            self.speak_from += 0.02
            payload = f"{self.name}:{self.sequence}".encode()
            self.sent.append(self.sequence)
            self.say(self.ssrc, self.sequence, self.timestamp, payload, LOUD if self.speaks(now) else QUIET)
            self.sequence += 1
            self.timestamp += FRAME
        if now >= self._report_at:
            self._report_at = now + 1.0
            self.send(self.context.protect_rtcp(build_rtcp(ReceiverReport(self.ssrc, tuple(self._blocks())))))

    def say(self, ssrc: int, sequence: int, timestamp: int, payload: bytes, level: int = LOUD) -> None:
        """Send one packet of voice under any SSRC."""
        extensions = ((LEVEL_ID, bytes([level])),)
        packet = RtpPacket(111, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, payload, extensions=extensions)
        self.send(self.context.protect(build_rtp(packet)))

    def press(self, ssrc: int, sequence: int, timestamp: int, key: KeyPress) -> None:
        """Send one packet of a telephone event under any SSRC."""
        packet = RtpPacket(EVENTS.payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, key.payload())
        self.send(self.context.protect(build_rtp(packet)))

    def _blocks(self) -> Iterator[ReportBlock]:
        for ssrc, known in self.statistics.items():
            packets = known.packets
            lost = (packets - self._reported.get(ssrc, PacketCount())).fraction_lost_octet
            self._reported[ssrc] = packets
            yield ReportBlock(
                ssrc, lost, packets.cumulative_lost, known.highest_sequence, known.interarrival_jitter, 0, 0
            )

    def deadline(self) -> float:
        """When the next check, packet or report is due."""
        return min(self.check_at, self.speak_from, self._report_at)

    def receive(self, datagram: bytes, source: Any, now: float) -> None:
        """Take an answer, RTP or RTCP."""
        kind = classify(datagram)
        if kind not in (RTP, RTCP):
            super().receive(datagram, source, now)
            return
        try:
            if kind == RTCP:
                self.reports += parse_rtcp(self.context.unprotect_rtcp(datagram))
                return
            packet = parse_rtp(self.context.unprotect(datagram))
        except SrtpFailure as failure:
            self.refused["replayed" if failure.replayed else "unauthentic"] += 1
            return
        self.heard[packet.ssrc].append((now, packet))
        known = self.statistics.setdefault(packet.ssrc, ReceiveStatistics(OPUS_CLOCK))
        known.add(packet.sequence, packet.rtp_timestamp, now, len(packet.payload))


class RoomEnd:
    """The SFU's end: a room, and an endpoint for each person. An engine of four verbs.

    `taken` has the numbers of each person's packets that were handed on, in order; `sent` counts what was forwarded to
    each listener, before the wire had it.
    """

    def __init__(self, seed: int = 1, slots: int = 4) -> None:
        self.room = MediaRoom("hall")
        self.endpoints: dict[str, Endpoint] = {}
        self.slots = slots
        self.out, self.batch = collecting_socket()
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.sent: Counter[str] = Counter()
        self._chance = Random(seed)
        self._ids = itertools.count(1)
        self._peers: dict[Source, str] = {}
        self._pinned: dict[int, tuple[str, Source]] = {}
        self._keep: list[PinnedSockaddr] = []
        self._outputs: list[Any] = []
        self._tick_at = 0.0

    def admit(self, name: str, number: int, now: float = 0.0) -> tuple[Source, Person]:
        """Somebody joins; their address, and their end."""
        ours, theirs = IceParameters(f"s{number}", "s" * 24), IceParameters(f"c{number}", "c" * 24)
        server, client = srtp_contexts(seed=number)
        endpoint = Endpoint(name, IceLite(ours, theirs, now), Reports(number, "cname", 1e9), self._chance, self._ids)
        endpoint.connected(server, now)
        endpoint.sources.formats, endpoint.level_id = {111: OPUS}, LEVEL_ID
        endpoint.slots = [
            Slot(SlotFormat(str(index), 111, LEVEL_ID, events=EVENTS), 1000 * number + index, 0x7F00, index)
            for index in range(self.slots)
        ]
        self.endpoints[name] = endpoint
        self.room.add(name, MuteFlags(), now)
        self.room.set_slots(name, endpoint.slots, now)
        return Source(0, ("192.0.2.1", number)), Person(name, client, theirs, ours, number)

    def receive(self, datagram: bytes, source: Source, now: float) -> None:
        """As the shell: checks by their username, all else by its address."""
        kind = classify(datagram)
        if kind == STUN:
            request = parse_request(datagram)
            assert request is not None
            for endpoint in self.endpoints.values():
                if request.local_ufrag in endpoint.ice.usernames():
                    endpoint.check(request, source, now)
        elif source in self._peers:
            name = self._peers[source]
            if kind == RTP:
                self._take(name, datagram, source, now)
            else:
                self.endpoints[name].receive(datagram, source, now)
        self._pump(now)

    def _take(self, name: str, datagram: bytes, source: Source, now: float) -> None:
        """The receive side of one packet, in plain words."""
        endpoint = self.endpoints[name]
        assert endpoint.srtp is not None
        ssrc = int.from_bytes(datagram[8:12], "big")
        stream = endpoint.streams.get(ssrc)
        if stream is None and not endpoint.sources.admits(ssrc, now):
            endpoint.drops["ssrc_limit"] += 1
            return
        try:
            rtp = endpoint.srtp.unprotect(datagram)
        except SrtpFailure as failure:
            endpoint.drops["replayed" if failure.replayed else "unauthentic"] += 1
            return
        endpoint.heard(source, now)
        second, sequence, timestamp, _, _, extension, start, end = parse_header(rtp)
        if second & 0x7F == EVENTS.payload_type:
            self._take_event(endpoint, rtp, now)
            return
        if stream is None:
            stream = endpoint.sources.begin(ssrc, OPUS, (sequence, timestamp), now)
            self._pump(now)
        packet = stream.packet
        packet.sequence = stream.statistics.add(sequence, timestamp, now, end - start)
        packet.timestamp, packet.marker, packet.level = timestamp, 0, rtp[extension + 1]
        packet.payload = rtp[start:end]
        self.taken[name].append(packet.sequence)
        stream.take(now)

    def _take_event(self, endpoint: Endpoint, rtp: bytes, now: float) -> None:
        _, sequence, timestamp, ssrc, _, _, start, end = parse_header(rtp)
        key, stream = parse_key_press(rtp[start:end]), endpoint.streams.get(ssrc)
        if stream is None:
            endpoint.sources.press(BareKeyPress(ssrc, key, EVENTS.clock_rate, timestamp), sequence, now)
            return
        stream.packet.sequence = stream.statistics.add_untimed(sequence, timestamp, now, end - start)
        stream.packet.timestamp, stream.packet.payload = timestamp, rtp[start:end]
        stream.take_event(key, EVENTS.clock_rate, now)

    def advance(self, now: float) -> None:
        """Every endpoint's deadlines, and the room's."""
        for endpoint in self.endpoints.values():
            if endpoint.deadline() <= now:
                endpoint.advance(now)
        if now >= self._tick_at:
            self._tick_at = now + TICK
            self.room.advance(now)
        self._pump(now)

    def deadline(self) -> float:
        """The earliest of them."""
        return min(self._tick_at, *(endpoint.deadline() for endpoint in self.endpoints.values()))

    def drain(self) -> Iterator[Any]:
        """Datagrams for the wire, and what was told."""
        while self._outputs:
            yield self._outputs.pop(0)

    def _pump(self, now: float) -> None:
        """As the shell: carry out what the engines say, and put what was forwarded on the wire."""
        for name, endpoint in self.endpoints.items():
            for output in endpoint.drain():
                if isinstance(output, Send):
                    self._outputs.append(output)
                    continue
                self._outputs.append(Told(name, output))
                if isinstance(output, SelectedMoved):
                    self._move(name, endpoint, output.source)
                elif isinstance(output, StreamBegan):
                    self.room.add_stream(name, output.stream, now)
                elif isinstance(output, StreamEnded):
                    self.room.remove_stream(name, output.stream, now)
                elif isinstance(output, BareKeyPress):
                    self.room.tones.take(name, output, now)
                elif isinstance(output, KeysEnded):
                    self.room.tones.end(name, output.ssrc)
                elif isinstance(output, Gone):
                    self.room.set_slots(name, (), now)
            for source in endpoint.ice.addresses():
                self._peers[source] = name
        for address, datagram in self.batch.take():
            name, source = self._pinned[address]
            self.sent[name] += 1
            self._outputs.append(Datagram(datagram, source))

    def _move(self, name: str, endpoint: Endpoint, source: Source) -> None:
        assert endpoint.srtp is not None
        pinned = PinnedSockaddr(bytes(16))
        self._keep.append(pinned)
        self._pinned[pinned.address] = (name, source)
        for slot in endpoint.slots:
            slot.route = Route(endpoint.srtp.outbound, self.out, pinned.address)
        self.room.route_changed(name)
