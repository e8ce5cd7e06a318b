"""RTCP to octets (RFC 3550 section 6, RFC 3611). Pure.

A list or text too long for its field is a mistake of ours: ValueError. Counts and timestamps wrap with their fields, as
the RFCs let them; loss, jitter and delays stop at the end of theirs.
"""

from collections.abc import Iterable, Sequence
from struct import Struct

from quality.sequence import clamp_cumulative_lost
from sfu.rtcp import (
    CNAME_ITEM,
    EXTENDED_REPORT,
    GOODBYE,
    LAST_RECEIVER_REPORTS,
    MAX_BLOCKS,
    RECEIVER_REFERENCE_TIME,
    RECEIVER_REPORT,
    SENDER_REPORT,
    SOURCE_DESCRIPTION,
    ExtendedReport,
    Feedback,
    Goodbye,
    LastReceiverReports,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceChunk,
    SourceDescription,
)

_HEADER = Struct("!BBH")
_SENDER = Struct("!LQLLL")
_BLOCK = Struct("!LLLLLL")
_THREE_WORDS = Struct("!LLL")
_WORD = 0xFFFFFFFF


def build(*packets: RtcpPacket) -> bytes:
    """One datagram with these packets in order: compound (RFC 3550 section 6.1) or, without a report, reduced-size.

    Reports of more than 31 blocks are followed by receiver reports with the rest, as section 6.1 asks.
    """
    return b"".join(_build_one(packet) for packet in packets)


def describe(ssrcs: Iterable[int], cname: str) -> SourceDescription:
    """An SDES packet that gives one canonical name (RFC 3550 section 6.5.1) to at most 31 SSRCs."""
    text = cname.encode()
    return SourceDescription(tuple(SourceChunk(ssrc, ((CNAME_ITEM, text),)) for ssrc in ssrcs))


def _build_one(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            return _sender_report(packet)
        case ReceiverReport():
            return _receiver_reports(packet.ssrc, packet.blocks)
        case SourceDescription():
            body = b"".join(_source_chunk(chunk) for chunk in packet.chunks)
            return _frame(SOURCE_DESCRIPTION, len(packet.chunks), body)
        case Goodbye():
            return _goodbye(packet)
        case Feedback():
            head = packet.sender_ssrc.to_bytes(4, "big") + packet.media_ssrc.to_bytes(4, "big")
            return _frame(packet.packet_type, packet.format, head + packet.control)
        case ExtendedReport():
            body = b"".join(_extended_block(block) for block in packet.blocks)
            return _frame(EXTENDED_REPORT, 0, packet.ssrc.to_bytes(4, "big") + body)


def _frame(packet_type: int, count: int, body: bytes) -> bytes:
    if not 0 <= count <= MAX_BLOCKS:
        raise ValueError(f"an RTCP packet of type {packet_type} cannot count {count}")
    if len(body) % 4:
        raise ValueError(f"an RTCP packet of type {packet_type} must end on a word")
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


def _sender_report(report: SenderReport) -> bytes:
    now, rest = report.blocks[:MAX_BLOCKS], report.blocks[MAX_BLOCKS:]
    sender = _SENDER.pack(
        report.ssrc,
        report.ntp & 0xFFFFFFFFFFFFFFFF,
        report.rtp_timestamp & _WORD,
        report.packet_count & _WORD,
        report.octet_count & _WORD,
    )
    first = _frame(SENDER_REPORT, len(now), sender + _report_blocks(now))
    return first + _receiver_reports(report.ssrc, rest) if rest else first


def _receiver_reports(ssrc: int, blocks: Sequence[ReportBlock]) -> bytes:
    # With no block at all there is still one report, empty: it heads a compound packet (section 6.4.2).
    head = ssrc.to_bytes(4, "big")
    parts = [blocks[at : at + MAX_BLOCKS] for at in range(0, max(len(blocks), 1), MAX_BLOCKS)]
    return b"".join(_frame(RECEIVER_REPORT, len(part), head + _report_blocks(part)) for part in parts)


def _report_blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            max(0, min(block.fraction_lost_octet, 255)) << 24 | clamp_cumulative_lost(block.cumulative_lost) & 0xFFFFFF,
            block.highest_sequence & _WORD,
            min(block.interarrival_jitter, _WORD),
            block.last_sender_report & _WORD,
            min(block.delay_since_last_sender_report, _WORD),
        )
        for block in blocks
    )


def _source_chunk(chunk: SourceChunk) -> bytes:
    octets = chunk.ssrc.to_bytes(4, "big")
    for kind, text in chunk.items:
        if not 0 < kind <= 255 or len(text) > 255:
            raise ValueError("an RTCP source description item has a type of 1..255 and at most 255 octets")
        octets += bytes([kind, len(text)]) + text
    return octets + bytes(4 - len(octets) % 4)


def _goodbye(goodbye: Goodbye) -> bytes:
    body = b"".join(ssrc.to_bytes(4, "big") for ssrc in goodbye.ssrcs)
    if goodbye.reason:
        if len(goodbye.reason) > 255:
            raise ValueError("the reason of an RTCP goodbye has at most 255 octets")
        body += bytes([len(goodbye.reason)]) + goodbye.reason
        body += bytes(-len(body) % 4)
    return _frame(GOODBYE, len(goodbye.ssrcs), body)


def _extended_block(block: ReceiverReferenceTime | LastReceiverReports) -> bytes:
    if isinstance(block, ReceiverReferenceTime):
        return _HEADER.pack(RECEIVER_REFERENCE_TIME, 0, 2) + block.ntp.to_bytes(8, "big")
    echoes = b"".join(
        _THREE_WORDS.pack(
            echo.ssrc, echo.last_receiver_report & _WORD, min(echo.delay_since_last_receiver_report, _WORD)
        )
        for echo in block.reports
    )
    return _HEADER.pack(LAST_RECEIVER_REPORTS, 0, 3 * len(block.reports)) + echoes
