"""RTCP of one endpoint: writes its reports once a second, and reads the reports that it sends.

Sender reports to slots, receiver reports to publishers, SDES with the CNAME, BYE (RFC 3550 section 6), receiver
reference times and their echoes (RFC 3611 sections 4.4 and 4.5) where `rcvr-rtt` was offered. Pure: `now` is monotonic
seconds, and `epoch` is what is added to it to get Unix time, fixed for the life of the server so that no step of the
machine's clock reaches a report.
"""

from collections.abc import Iterable
from dataclasses import replace

from quality.round_trip import middle, to_ntp, to_short
from quality.sequence import PacketCount
from sfu.rtcp import (
    MAX_BLOCKS,
    ExtendedReport,
    Goodbye,
    LastReceiverReport,
    LastReceiverReports,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
)
from sfu.rtcp_build import build, describe
from sfu.slot import Slot
from sfu.stream import InboundStream

INTERVAL = 1.0
"""Seconds between reports, varied by a quarter either way so that endpoints do not move in step."""

SPREAD = 0.25

MOST_SENDERS = 15
"""Sender reports in one datagram: with the CNAME of each it stays below 1,200 bytes and 32 packets."""


class Reports:
    """The reporting of one endpoint. `ssrc` names us where no slot sends."""

    def __init__(self, ssrc: int, cname: str, epoch: float) -> None:
        """Begin with nothing to tell."""
        self.ssrc = ssrc
        self.cname = cname
        self.receiver_rtt = False
        self.packets_in = 0
        self._epoch = epoch
        self._reference: tuple[int, int, float] | None = None
        self._reported: dict[int, int] = {}
        self._counted: dict[InboundStream, PacketCount] = {}
        self._descriptions: dict[int, bytes] = {}

    def compose(self, streams: Iterable[InboundStream], slots: Iterable[Slot], now: float) -> list[bytes]:
        """The datagrams to send now: compound packets, usually one, and none when there is nobody to tell of.

        A slot that has sent nothing since the last report gets no sender report.
        """
        ntp = to_ntp(now + self._epoch)
        counted = {stream: stream.statistics.packets for stream in streams}
        blocks = tuple(
            self._block(stream, packets - self._counted.get(stream, PacketCount()), now)
            for stream, packets in counted.items()
        )
        self._counted = counted
        senders = self._senders(slots, ntp, now)
        extended = self._extended(ntp, now, only_receiving=bool(blocks) and not senders)
        if not senders:
            if not blocks and extended is None:
                return []
            datagrams = [build(ReceiverReport(self.ssrc, blocks)) + self._description(self.ssrc)]
        else:
            senders[0] = replace(senders[0], blocks=blocks)
            datagrams = [self._compound(senders[at : at + MOST_SENDERS]) for at in range(0, len(senders), MOST_SENDERS)]
        if extended is not None:
            datagrams[0] += build(extended)
        return datagrams

    def _senders(self, slots: Iterable[Slot], ntp: int, now: float) -> list[SenderReport]:
        senders = []
        for slot in slots:
            packets, octets = slot.tally.totals()
            if packets and self._reported.get(slot.ssrc) != packets:
                self._reported[slot.ssrc] = packets
                senders.append(
                    SenderReport(slot.ssrc, ntp, slot.timestamp_at(now), packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
                )
        return senders

    def _compound(self, senders: list[SenderReport]) -> bytes:
        """Some sender reports with the CNAME of each, in an SDES packet of its own: aiortc misreads two in one."""
        return build(*senders) + b"".join(self._description(sender.ssrc) for sender in senders)

    def _description(self, ssrc: int) -> bytes:
        """The SDES packet of one SSRC; it is the same every second, so it is kept."""
        octets = self._descriptions.get(ssrc)
        if octets is None:
            octets = self._descriptions[ssrc] = build(describe([ssrc], self.cname))
        return octets

    def goodbye(self, slots: Iterable[Slot]) -> bytes:
        """A last compound packet that ends all our streams (RFC 3550 section 6.6)."""
        ssrcs = (*(slot.ssrc for slot in slots), self.ssrc)
        ends = [Goodbye(ssrcs[at : at + MAX_BLOCKS]) for at in range(0, len(ssrcs), MAX_BLOCKS)]
        return build(ReceiverReport(self.ssrc), describe([self.ssrc], self.cname), *ends)

    def _block(self, stream: InboundStream, interval: PacketCount, now: float) -> ReportBlock:
        """Our report on a publisher's stream, `interval` being its packets since the last report.

        Its loss is the greater of its own way to us and of what its listeners lose at the 90th percentile: an encoder
        adds in-band FEC only for loss that it hears of.
        """
        statistics = stream.statistics
        lost = max(interval.fraction_lost_octet, min(255, int(stream.downlink_loss * 256)))
        return ReportBlock(
            stream.ssrc,
            lost,
            statistics.packets.cumulative_lost,
            statistics.highest_sequence,
            statistics.interarrival_jitter,
            statistics.last_sender_report.middle,
            statistics.last_sender_report.delay(now),
        )

    def _extended(self, ntp: int, now: float, *, only_receiving: bool) -> ExtendedReport | None:
        """XR where it was negotiated: our reference time while we only receive, and the echo of theirs.

        Without a stream there is no round trip to measure, and an idle endpoint is sent nothing.
        """
        if not self.receiver_rtt:
            return None
        blocks: list[ReceiverReferenceTime | LastReceiverReports] = []
        if only_receiving:
            blocks.append(ReceiverReferenceTime(ntp))
        if self._reference is not None:
            ssrc, last, arrival = self._reference
            blocks.append(LastReceiverReports((LastReceiverReport(ssrc, last, to_short(now - arrival)),)))
            self._reference = None
        return ExtendedReport(self.ssrc, tuple(blocks)) if blocks else None

    def take(
        self, packets: Iterable[RtcpPacket], streams: dict[int, InboundStream], slots: dict[int, Slot], now: float
    ) -> list[int]:
        """Learn from the peer's packets, and answer the SSRCs that said BYE.

        What speaks of streams that are neither the peer's nor in its slots is ignored.
        """
        arrival = middle(to_ntp(now + self._epoch))
        gone: dict[int, None] = {}  # in order, each once
        for packet in packets:
            self.packets_in += 1
            match packet:
                case SenderReport():
                    stream = streams.get(packet.ssrc)
                    if stream is not None:
                        stream.statistics.sender_reported(middle(packet.ntp), now)
                        stream.clock_reported(packet.ntp, packet.rtp_timestamp, now)
                    self._take_blocks(packet.blocks, slots, arrival, now)
                case ReceiverReport():
                    self._take_blocks(packet.blocks, slots, arrival, now)
                case ExtendedReport():
                    self._take_extended(packet, streams, arrival, now)
                case Goodbye():
                    gone.update(dict.fromkeys(ssrc for ssrc in packet.ssrcs if ssrc in streams))
                case _:
                    pass
        return list(gone)

    def _take_blocks(self, blocks: Iterable[ReportBlock], slots: dict[int, Slot], arrival: int, now: float) -> None:
        for block in blocks:
            slot = slots.get(block.ssrc)
            if slot is not None:
                slot.reported(block, arrival, now)

    def _take_extended(
        self, report: ExtendedReport, streams: dict[int, InboundStream], arrival: int, now: float
    ) -> None:
        for block in report.blocks:
            if isinstance(block, ReceiverReferenceTime):
                self._reference = (report.ssrc, middle(block.ntp), now)
                continue
            for echo in block.reports:
                if echo.ssrc != self.ssrc:
                    continue
                for stream in streams.values():
                    stream.statistics.reference_echoed(
                        arrival, echo.last_receiver_report, echo.delay_since_last_receiver_report
                    )
