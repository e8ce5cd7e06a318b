"""An endpoint: the server's end of one participant's single peer connection, as an engine with four verbs.

`receive` and `advance` change it, `deadline` says when it next has something to do, `drain` yields what came of it:
datagrams to send and events for the shell. `now` is monotonic seconds. RTP does not go through `receive`: for its
cost it takes the way of `sfu/ingress.py`, straight from the receive batch into the stream.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sfu.answer import Negotiated
from sfu.errors import MalformedPacket, SrtpFailure
from sfu.ice import (
    AddressBound,
    CheckResult,
    ConsentExpired,
    CredentialsForgotten,
    IceEvent,
    IceLite,
    SelectedMoved,
    Source,
)
from sfu.limits import NoiseBudget, PacketBudget, Verdict
from sfu.offer import IceParameters, Offer
from sfu.remote_candidates import RemoteCandidates
from sfu.reports import INTERVAL, SPREAD, Reports
from sfu.rtcp_parse import parse as parse_rtcp
from sfu.slot import Slot, SlotFormat, Tally
from sfu.sources import SourceEvent, Sources
from sfu.srtp import SrtpContext
from sfu.stun import BindingRequest, parse_request
from sfu.udp import DTLS, RTCP, STUN, classify

ARRIVING_SECONDS = 3.0
"""Without a packet for so long, media does not arrive any more. Opus DTX sends one every 0.4 s."""


@dataclass(frozen=True, slots=True)
class Send:
    """A datagram for the wire."""

    data: bytes
    to: Source


@dataclass(frozen=True, slots=True)
class Record:
    """A DTLS record for the handshake."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Arriving:
    """RTP has begun to arrive, or has stopped."""

    arriving: bool


@dataclass(frozen=True, slots=True)
class Flooding:
    """More packets come than audio needs; the surplus is dropped."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The endpoint has ended: consent_expired or flood."""

    reason: str


@dataclass(frozen=True, slots=True)
class MidsKnown:
    """A slot need not send its MID any longer: its packets look different from now on."""


Event = (
    Record | SourceEvent | Arriving | Flooding | Gone | MidsKnown
    | AddressBound | SelectedMoved | CredentialsForgotten
)  # fmt: skip
Output = Send | Event


class Endpoint:
    """The state of one peer connection. Everything the peer may do wrong is counted in `drops` and goes no further.

    `retired` has the totals of slots that are gone, so that the totals of the endpoint never fall.
    """

    def __init__(
        self, participant_id: str, ice: IceLite, reports: Reports, chance: random.Random, stream_ids: Iterator[int]
    ) -> None:
        """Begin without address, keys or media. `stream_ids` are those of the whole server."""
        self.participant = participant_id
        self.ice = ice
        self.candidates = RemoteCandidates()
        self.reports = reports
        self.srtp: SrtpContext | None = None
        self.sources = Sources(participant_id, stream_ids, self._emit)
        self.streams = self.sources.streams
        self.slots: list[Slot] = []
        self.retired = Tally()
        self.event_clocks: dict[int, int] = {}
        self.level_id: int | None = None
        self.budget = PacketBudget()
        self.noise = NoiseBudget()
        self.records = PacketBudget()
        self.drops: Counter[str] = Counter()
        self.packets_in = 0
        self.octets_in = 0
        self.heard_at = 0.0
        self.gone = False
        self._chance = chance
        self.outputs: list[Output] = []
        self._report_at = math.inf
        self._last_rtp = 0
        self._rtp_seen_at = -math.inf
        self._arriving = False
        self._told_flooding = False

    # the four verbs

    def receive(self, datagram: bytes, source: Source, now: float) -> None:
        """Handle a datagram that is not RTP: a check, a DTLS record, RTCP."""
        if self.gone:
            return
        try:
            kind = classify(datagram)
            if kind == STUN:
                request = parse_request(datagram)
                if request is not None:
                    self.check(request, source, now)
            elif kind == DTLS:
                if source not in self.ice.addresses():
                    self.drops["unbound"] += 1
                elif self.records.allow(now):
                    self.outputs.append(Record(datagram))
                else:
                    self.drops["noise"] += 1
            elif kind == RTCP:
                self._receive_rtcp(datagram, source, now)
        except MalformedPacket:
            self.drops["malformed"] += 1

    def advance(self, now: float) -> None:
        """Do what is due at `now`."""
        if self.gone:
            return
        self._sync_heard()
        self._take_ice(self.ice.advance(now))
        if now >= self._report_at:
            self._report_at = now + INTERVAL * self._chance.uniform(1 - SPREAD, 1 + SPREAD)
            self._report(now)
            self._watch(now)

    def deadline(self) -> float:
        """When `advance` next has something to do; infinity when never."""
        return math.inf if self.gone else min(self.ice.deadline(), self._report_at)

    def drain(self) -> Iterator[Output]:
        """What has come of it since the last call; nothing is left behind."""
        while self.outputs:
            outputs, self.outputs = self.outputs, []
            yield from outputs

    # what the shell and signaling do

    def check(self, request: BindingRequest, source: Source, now: float) -> bool:
        """One connectivity check, already parsed (the shell looked up whose it is); whether it was authentic."""
        if self.gone:
            return False
        self._sync_heard()
        result: CheckResult = self.ice.receive(request, source, now)
        if result.response is not None:
            self.outputs.append(Send(result.response, source))
        else:
            self.drops["check_refused"] += 1
        self._take_ice(result.events)
        return result.response is not None

    def restart_ice(self, remote: IceParameters, local: IceParameters, now: float) -> None:
        """An offer with new ICE credentials (RFC 8445 section 9): media goes on meanwhile."""
        self.candidates.forget()
        self._take_ice(self.ice.restart(remote, local, now))

    def connected(self, context: SrtpContext, now: float) -> None:
        """DTLS is done: media can flow, and reports begin."""
        self.srtp = self.sources.srtp = context
        self._report_at = now + INTERVAL * self._chance.uniform(0.2, 1)

    def negotiate(self, offer: Offer, lines: Iterable[Negotiated], most_slots: int) -> None:
        """Take what an offer agreed on. A slot lives as long as its m-line keeps its mid and format."""
        for media in offer.media:
            for candidate in media.candidates:
                self.candidates.learn(candidate)
        lines = tuple(lines)
        senders = [line for line in lines if line.can_send]
        self.sources.negotiate(senders)
        self.event_clocks = {line.events.payload_type: line.events.clock_rate for line in senders if line.events}
        self.level_id = next((line.level_in for line in senders if line.level_in is not None), None)
        self.reports.receiver_rtt = any(line.rtcp_xr for line in lines)
        kept = {slot.form: slot for slot in self.slots}
        forms = [
            SlotFormat(
                line.mid,
                line.payload_type,
                line.level_out,
                line.mid_out if offer.bundle else None,
                line.events,
                line.clock_rate,
            )
            for line in lines
            if line.slot
        ]
        before = self.slots
        self.slots = [kept.get(form) or self._new_slot(form) for form in forms[:most_slots]]
        for slot in before:
            if slot not in self.slots:
                self.retired.correct(*slot.tally.totals())

    def flooded(self, now: float) -> None:
        """An authentic packet over the budget was dropped: tell once, and end it when it goes on."""
        self.drops["flood"] += 1
        verdict = self.budget.verdict(now)
        if verdict is Verdict.CUT_OFF:
            self._end("flood")
        elif not self._told_flooding:
            self._told_flooding = True
            self.outputs.append(Flooding())

    def close(self) -> None:
        """End it from our side: say BYE, if there is somebody to say it to."""
        if not self.gone:
            self._send_rtcp(self.reports.goodbye(self.slots))
            self.gone = True

    # inside

    def _new_slot(self, form: SlotFormat) -> Slot:
        taken = {slot.ssrc for slot in self.slots} | {self.reports.ssrc}
        ssrc = self._chance.randrange(1, 1 << 32)
        while ssrc in taken:
            ssrc = self._chance.randrange(1, 1 << 32)
        # A first sequence number below 2**15 keeps libsrtp's estimate of the roll-over counter right (RFC 3711 3.3.1).
        return Slot(form, ssrc, self._chance.randrange(1 << 15), self._chance.randrange(1 << 32))

    def _sync_heard(self) -> None:
        """Tell the ICE state when the selected address was last heard; the hot path only notes the time."""
        if self.ice.selected is not None and self.heard_at:
            self.ice.heard(self.ice.selected, self.heard_at)

    def heard(self, source: Source, now: float) -> None:
        """An authentic packet came from a bound address."""
        if source == self.ice.selected:
            self.heard_at = now
            return
        self._sync_heard()
        moved = self.ice.heard(source, now)
        if moved is not None:
            self._take_ice((moved,))

    def _take_ice(self, events: Iterable[IceEvent]) -> None:
        for event in events:
            if isinstance(event, ConsentExpired):
                self._end("consent_expired")
            else:
                if isinstance(event, SelectedMoved):
                    self.heard_at = 0.0
                self.outputs.append(event)

    def _emit(self, output: Output) -> None:
        self.outputs.append(output)

    def _end(self, reason: str) -> None:
        if not self.gone:
            self.gone = True
            self.outputs.append(Gone(reason))

    def _receive_rtcp(self, datagram: bytes, source: Source, now: float) -> None:
        if self.srtp is None:
            self.drops["unready"] += 1
            return
        if now < self.noise.deaf_until:
            self.drops["noise"] += 1
            return
        try:
            plain = self.srtp.unprotect_rtcp(datagram)
        except SrtpFailure as failure:
            self.drops["replayed" if failure.replayed else "unauthentic"] += 1
            self.noise.charge(now)
            return
        sender = int.from_bytes(datagram[4:8], "big")
        if sender not in self.sources:
            self.srtp.rest(sender)  # whatever it says: libsrtp has begun a list for it
        if not self.budget.allow(now):
            self.flooded(now)
            return
        packets = parse_rtcp(plain)
        self.heard(source, now)
        slots = {slot.ssrc: slot for slot in self.slots}
        with_mid = [slot for slot in self.slots if slot.sends_mid]
        for ssrc in self.reports.take(packets, self.streams, slots, now):
            self.sources.forget(ssrc)
        if not all(slot.sends_mid for slot in with_mid):
            self.outputs.append(MidsKnown())

    def _report(self, now: float) -> None:
        for packet in self.reports.compose(self.streams.values(), self.slots, now):
            self._send_rtcp(packet)

    def _send_rtcp(self, packet: bytes) -> None:
        if self.srtp is None or self.ice.selected is None:
            return
        try:
            self.outputs.append(Send(self.srtp.protect_rtcp(packet), self.ice.selected))
        except SrtpFailure:
            self.drops["rtcp_refused"] += 1

    def _watch(self, now: float) -> None:
        """Note whether media arrives, and forget the SSRCs that have ended without a BYE."""
        count = self.sources.packets_received
        if count != self._last_rtp:
            self._last_rtp = count
            self._rtp_seen_at = now
        arriving = now - self._rtp_seen_at < ARRIVING_SECONDS
        if arriving != self._arriving:
            self._arriving = arriving
            self.outputs.append(Arriving(arriving))
        self.sources.expire(now)
