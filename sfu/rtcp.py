"""RTCP packets as values, in wire units (RFC 3550 section 6, RFC 4585 section 6, RFC 3611). Pure.

`sfu.rtcp_parse` reads them from a datagram and `sfu.rtcp_build` writes them.
"""

from dataclasses import dataclass

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203
TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206
EXTENDED_REPORT = 207

CNAME_ITEM = 1
RECEIVER_REFERENCE_TIME = 4
LAST_RECEIVER_REPORTS = 5

MAX_BLOCKS = 31
"""What the five-bit count of one packet can say (RFC 3550 section 6.4.1)."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one SSRC (RFC 3550 section 6.4.1).

    `fraction_lost_octet` in 256ths, `cumulative_lost` signed 24 bits, `highest_sequence` extended to 32 bits,
    `interarrival_jitter` in clock ticks, the last two in units of 1/65536 s.
    """

    ssrc: int
    fraction_lost_octet: int
    cumulative_lost: int
    highest_sequence: int
    interarrival_jitter: int
    last_sender_report: int
    delay_since_last_sender_report: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR (RFC 3550 section 6.4.1): `ntp` is 64 bits (32.32 seconds), counts are of RTP packets and payload octets."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR (RFC 3550 section 6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceChunk:
    """What is said of one SSRC in an SDES packet: (type, text as octets) in order."""

    ssrc: int
    items: tuple[tuple[int, bytes], ...] = ()

    @property
    def cname(self) -> bytes | None:
        """The canonical name (RFC 3550 section 6.5.1), None where it is not told."""
        return next((text for kind, text in self.items if kind == CNAME_ITEM), None)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SDES (RFC 3550 section 6.5)."""

    chunks: tuple[SourceChunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE (RFC 3550 section 6.6): these SSRCs have ended; `reason` is at most 255 octets of text."""

    ssrcs: tuple[int, ...] = ()
    reason: bytes = b""


@dataclass(frozen=True, slots=True)
class Feedback:
    """RTPFB (205) or PSFB (206) of RFC 4585 section 6.1: `control` is kept as it came."""

    packet_type: int
    format: int
    sender_ssrc: int
    media_ssrc: int
    control: bytes = b""


@dataclass(frozen=True, slots=True)
class ReceiverReferenceTime:
    """XR block 4 (RFC 3611 section 4.4): the 64-bit NTP timestamp of a receiver that sends no SR."""

    ntp: int


@dataclass(frozen=True, slots=True)
class LastReceiverReport:
    """The echo of one receiver's reference time; both times in units of 1/65536 s."""

    ssrc: int
    last_receiver_report: int
    delay_since_last_receiver_report: int


@dataclass(frozen=True, slots=True)
class LastReceiverReports:
    """XR block 5, DLRR (RFC 3611 section 4.5)."""

    reports: tuple[LastReceiverReport, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """XR (RFC 3611 section 2); blocks of other types are passed over."""

    ssrc: int
    blocks: tuple[ReceiverReferenceTime | LastReceiverReports, ...] = ()


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | Feedback | ExtendedReport
