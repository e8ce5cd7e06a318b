"""RTCP from octets: compound (RFC 3550 section 6.1) and reduced-size packets (RFC 5506). Pure.

Only MalformedPacket leaves this module. Packet types that we have no use for (APP and whatever comes) are passed over.
"""

from collections.abc import Callable
from struct import Struct

from sfu.errors import MalformedPacket
from sfu.rtcp import (
    EXTENDED_REPORT,
    GOODBYE,
    LAST_RECEIVER_REPORTS,
    PAYLOAD_FEEDBACK,
    RECEIVER_REFERENCE_TIME,
    RECEIVER_REPORT,
    SENDER_REPORT,
    SOURCE_DESCRIPTION,
    TRANSPORT_FEEDBACK,
    ExtendedReport,
    Feedback,
    Goodbye,
    LastReceiverReport,
    LastReceiverReports,
    ReceiverReferenceTime,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceChunk,
    SourceDescription,
)

MAX_PACKETS = 32
"""RTCP packets in one datagram."""

MAX_ITEMS = 64
"""Items in one SDES packet, blocks in one XR packet, echoes in one DLRR block."""

_HEADER = Struct("!BBH")
_WORD = Struct("!L")
_TWO_WORDS = Struct("!LL")
_THREE_WORDS = Struct("!LLL")
_NTP = Struct("!Q")
_SENDER = Struct("!LQLLL")
_BLOCK = Struct("!LLLLLL")
_XR_BLOCK = Struct("!BBH")


def parse(datagram: bytes | bytearray | memoryview) -> tuple[RtcpPacket, ...]:
    """Every packet of one decrypted RTCP datagram that we know, in order.

    The checks of RFC 3550 appendix A.2, but for the demand that a report comes first, which RFC 5506 lifts. A datagram
    of unknown packets alone gives an empty tuple. Raises MalformedPacket; then nothing of the datagram counts.
    """
    data = bytes(datagram)
    if len(data) < 4:
        raise MalformedPacket(f"RTCP datagram of {len(data)} octets")
    packets: list[RtcpPacket] = []
    at = 0
    for _ in range(MAX_PACKETS):
        at, packet = _parse_one(data, at)
        if packet is not None:
            packets.append(packet)
        if at == len(data):
            return tuple(packets)
    raise MalformedPacket(f"more than {MAX_PACKETS} RTCP packets in a datagram")


def _parse_one(data: bytes, at: int) -> tuple[int, RtcpPacket | None]:
    if len(data) - at < 4:
        raise MalformedPacket("RTCP packet without its header")
    first, packet_type, words = _HEADER.unpack_from(data, at)
    if first & 0xC0 != 0x80:
        raise MalformedPacket(f"RTCP version {first >> 6}")
    end = at + 4 * (words + 1)
    if end > len(data):
        raise MalformedPacket("RTCP packet longer than its datagram")
    body = data[at + 4 : end]
    if first & 0x20:
        if end != len(data):
            raise MalformedPacket("RTCP padding before the last packet")
        if not body or not 0 < body[-1] <= len(body) or body[-1] % 4:
            raise MalformedPacket("RTCP padding of a wrong length")
        body = body[: -body[-1]]
    parser = _PARSERS.get(packet_type)
    return end, None if parser is None else parser(packet_type, first & 0x1F, body)


def _need(body: bytes, size: int, what: str) -> None:
    if len(body) < size:
        raise MalformedPacket(f"{what} cut short")


def _report_blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    # What follows the blocks is a profile's extension (RFC 3550 section 6.4.3): not ours to read.
    _need(body, at + 24 * count, "RTCP report")
    blocks = []
    for start in range(at, at + 24 * count, 24):
        ssrc, loss, highest, jitter, last, delay = _BLOCK.unpack_from(body, start)
        lost = loss & 0xFFFFFF
        blocks.append(
            ReportBlock(ssrc, loss >> 24, lost - 0x1000000 if lost & 0x800000 else lost, highest, jitter, last, delay)
        )
    return tuple(blocks)


def _sender_report(_type: int, count: int, body: bytes) -> RtcpPacket:
    _need(body, _SENDER.size, "RTCP sender report")
    ssrc, ntp, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body)
    return SenderReport(ssrc, ntp, rtp_timestamp, packet_count, octet_count, _report_blocks(body, _SENDER.size, count))


def _receiver_report(_type: int, count: int, body: bytes) -> RtcpPacket:
    _need(body, 4, "RTCP receiver report")
    return ReceiverReport(_WORD.unpack_from(body)[0], _report_blocks(body, 4, count))


def _source_description(_type: int, count: int, body: bytes) -> RtcpPacket:
    chunks = []
    at = 0
    left = MAX_ITEMS
    for _ in range(count):
        _need(body, at + 4, "RTCP source description")
        ssrc = _WORD.unpack_from(body, at)[0]
        at, items = _source_items(body, at + 4, left)
        left -= len(items)
        chunks.append(SourceChunk(ssrc, items))
    return SourceDescription(tuple(chunks))


def _source_items(body: bytes, at: int, left: int) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    """The items of one chunk and the offset of the next: a null ends it and fills up to a word (section 6.5)."""
    items: list[tuple[int, bytes]] = []
    while True:
        _need(body, at + 1, "RTCP source description")
        kind = body[at]
        if kind == 0:
            at += 4 - at % 4
            _need(body, at, "RTCP source description")
            return at, tuple(items)
        _need(body, at + 2, "RTCP source description")
        end = at + 2 + body[at + 1]
        _need(body, end, "RTCP source description")
        if len(items) >= left:
            raise MalformedPacket(f"more than {MAX_ITEMS} RTCP source description items")
        items.append((kind, body[at + 2 : end]))
        at = end


def _goodbye(_type: int, count: int, body: bytes) -> RtcpPacket:
    size = 4 * count
    _need(body, size, "RTCP goodbye")
    ssrcs = tuple(_WORD.unpack_from(body, at)[0] for at in range(0, size, 4))
    if len(body) == size:
        return Goodbye(ssrcs)
    end = size + 1 + body[size]
    _need(body, end, "RTCP goodbye")
    return Goodbye(ssrcs, body[size + 1 : end])


def _feedback(packet_type: int, message_format: int, body: bytes) -> RtcpPacket:
    _need(body, 8, "RTCP feedback")
    sender, media = _TWO_WORDS.unpack_from(body)
    return Feedback(packet_type, message_format, sender, media, body[8:])


def _extended_report(_type: int, _reserved: int, body: bytes) -> RtcpPacket:
    _need(body, 4, "RTCP extended report")
    blocks: list[ReceiverReferenceTime | LastReceiverReports] = []
    at = 4
    for _ in range(MAX_ITEMS + 1):
        if at == len(body):
            return ExtendedReport(_WORD.unpack_from(body)[0], tuple(blocks))
        # All lengths are in words, so that a block header is either whole or absent.
        kind, _specific, words = _XR_BLOCK.unpack_from(body, at)
        end = at + 4 * (words + 1)
        _need(body, end, "RTCP extended report block")
        if kind == RECEIVER_REFERENCE_TIME:
            if words != 2:
                raise MalformedPacket("RTCP receiver reference time of a wrong length")
            blocks.append(ReceiverReferenceTime(_NTP.unpack_from(body, at + 4)[0]))
        elif kind == LAST_RECEIVER_REPORTS:
            blocks.append(_last_receiver_reports(body, at + 4, words))
        at = end
    raise MalformedPacket(f"more than {MAX_ITEMS} RTCP extended report blocks")


def _last_receiver_reports(body: bytes, at: int, words: int) -> LastReceiverReports:
    if words % 3:
        raise MalformedPacket("RTCP DLRR block of a wrong length")
    if words // 3 > MAX_ITEMS:
        raise MalformedPacket(f"more than {MAX_ITEMS} echoes in an RTCP DLRR block")
    return LastReceiverReports(
        tuple(LastReceiverReport(*_THREE_WORDS.unpack_from(body, at + 12 * index)) for index in range(words // 3))
    )


_PARSERS: dict[int, Callable[[int, int, bytes], RtcpPacket]] = {
    SENDER_REPORT: _sender_report,
    RECEIVER_REPORT: _receiver_report,
    SOURCE_DESCRIPTION: _source_description,
    GOODBYE: _goodbye,
    TRANSPORT_FEEDBACK: _feedback,
    PAYLOAD_FEEDBACK: _feedback,
    EXTENDED_REPORT: _extended_report,
}
