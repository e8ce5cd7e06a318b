import pytest
from aiortc.rtp import RtcpPacket as ReferencePacket
from hypothesis import given
from hypothesis import strategies as st

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
from sfu.rtcp_build import build, describe
from sfu.rtcp_parse import parse

WORDS = st.integers(0, 0xFFFFFFFF)
NTP = st.integers(0, 0xFFFFFFFFFFFFFFFF)
BLOCKS = st.builds(
    ReportBlock, WORDS, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORDS, WORDS, WORDS, WORDS
)
BLOCK = ReportBlock(2, 0, 0, 0, 0, 0, 0)


def some(strategy, most):
    return st.lists(strategy, max_size=most).map(tuple)


PACKETS = st.one_of(
    st.builds(SenderReport, WORDS, NTP, WORDS, WORDS, WORDS, some(BLOCKS, 5)),
    st.builds(ReceiverReport, WORDS, some(BLOCKS, 5)),
    st.builds(
        SourceDescription,
        some(st.builds(SourceChunk, WORDS, some(st.tuples(st.integers(1, 255), st.binary(max_size=30)), 3)), 5),
    ),
    st.builds(Goodbye, some(WORDS, 31), st.binary(max_size=255)),
    st.builds(
        Feedback,
        st.sampled_from([205, 206]),
        st.integers(0, 31),
        WORDS,
        WORDS,
        st.binary(max_size=40).map(lambda control: control[: len(control) & ~3]),
    ),
    st.builds(
        ExtendedReport,
        WORDS,
        some(
            st.builds(ReceiverReferenceTime, NTP)
            | st.builds(LastReceiverReports, some(st.builds(LastReceiverReport, WORDS, WORDS, WORDS), 5)),
            5,
        ),
    ),
)


@given(st.lists(PACKETS, min_size=1, max_size=6))
def test_rfc3550_6_1_what_is_built_is_parsed(packets):
    assert parse(build(*packets)) == tuple(packets)


@given(st.builds(SenderReport, WORDS, NTP, WORDS, WORDS, WORDS, some(BLOCKS, 5)))
def test_another_library_reads_our_reports_the_same(report):
    [other] = ReferencePacket.parse(build(report))
    assert (other.ssrc, other.sender_info.ntp_timestamp, other.sender_info.octet_count) == (
        report.ssrc,
        report.ntp,
        report.octet_count,
    )
    assert [(one.ssrc, one.fraction_lost, one.packets_lost, one.jitter, one.dlsr) for one in other.reports] == [
        (
            one.ssrc,
            one.fraction_lost_octet,
            one.cumulative_lost,
            one.interarrival_jitter,
            one.delay_since_last_sender_report,
        )
        for one in report.blocks
    ]


def test_rfc3550_6_5_another_library_reads_our_name():
    [_, other] = ReferencePacket.parse(build(ReceiverReport(1), describe([5], "parley")))
    assert [(chunk.ssrc, chunk.items) for chunk in other.chunks] == [(5, [(1, b"parley")])]


def test_rfc3550_6_5_each_chunk_of_a_description_ends_on_a_word():
    """Four nulls where the items already end on one; aiortc 1.16 misreads the chunks after such an end."""
    for name in ("a", "ab", "abc", "parley"):
        [description] = parse(build(describe([5, 6], name)))
        assert [(chunk.ssrc, chunk.cname) for chunk in description.chunks] == [(5, name.encode()), (6, name.encode())]


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (31, [31]), (32, [31, 1]), (70, [31, 31, 8])])
def test_rfc3550_6_1_more_than_31_blocks_go_on_in_receiver_reports(count, sizes):
    blocks = tuple(ReportBlock(ssrc, 0, 0, 0, 0, 0, 0) for ssrc in range(count))
    for report in (ReceiverReport(1, blocks), SenderReport(1, 2, 3, 4, 5, blocks)):
        parts = parse(build(report))
        assert [len(part.blocks) for part in parts] == sizes
        assert sum((part.blocks for part in parts), ()) == blocks
        assert type(parts[0]) is type(report)
        assert all(isinstance(part, ReceiverReport) for part in parts[1:])


def test_rfc3550_6_4_1_counts_wrap_and_losses_stop_at_their_ends():
    big = ReportBlock(2, 300, 1 << 30, 1 << 33 | 5, 1 << 40, 3, 1 << 40)
    report = SenderReport(1, 1 << 64 | 7, 1 << 32 | 8, 1 << 32 | 9, 1 << 32 | 10, (big,))
    held = ReportBlock(2, 255, 0x7FFFFF, 5, 0xFFFFFFFF, 3, 0xFFFFFFFF)
    assert parse(build(report)) == (SenderReport(1, 7, 8, 9, 10, (held,)),)


@pytest.mark.parametrize(
    "packet",
    [
        Goodbye((1,) * 32),
        Goodbye((1,), bytes(256)),
        Feedback(205, 32, 1, 2),
        Feedback(205, 1, 1, 2, b"odd"),
        describe(range(32), "parley"),
        SourceDescription((SourceChunk(1, ((0, b"null"),)),)),
        SourceDescription((SourceChunk(1, ((1, bytes(256)),)),)),
    ],
)
def test_what_does_not_fit_is_not_built(packet):
    with pytest.raises(ValueError, match="RTCP"):
        build(packet)


def test_rfc3611_an_echo_of_a_long_time_stops_at_its_end():
    echo = LastReceiverReports((LastReceiverReport(1, 2, 1 << 40),))
    assert parse(build(ExtendedReport(9, (echo,)))) == (
        ExtendedReport(9, (LastReceiverReports((LastReceiverReport(1, 2, 0xFFFFFFFF),)),)),
    )


def test_rfc5506_a_lone_feedback_packet_is_a_whole_datagram():
    assert parse(build(Feedback(206, 1, 2, 3))) == (Feedback(206, 1, 2, 3),)


def test_a_report_without_a_block_is_still_a_report():
    assert parse(build(ReceiverReport(4, (BLOCK,)), ReceiverReport(4))) == (
        ReceiverReport(4, (BLOCK,)),
        ReceiverReport(4),
    )
