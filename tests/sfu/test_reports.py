import io
import math

import pytest
from aiortc.rtp import RtcpByePacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket
from aiortc.rtp import RtcpPacket as AiortcRtcpPacket

from quality.round_trip import middle, to_ntp
from sfu.reports import MOST_SENDERS, Reports
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
    SourceDescription,
)
from sfu.rtcp_parse import parse
from sfu.slot import Slot, SlotFormat
from tests.support.ears import Mouth, stream_of

EPOCH = 1_700_000_000.0
OURS = 0xABCD


class Count:
    packets = 0
    octets = 0


def reports():
    return Reports(OURS, "cname", EPOCH)


def slot_of(ssrc=500, packets=3, octets=240):
    slot = Slot(SlotFormat(str(ssrc), 111), ssrc, 1, 9000)
    slot.tally.correct(packets, octets)
    return slot


def composed(made, streams=(), slots=(), now=50.0):
    """The packets of the one datagram that is composed."""
    (datagram,) = made.compose(streams, slots, now)
    return parse(datagram)


def block(ssrc, *, lost=0, total=0, highest=0, jitter=0, last=0, delay=0):
    return ReportBlock(ssrc, lost, total, highest, jitter, last, delay)


def received(name="ana", number=1, packets=10, *, skip=0):
    stream = stream_of(name, number, first=100)
    mouth = Mouth(stream)
    mouth.say(packets=packets)
    mouth.skip(skip)
    mouth.say()
    return stream


# -- what is told ---------------------------------------------------------------------------------------------------


def test_nothing_to_tell_is_no_datagram():
    assert reports().compose((), (), 50.0) == []
    assert reports().compose((), [slot_of(packets=0)], 50.0) == []


def test_rfc3550_6_4_1_a_sender_report_for_each_slot_that_has_sent():
    made = reports()
    slots = [slot_of(500, 3, 240), slot_of(501, 0, 0), slot_of(502, (1 << 32) + 5, (1 << 32) + 7)]
    packets = composed(made, slots=slots)
    senders = [packet for packet in packets if isinstance(packet, SenderReport)]
    ntp = to_ntp(50.0 + EPOCH)
    assert senders == [SenderReport(500, ntp, 9000, 3, 240), SenderReport(502, ntp, 9000, 5, 7)]
    assert isinstance(packets[0], SenderReport)


def test_a_slot_that_has_sent_nothing_since_gets_no_report():
    made, slot = reports(), slot_of()
    assert made.compose((), [slot], 50.0)
    assert made.compose((), [slot], 51.0) == []
    slot.tally.correct(1, 80)
    assert made.compose((), [slot], 52.0)


def test_rfc3550_6_5_every_source_has_its_cname_in_an_sdes_packet_of_its_own():
    packets = composed(reports(), slots=[slot_of(500), slot_of(501)])
    described = [packet for packet in packets if isinstance(packet, SourceDescription)]
    assert [[(chunk.ssrc, chunk.cname) for chunk in packet.chunks] for packet in described] == [
        [(500, b"cname")],
        [(501, b"cname")],
    ]


def test_aiortc_reads_what_we_compose():
    (datagram,) = reports().compose([received()], [slot_of(500), slot_of(501)], 50.0)
    packets = AiortcRtcpPacket.parse(datagram)
    assert [packet.ssrc for packet in packets if isinstance(packet, RtcpSrPacket)] == [500, 501]
    described = [chunk for packet in packets if isinstance(packet, RtcpSdesPacket) for chunk in packet.chunks]
    assert [(chunk.ssrc, chunk.items) for chunk in described] == [(500, [(1, b"cname")]), (501, [(1, b"cname")])]
    (datagram,) = reports().compose([received()], (), 50.0)
    assert isinstance(AiortcRtcpPacket.parse(datagram)[0], RtcpRrPacket)
    assert isinstance(AiortcRtcpPacket.parse(reports().goodbye([slot_of()]))[-1], RtcpByePacket)


def test_rfc3550_6_1_many_slots_take_several_compound_packets_each_below_an_mtu():
    slots = [slot_of(500 + number) for number in range(64)]
    streams = [received(number=number) for number in range(1, 9)]
    made = reports()
    made.receiver_rtt = True
    made.take([ExtendedReport(9, (ReceiverReferenceTime(1 << 32),))], {}, {}, 49.0)
    datagrams = made.compose(streams, slots, 50.0)
    assert len(datagrams) == math.ceil(64 / MOST_SENDERS)
    assert all(len(datagram) < 1200 for datagram in datagrams)
    told = [parse(datagram) for datagram in datagrams]
    assert all(isinstance(packets[0], SenderReport) for packets in told)
    assert [len(packets[0].blocks) for packets in told] == [8, 0, 0, 0, 0]
    ssrcs = [packet.ssrc for packets in told for packet in packets if isinstance(packet, SenderReport)]
    assert ssrcs == [slot.ssrc for slot in slots]


def test_rfc3550_6_4_2_a_receiver_report_where_no_slot_sends():
    stream = received(skip=3)
    stream.statistics.sender_reported(0x1234_5678, 49.5)
    report, described = composed(reports(), [stream])
    assert report.ssrc == OURS
    (told,) = report.blocks
    assert (told.ssrc, told.highest_sequence, told.cumulative_lost) == (stream.ssrc, 113, 3)
    assert told.interarrival_jitter == stream.statistics.interarrival_jitter
    assert (told.last_sender_report, told.delay_since_last_sender_report) == (0x1234_5678, 32_768)
    assert [chunk.ssrc for chunk in described.chunks] == [OURS]


def test_rfc3550_a3_the_fraction_is_of_the_interval_only():
    made, stream = reports(), stream_of("ana", first=100)
    mouth = Mouth(stream)

    def fraction():
        return composed(made, [stream])[0].blocks[0].fraction_lost_octet

    mouth.say(packets=10)
    assert fraction() == 0
    mouth.skip(5)
    mouth.say(packets=15)
    assert fraction() == 5 * 256 // 20
    mouth.say(packets=10)
    assert fraction() == 0
    assert fraction() == 0


def test_rfc3550_a3_two_reporters_of_one_stream_each_have_an_interval_of_their_own():
    stream = stream_of("ana", first=100)
    mouth, one, other = Mouth(stream), reports(), reports()

    def fraction(made):
        return composed(made, [stream])[0].blocks[0].fraction_lost_octet

    mouth.say(packets=10)
    assert (fraction(one), fraction(other)) == (0, 0)
    mouth.skip(5)
    mouth.say(packets=5)
    assert (fraction(one), fraction(one)) == (128, 0)
    mouth.say(packets=10)
    assert (fraction(one), fraction(other)) == (0, 5 * 256 // 20)


def test_a_stream_that_has_ended_leaves_nothing_behind_for_the_next_of_its_ssrc():
    made, first, second = reports(), received(skip=3), received(skip=1)
    composed(made, [first])
    assert composed(made, [second])[0].blocks[0].fraction_lost_octet == 1 * 256 // 12


@pytest.mark.parametrize(
    ("uplink", "downlink", "told"), [(0, 0.0, 0), (0, 0.2, 51), (5, 0.1, 64), (5, 0.5, 128), (0, 1.0, 255)]
)
def test_a_publisher_is_told_the_greater_of_its_own_loss_and_its_listeners(uplink, downlink, told):
    stream = stream_of("ana", first=100)
    mouth = Mouth(stream)
    mouth.say(packets=10)
    mouth.skip(uplink)
    mouth.say(packets=10 - uplink)
    stream.downlink_loss = downlink
    (block_,) = composed(reports(), [stream])[0].blocks
    assert block_.fraction_lost_octet == told
    assert block_.cumulative_lost == uplink


def test_rfc3550_6_6_goodbye_ends_all_our_streams():
    first, described, end = parse(reports().goodbye([slot_of(500), slot_of(501)]))
    assert (first, described.chunks[0].cname) == (ReceiverReport(OURS), b"cname")
    assert end == Goodbye((500, 501, OURS))
    ends = parse(reports().goodbye([slot_of(number) for number in range(500, 564)]))[2:]
    assert [ssrc for end in ends for ssrc in end.ssrcs] == [*range(500, 564), OURS]
    assert parse(reports().goodbye([]))[-1] == Goodbye((OURS,))


# -- what is learnt -------------------------------------------------------------------------------------------------


def test_rfc3550_6_4_1_a_block_on_a_slot_gives_loss_jitter_and_round_trip():
    made, slot = reports(), slot_of()
    composed(made, slots=[slot])
    last = middle(to_ntp(50.0 + EPOCH))
    told = block(500, lost=64, total=9, highest=77, jitter=480, last=last, delay=32_768)
    assert made.take([ReceiverReport(9, (told,))], {}, {500: slot}, 50.6) == []
    remote = slot.remote
    assert (remote.fraction_lost, remote.packets_lost, remote.highest_sequence) == (0.25, 9, 77)
    assert remote.jitter == 0.01
    assert remote.round_trip_time == pytest.approx(0.1, abs=1e-4)
    assert made.packets_in == 1


def test_blocks_in_a_sender_report_count_too_and_its_time_is_remembered():
    made, slot, stream = reports(), slot_of(), received()
    ntp = to_ntp(EPOCH + 7)
    report = SenderReport(stream.ssrc, ntp, 5, 6, 7, (block(500, total=4),))
    made.take([report], {stream.ssrc: stream}, {500: slot}, 60.0)
    assert slot.remote.packets_lost == 4
    assert stream.statistics.last_sender_report.middle == middle(ntp)
    (told,) = composed(made, [stream], now=61.0)[0].blocks
    assert (told.last_sender_report, told.delay_since_last_sender_report) == (middle(ntp), 65_536)


def test_what_speaks_of_others_is_ignored():
    made, slot, stream = reports(), slot_of(), received()
    others = [
        ReceiverReport(9, (block(499, lost=255),)),
        SenderReport(12345, 1 << 40, 0, 0, 0, (block(498),)),
        Goodbye((4711,)),
        Feedback(206, 1, 1, 2),
        SourceDescription(),
        ExtendedReport(9, (LastReceiverReports((LastReceiverReport(OURS + 1, 5, 6),)),)),
    ]
    assert made.take(others, {stream.ssrc: stream}, {500: slot}, 60.0) == []
    assert slot.remote.reports_received == 0
    assert stream.statistics.last_sender_report.middle == 0
    assert stream.statistics.round_trip_time is None
    assert made.packets_in == len(others)


def test_rfc3550_6_6_a_stream_ends_once_however_often_a_bye_names_it():
    stream = received()
    ends = [Goodbye((stream.ssrc,)), Goodbye((stream.ssrc,))]
    assert reports().take(ends, {stream.ssrc: stream}, {}, 60.0) == [stream.ssrc]
    assert reports().take([Goodbye((stream.ssrc,) * 2)], {stream.ssrc: stream}, {}, 60.0) == [stream.ssrc]


def test_rfc3550_6_6_a_bye_names_the_streams_that_have_ended():
    stream, other = received(), received(number=2)
    streams = {stream.ssrc: stream, other.ssrc: other}
    assert reports().take([Goodbye((1, other.ssrc)), Goodbye((stream.ssrc,))], streams, {}, 60.0) == [
        other.ssrc,
        stream.ssrc,
    ]


# -- extended reports -----------------------------------------------------------------------------------------------


def extended(packets):
    return [packet for packet in packets if isinstance(packet, ExtendedReport)]


def test_rfc3611_4_4_our_reference_time_is_told_while_we_send_nothing_and_its_echo_gives_the_round_trip():
    made, stream = reports(), received()
    assert extended(composed(made, [stream])) == []
    made.receiver_rtt = True
    (report,) = extended(composed(made, [stream], now=50.0))
    ntp = to_ntp(50.0 + EPOCH)
    assert report == ExtendedReport(OURS, (ReceiverReferenceTime(ntp),))
    echo = LastReceiverReport(OURS, middle(ntp), 16_384)
    made.take([ExtendedReport(9, (LastReceiverReports((echo,)),))], {stream.ssrc: stream}, {}, 50.4)
    assert stream.statistics.round_trip_time == pytest.approx(0.15, abs=1e-4)


def test_rfc3611_4_5_their_reference_time_is_echoed_once():
    made, slot = reports(), slot_of()
    made.receiver_rtt = True
    ntp = to_ntp(EPOCH)
    made.take([ExtendedReport(9, (ReceiverReferenceTime(ntp),))], {}, {}, 50.0)
    (report,) = extended(composed(made, slots=[slot], now=50.25))
    echo = LastReceiverReport(9, middle(ntp), 16_384)
    assert report == ExtendedReport(OURS, (LastReceiverReports((echo,)),))
    slot.tally.correct(1, 1)
    assert extended(composed(made, slots=[slot], now=51.0)) == []


def test_an_echo_alone_is_a_reason_to_report_and_an_idle_endpoint_is_sent_nothing():
    made = reports()
    made.receiver_rtt = True
    assert made.compose((), (), 50.0) == []
    made.take([ExtendedReport(9, (ReceiverReferenceTime(to_ntp(EPOCH)),))], {}, {}, 50.5)
    assert isinstance(composed(made, now=51.0)[0], ReceiverReport)
    assert made.compose((), (), 52.0) == []


def test_the_octets_are_whole_words():
    for datagram in reports().compose([received()], [slot_of()], 50.0):
        assert io.BytesIO(datagram).getbuffer().nbytes % 4 == 0
