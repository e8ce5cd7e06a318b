import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.errors import MalformedPacket
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
    SourceChunk,
    SourceDescription,
)
from sfu.rtcp_parse import MAX_ITEMS, MAX_PACKETS, parse


def frame(count, packet_type, body=b"", flags=0x80):
    return struct.pack("!BBH", flags | count, packet_type, len(body) // 4) + body


@given(st.binary(max_size=300))
def test_no_octets_raise_anything_but_malformed_packet(data):
    with suppress(MalformedPacket):
        parse(data)


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(192, 223), st.binary(max_size=80)), max_size=4))
def test_no_well_framed_body_raises_anything_but_malformed_packet(parts):
    data = b"".join(frame(count, kind, body[: len(body) & ~3]) for count, kind, body in parts)
    with suppress(MalformedPacket):
        parse(data)


def test_rfc3550_6_4_1_a_sender_report():
    body = struct.pack("!LQLLL", 7, 0x0102030405060708, 9, 10, 11)
    block = struct.pack("!LLLLLL", 12, 0x40FFFFFE, 0x10003, 14, 15, 16)
    assert parse(frame(1, 200, body + block)) == (
        SenderReport(7, 0x0102030405060708, 9, 10, 11, (ReportBlock(12, 0x40, -2, 0x10003, 14, 15, 16),)),
    )


def test_rfc3550_6_4_3_what_a_profile_adds_is_passed_over():
    assert parse(frame(0, 201, struct.pack("!LL", 7, 99))) == (ReceiverReport(7),)


def test_rfc3550_6_5_descriptions_end_with_a_null_and_a_word():
    body = struct.pack("!L", 7) + b"\x01\x03a@b\x00\x00\x00" + struct.pack("!L", 8) + b"\x02\x01x\x00"
    assert parse(frame(2, 202, body)) == (
        SourceDescription((SourceChunk(7, ((1, b"a@b"),)), SourceChunk(8, ((2, b"x"),)))),
    )


@pytest.mark.parametrize(
    ("count", "body"),
    [
        (1, b""),
        (1, b"\0\0\0\7"),
        (1, b"\0\0\0\7\1\3a@"),
        (1, b"\0\0\0\7\1\2ab"),
        (1, b"\0\0\0\7\1\1a\1"),
        (2, b"\0\0\0\7\1\1a\0"),
        (2, b"\0\0\0\7\0\0\0\0\0\0\0\1\1\2ab"),
    ],
)
def test_rfc3550_6_5_descriptions_cut_short_are_refused(count, body):
    with pytest.raises(MalformedPacket, match="source description"):
        parse(frame(count, 202, body))


def test_too_many_items_are_refused():
    many = b"\1\0" * (MAX_ITEMS + 1) + b"\0\0"
    with pytest.raises(MalformedPacket, match="more than 64"):
        parse(frame(1, 202, b"\0\0\0\7" + many))


def test_rfc3550_6_6_goodbye_with_and_without_a_reason():
    assert parse(frame(1, 203, b"\0\0\0\7")) == (Goodbye((7,)),)
    assert parse(frame(1, 203, b"\0\0\0\7\2ab\0")) == (Goodbye((7,), b"ab"),)
    assert parse(frame(0, 203)) == (Goodbye(),)
    for body in (b"", b"\0\0\0\7\4ab\0"):
        with pytest.raises(MalformedPacket, match="goodbye"):
            parse(frame(1, 203, body))


@pytest.mark.parametrize("kind", [205, 206])
def test_rfc4585_6_1_feedback_is_kept_as_it_came(kind):
    assert parse(frame(15, kind, struct.pack("!LL", 1, 2) + b"REMB")) == (Feedback(kind, 15, 1, 2, b"REMB"),)
    with pytest.raises(MalformedPacket, match="feedback"):
        parse(frame(15, kind, b"\0\0\0\1"))


def test_rfc3611_4_4_and_4_5_reference_times_and_their_echoes():
    blocks = (
        b"\x04\0\0\x02" + struct.pack("!Q", 99) + b"\x07\0\0\x01abcd" + b"\x05\0\0\x03" + struct.pack("!LLL", 1, 2, 3)
    )
    assert parse(frame(0, 207, b"\0\0\0\7" + blocks)) == (
        ExtendedReport(7, (ReceiverReferenceTime(99), LastReceiverReports((LastReceiverReport(1, 2, 3),)))),
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cut short"),
        (b"\0\0\0\7\x04\0\0\x01\0\0\0\0", "wrong length"),
        (b"\0\0\0\7\x05\0\0\x01\0\0\0\0", "wrong length"),
        (b"\0\0\0\7\x04\0\0\x02\0\0\0\0", "cut short"),
        (b"\0\0\0\7" + b"\x63\0\0\0" * (MAX_ITEMS + 1), "more than 64"),
        (b"\0\0\0\7\x05\0" + struct.pack("!H", 3 * (MAX_ITEMS + 1)) + bytes(12 * (MAX_ITEMS + 1)), "more than 64"),
    ],
)
def test_rfc3611_extended_reports_that_lie_are_refused(body, why):
    with pytest.raises(MalformedPacket, match=why):
        parse(frame(0, 207, body))


def test_as_many_blocks_as_the_limit_says():
    assert parse(frame(0, 207, b"\0\0\0\7" + b"\x63\0\0\0" * MAX_ITEMS)) == (ExtendedReport(7),)


def test_rfc5506_a_reduced_size_packet_needs_no_report_before_it():
    assert parse(frame(1, 206, struct.pack("!LL", 1, 2))) == (Feedback(206, 1, 1, 2),)


def test_packets_of_no_use_to_us_are_passed_over():
    assert parse(frame(0, 204, b"\0\0\0\7name") + frame(0, 195) + frame(0, 201, b"\0\0\0\7")) == (ReceiverReport(7),)
    assert parse(frame(0, 204, b"\0\0\0\7name")) == ()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 octets"),
        (b"\x80\xc9\0", "3 octets"),
        (frame(0, 201, b"\0\0\0\7") + b"\x80", "without its header"),
        (b"\x40\xc9\0\1\0\0\0\7", "version 1"),
        (b"\x80\xc9\0\2\0\0\0\7", "longer"),
        (frame(1, 201, b"\0\0\0\7"), "report cut short"),
        (frame(0, 201), "receiver report cut short"),
        (frame(0, 200, b"\0\0\0\7"), "sender report cut short"),
        (frame(0, 201, b"\0\0\0\7", flags=0xA0), "wrong length"),
        (frame(0, 201, b"\0\0\0\7\0\0\0\x0c", flags=0xA0), "wrong length"),
        (frame(0, 201, b"\0\0\0\0", flags=0xA0), "wrong length"),
        (frame(0, 201, flags=0xA0), "wrong length"),
        (frame(0, 201, b"\0\0\0\7\0\0\0\4", flags=0xA0) + frame(0, 201, b"\0\0\0\7"), "before the last"),
        (frame(0, 204) * (MAX_PACKETS + 1), "more than 32"),
    ],
)
def test_rfc3550_a2_datagrams_that_lie_are_refused(data, why):
    with pytest.raises(MalformedPacket, match=why):
        parse(data)


def test_rfc3550_a2_padding_ends_the_last_packet():
    assert parse(frame(0, 201, b"\0\0\0\7\0\0\0\4", flags=0xA0)) == (ReceiverReport(7),)


def test_as_many_packets_as_the_limit_says():
    assert parse(memoryview(frame(0, 203) * MAX_PACKETS)) == (Goodbye(),) * MAX_PACKETS
