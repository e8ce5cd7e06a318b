import math
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.answer import Negotiated
from sfu.endpoint import (
    ARRIVING_SECONDS,
    Arriving,
    Endpoint,
    Flooding,
    Gone,
    MidsKnown,
    Record,
    Send,
)
from sfu.ice import CONSENT, SILENCE, AddressBound, CredentialsForgotten, IceLite, SelectedMoved, Source
from sfu.limits import PacketBudget
from sfu.listener import StreamBegan, StreamEnded
from sfu.offer import IceParameters, Offer
from sfu.reports import INTERVAL, SPREAD, Reports
from sfu.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport
from sfu.rtcp_build import build, describe
from sfu.rtcp_parse import parse
from sfu.rtp import RtpPacket
from sfu.rtp import build as build_rtp
from sfu.sources import FORGET_SECONDS
from sfu.srtp import RESTING_SSRCS, SrtpContext
from sfu.stun import parse_request
from tests.support.check_client import signed_check
from tests.support.ears import OPUS, srtp_contexts

OURS = IceParameters("ours", "o" * 24)
THEIRS = IceParameters("theirs", "t" * 24)
A, B, C = (Source(0, ("192.0.2.1", port)) for port in (1, 2, 3))
DTLS_RECORD = b"\x16\xfe\xfd" + bytes(20)


class End:
    """An endpoint and its client's keys. It is at `A`, and connected, unless told otherwise."""

    def __init__(self, *, checked=True, connected=True):
        self.engine = Endpoint("ana", IceLite(OURS, THEIRS, 0.0), Reports(0xABCD, "cname", 1e9), Random(5), count(1))
        self.server, self.client = srtp_contexts()
        self.transactions = Random(9)
        if checked:
            self.check()
        if connected:
            self.engine.connected(self.server, 0.0)
        self.take()

    def check(self, source=A, now=0.0, *, ours=OURS, theirs=THEIRS, nominate=True):
        data = signed_check(theirs, ours, self.transactions.randbytes(12), nominate=nominate)
        self.engine.receive(data, source, now)

    def take(self):
        return list(self.engine.drain())

    def events(self):
        return [output for output in self.take() if not isinstance(output, Send)]

    def rtcp(self, *packets, source=A, now=1.0):
        self.engine.receive(self.client.protect_rtcp(build(*packets)), source, now)

    def stream(self, ssrc=7, now=1.0):
        return self.engine.sources.begin(ssrc, OPUS, (100, 0), now)

    def reports_until(self, until, now=0.0):
        """Advance at each deadline; the RTCP that was sent, and the other events with their times."""
        told, events = [], []
        while (now := max(now, self.engine.deadline())) <= until:
            self.check(now=now)
            self.engine.advance(now)
            for output in self.take():
                if isinstance(output, Send):
                    if output.data[0] > 3:
                        told.append((now, parse(self.client.unprotect_rtcp(output.data))))
                else:
                    events.append((now, output))
        return told, events


def line(mid, *, slot=True, can_send=False, payload_type=111, level_in=None, level_out=1, mid_out=2, rtcp_xr=False):
    return Negotiated(
        index=0,
        mid=mid,
        payload_type=payload_type,
        clock_rate=48_000,
        can_send=can_send,
        slot=slot,
        level_in=level_in,
        level_out=level_out,
        mid_in=None,
        mid_out=mid_out,
        msid=None,
        ssrcs=(),
        rtcp_rsize=True,
        rtcp_xr=rtcp_xr,
    )


def offer(*, bundle=("0",)):
    return Offer((), bundle, (), THEIRS, False, (), "actpass")


# -- checks ---------------------------------------------------------------------------------------------------------


def test_rfc8445_7_3_a_check_is_answered_and_binds_its_source():
    end = End(checked=False, connected=False)
    end.check()
    send, bound, moved = end.take()
    assert (send.to, send.data[:2]) == (A, b"\x01\x01")
    assert (bound, moved) == (AddressBound(A, None), SelectedMoved(A, None))


def test_a_check_of_wrong_credentials_is_counted_and_not_answered():
    end = End(checked=False)
    end.check(ours=IceParameters("ours", "x" * 24))
    assert end.take() == []
    assert end.engine.drops == {"check_refused": 1}


def test_rfc8445_9_a_restart_keeps_media_and_forgets_the_old_name_at_the_first_nominated_check():
    end = End()
    stream = end.stream()
    new_ours, new_theirs = IceParameters("ours2", "p" * 24), IceParameters("theirs2", "u" * 24)
    end.engine.restart_ice(new_theirs, new_ours, 5.0)
    end.check(now=6.0, nominate=False)
    assert CredentialsForgotten("ours") not in end.take()
    end.check(now=7.0, ours=new_ours, theirs=new_theirs)
    assert end.events() == [CredentialsForgotten("ours")]
    end.engine.restart_ice(new_theirs, IceParameters("a", "a"), 8.0)
    end.engine.restart_ice(new_theirs, IceParameters("b", "b"), 8.0)
    assert end.events() == [CredentialsForgotten("a")]
    assert end.engine.srtp is end.server
    assert end.engine.streams == {7: stream}


def test_rfc7675_5_1_without_a_check_for_30_s_it_is_gone_and_answers_nothing_more():
    end = End()
    now = 0.0
    while not end.engine.gone:
        now = end.engine.deadline()
        end.engine.advance(now)
    assert now == CONSENT
    assert end.events() == [Gone("consent_expired")]
    assert end.engine.deadline() == math.inf
    end.check(now=CONSENT + 1)
    request = parse_request(signed_check(THEIRS, OURS, bytes(12), nominate=True))
    assert not end.engine.check(request, A, CONSENT + 1)
    end.engine.advance(CONSENT + 2)
    end.engine.receive(DTLS_RECORD, A, CONSENT + 3)
    assert end.take() == []


def test_rfc7675_media_alone_is_no_consent():
    end = End()
    for second in range(30):
        end.engine.heard(A, second + 0.5)
    end.engine.advance(CONSENT)
    assert end.engine.gone


def test_sending_moves_to_another_bound_address_once_the_selected_one_is_silent():
    end = End()
    end.check(B, 1.0, nominate=False)
    assert end.events() == [AddressBound(B, None)]
    end.engine.heard(B, SILENCE - 0.1)
    assert end.events() == []
    end.engine.heard(B, SILENCE + 0.1)
    assert end.events() == [SelectedMoved(B, A)]
    end.engine.heard(C, 20.0)
    assert end.events() == []


def test_what_the_receive_side_noted_counts_as_heard():
    end = End()
    end.check(B, 0.5, nominate=False)
    end.engine.heard_at = 2.0
    end.engine.heard(B, 4.0)
    assert end.engine.ice.selected == A
    end.engine.heard(A, 4.5)
    assert end.engine.heard_at == 4.5
    end.engine.heard(B, 4.5 + SILENCE + 0.1)
    assert end.engine.ice.selected == B
    assert end.engine.heard_at == 0.0


def test_a_silent_address_is_left_by_the_clock_when_another_was_bound_since():
    end = End()
    end.check(B, 1.0, nominate=False)
    assert end.engine.deadline() <= SILENCE
    end.engine.advance(SILENCE)
    assert SelectedMoved(B, A) in end.take()


# -- what else arrives ----------------------------------------------------------------------------------------------


def test_dtls_records_are_passed_on_from_bound_addresses_only():
    end = End(connected=False)
    end.engine.receive(DTLS_RECORD, B, 1.0)
    end.engine.receive(DTLS_RECORD, A, 1.0)
    assert end.take() == [Record(DTLS_RECORD)]


@given(st.binary(max_size=100), st.integers(0, 255))
def test_any_octets_are_dropped_and_counted(octets, first):
    end = End()
    for data in (octets, bytes([first]) + octets, bytes([0, 1]) + octets, b"\x80\xc8" + octets):
        end.engine.receive(data, B, 1.0)
    assert all(isinstance(output, Record) for output in end.take()) or first in range(20, 64)
    assert end.engine.streams == {}
    assert not end.engine.gone


def test_stun_that_is_no_check_changes_nothing():
    end = End()
    end.engine.receive(bytes.fromhex("001100002112a442") + bytes(12), A, 1.0)
    end.engine.receive(b"\x00\x01junk", A, 1.0)
    assert end.take() == []
    assert end.engine.drops == {"malformed": 1}


def test_rtp_has_another_way_in():
    end = End()
    end.engine.receive(end.client.protect(build_rtp(RtpPacket(111, 1, 2, 3))), A, 1.0)
    assert end.take() == []


# -- RTCP -----------------------------------------------------------------------------------------------------------


def test_rtcp_before_the_keys_forged_or_repeated_is_counted_and_dropped():
    end = End(connected=False)
    data = end.client.protect_rtcp(build(ReceiverReport(5)))
    end.engine.receive(data, A, 1.0)
    end.engine.connected(end.server, 1.0)
    end.engine.receive(data[:-1] + bytes([data[-1] ^ 1]), A, 1.0)
    end.engine.receive(data, A, 1.0)
    end.engine.receive(data, A, 1.0)
    assert end.engine.drops == {"unready": 1, "unauthentic": 1, "replayed": 1}
    assert end.engine.reports.packets_in == 1


def test_authentic_rtcp_that_is_malformed_is_counted():
    end = End()
    end.engine.receive(end.client.protect_rtcp(b"\x81\xc9\x00\x01" + bytes(4)), A, 1.0)
    assert end.engine.drops == {"malformed": 1}


def test_rfc3550_6_6_a_bye_ends_its_stream_and_no_other():
    end = End()
    one, other = end.stream(7), end.stream(8)
    end.take()
    end.rtcp(ReceiverReport(7), Goodbye((7, 99)), Goodbye((7,)))
    assert end.take() == [StreamEnded(one)]
    assert end.engine.streams == {8: other}


def test_rfc8843_9_2_a_report_on_a_slot_shows_that_its_mid_is_known():
    end = End()
    end.engine.negotiate(offer(), [line("0"), line("1")], 8)
    first, second = end.engine.slots
    end.rtcp(ReceiverReport(7, (ReportBlock(first.ssrc, 0, 0, 0, 0, 0, 0),)))
    assert end.take() == [MidsKnown()]
    end.rtcp(ReceiverReport(7, (ReportBlock(first.ssrc, 0, 0, 0, 0, 0, 0),)))
    assert end.take() == []
    assert (first.sends_mid, second.sends_mid) == (False, True)


def test_rfc3550_6_2_reports_go_out_about_once_a_second_and_not_in_step():
    end = End()
    slot_count = (line("0"),)
    end.engine.negotiate(offer(), slot_count, 8)
    end.stream()
    told, _ = end.reports_until(20.0)
    times = [at for at, _ in told]
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] <= INTERVAL
    assert all(INTERVAL * (1 - SPREAD) <= gap <= INTERVAL * (1 + SPREAD) for gap in gaps)
    assert len({round(gap, 3) for gap in gaps}) > 10
    assert all(isinstance(packets[0], ReceiverReport) for _, packets in told)
    assert told[0][1][0].blocks[0].ssrc == 7
    end.engine.slots[0].tally.correct(1, 80)
    told, _ = end.reports_until(22.0, 20.0)
    assert isinstance(told[0][1][0], SenderReport)


def test_without_an_address_or_keys_nothing_is_sent():
    end = End(checked=False)
    end.stream()
    end.engine.advance(1.0)
    assert [output for output in end.take() if isinstance(output, Send)] == []
    end = End(connected=False)
    end.engine.close()
    assert end.take() == []


def test_rtcp_that_libsrtp_refuses_is_counted(monkeypatch):
    end = End()
    end.engine.srtp = end.client
    monkeypatch.setattr(end.engine.reports, "compose", lambda *_: [b""])
    end.engine.advance(1.0)
    assert end.engine.drops["rtcp_refused"] == 1


def test_close_says_goodbye_once():
    end = End()
    end.engine.close()
    (send,) = end.take()
    assert isinstance(parse(end.client.unprotect_rtcp(send.data))[-1], Goodbye)
    end.engine.close()
    assert end.take() == []
    assert end.engine.deadline() == math.inf


# -- floods ---------------------------------------------------------------------------------------------------------


def test_a_flood_is_told_once_dropped_and_cut_off_when_it_goes_on():
    end = End()
    outputs = []
    for number in range(12 * 1000):
        now = 1.0 + number / 1000
        if not end.engine.gone and not end.engine.budget.allow(now):
            end.engine.flooded(now)
        outputs += end.events()
    assert outputs == [Flooding(), Gone("flood")]
    assert end.engine.drops["flood"] > 7000
    end.check(now=20.0)
    assert end.take() == []


def test_rtcp_counts_against_the_same_budget():
    end = End()
    end.engine.budget = PacketBudget(rate=1, burst=1)
    end.rtcp(ReceiverReport(5))
    end.rtcp(ReceiverReport(5))
    assert (end.engine.reports.packets_in, end.engine.drops["flood"]) == (1, 1)
    assert end.take() == [Flooding()]


def test_rtcp_that_is_not_authentic_is_not_charged_to_the_member():
    end = End()
    end.engine.budget = PacketBudget(rate=1, burst=1)
    for number in range(50):
        end.engine.receive(b"\x80\xc8" + bytes(40) + bytes([number]), A, 1.0)
    end.rtcp(ReceiverReport(5))
    assert (end.engine.reports.packets_in, end.engine.drops["unauthentic"]) == (1, 50)
    assert end.take() == []


def test_rtcp_goes_unread_while_there_is_too_much_noise():
    end = End()
    end.engine.noise.deaf_until = 5.0
    end.rtcp(ReceiverReport(5))
    assert (end.engine.reports.packets_in, end.engine.drops["noise"]) == (0, 1)


def test_an_ssrc_that_authentic_rtcp_names_is_forgotten_again_whatever_the_packet_says(monkeypatch):
    end = End()
    rested = []
    monkeypatch.setattr(SrtpContext, "rest", lambda _, ssrc: rested.append(ssrc))
    end.engine.budget = PacketBudget(rate=1, burst=1)
    for sender in (7, 8):
        end.rtcp(ReceiverReport(sender))
    nonsense = b"\x80\xc8\x00\x01" + (9).to_bytes(4, "big") + b"\xff" * 8
    end.engine.budget = PacketBudget()
    end.engine.receive(end.client.protect_rtcp(nonsense), A, 1.0)
    assert rested == [7, 8, 9]
    assert end.engine.drops["malformed"] == 1


# -- slots ----------------------------------------------------------------------------------------------------------


def test_a_slot_lives_as_long_as_its_line_keeps_mid_and_format():
    end = End()
    sender = line("m", slot=False, can_send=True, payload_type=109, level_in=3, rtcp_xr=True)
    end.engine.negotiate(offer(), [sender, line("0"), line("1")], 8)
    first, second = end.engine.slots
    assert (set(end.engine.sources.formats), end.engine.level_id, end.engine.reports.receiver_rtt) == ({109}, 3, True)
    assert (first.form.mid, first.form.payload_type, first.form.level_id, first.form.mid_id) == ("0", 111, 1, 2)
    end.engine.negotiate(offer(), [line("0"), line("1", payload_type=96), line("2")], 8)
    assert end.engine.slots[0] is first
    assert end.engine.slots[1] is not second
    assert [slot.form.mid for slot in end.engine.slots] == ["0", "1", "2"]
    assert (set(end.engine.sources.formats), end.engine.level_id, end.engine.reports.receiver_rtt) == (
        set(),
        None,
        False,
    )


def test_slots_are_as_many_as_allowed_and_have_ssrcs_of_their_own():
    end = End()
    end.engine.negotiate(offer(), [line(str(number)) for number in range(100)], 64)
    assert len({slot.ssrc for slot in end.engine.slots} | {0xABCD}) == 65


def test_an_ssrc_that_is_taken_is_drawn_again():
    class Chance(Random):
        def randrange(self, start, stop=None, step=1):
            return next(draws)

    draws = iter([0xABCD, 5, 0, 0, 6, 0, 0])
    end = End()
    end.engine._chance = Chance()
    end.engine.negotiate(offer(), [line("0"), line("1")], 8)
    assert [slot.ssrc for slot in end.engine.slots] == [5, 6]


def test_rfc3711_3_3_1_first_sequence_numbers_are_below_half():
    end = End()
    end.engine.negotiate(offer(), [line(str(number)) for number in range(64)], 64)
    for slot in end.engine.slots:
        slot.route = object()
        slot.bind(end.stream(), 0)
        assert 0 <= slot._sequence_offset < 1 << 15


def test_without_a_bundle_there_is_no_mid():
    end = End()
    end.engine.negotiate(offer(bundle=()), [line("0")], 8)
    assert end.engine.slots[0].form.mid_id is None


# -- streams --------------------------------------------------------------------------------------------------------


def test_a_stream_has_an_id_of_its_own_and_is_announced():
    end = End()
    one, other = end.stream(7), end.stream(8)
    assert (one.id, other.id, one.participant) == (1, 2, "ana")
    assert end.take() == [StreamBegan(one), StreamBegan(other)]


def test_arriving_is_told_when_rtp_begins_and_when_it_stops():
    end = End()
    stream = end.stream(now=0.0)
    stream.statistics.add(100, 0, 0.5, 80)
    _, events = end.reports_until(20.0)
    arriving = [(at, event.arriving) for at, event in events if isinstance(event, Arriving)]
    assert [value for _, value in arriving] == [True, False]
    assert arriving[0][0] <= 1.25
    assert ARRIVING_SECONDS <= arriving[1][0] - arriving[0][0] <= ARRIVING_SECONDS + 1.25


def test_a_stream_that_stops_without_a_word_is_forgotten_and_its_place_is_free():
    end = End()
    stream = end.stream(now=0.0)
    _, events = end.reports_until(FORGET_SECONDS + 2)
    ended = [(at, event) for at, event in events if isinstance(event, StreamEnded)]
    assert [event.stream for _, event in ended] == [stream]
    assert FORGET_SECONDS < ended[0][0] < FORGET_SECONDS + 1.5
    assert end.engine.streams == {}


def test_the_end_of_a_stream_is_no_sign_of_life():
    end = End()
    stream = end.stream(now=0.0)
    stream.statistics.add(100, 0, 0.5, 80)
    _, events = end.reports_until(FORGET_SECONDS + 10)
    assert [event for _, event in events if isinstance(event, Arriving | StreamEnded)] == [
        Arriving(arriving=True),
        Arriving(arriving=False),
        StreamEnded(stream),
    ]


def test_packets_of_one_stream_are_a_sign_of_life_while_another_ends():
    end = End()
    one, other = end.stream(7, now=0.0), end.stream(8, now=0.0)
    for number in range(50):
        other.statistics.add(number, 0, 0.5, 80)
    end.reports_until(FORGET_SECONDS - 5)
    for number in range(30):
        one.statistics.add(number, 0, FORGET_SECONDS - 4, 80)
        one.highest_arrival = FORGET_SECONDS - 4
    _, events = end.reports_until(FORGET_SECONDS + 5)
    assert [event for _, event in events if isinstance(event, Arriving | StreamEnded)] == [
        Arriving(arriving=True),
        Arriving(arriving=False),
        StreamEnded(other),
    ]


def rtp(sequence, ssrc=7):
    return build_rtp(RtpPacket(111, sequence & 0xFFFF, 0, ssrc))


def end_stream(end, ssrc=7, now=1.0):
    end.stream(ssrc, now)
    end.rtcp(Goodbye((ssrc,)), now=now)


def test_rfc3711_3_3_1_a_sender_that_goes_on_after_a_long_pause_is_understood():
    end = End()
    for sequence in range(0xFFF0, 0x10010):
        end.server.unprotect(end.client.protect(rtp(sequence)))
    end.stream(now=0.0)
    end.reports_until(FORGET_SECONDS + 2)
    assert end.engine.streams == {}
    assert end.server.unprotect(end.client.protect(rtp(0x10010)))


def test_what_was_sent_before_a_bye_cannot_be_replayed_after_it():
    end = End()
    old = end.client.protect(rtp(100))
    end.server.unprotect(old)
    end_stream(end)
    with pytest.raises(Exception, match="status 9"):
        end.server.unprotect(old)


def test_libsrtp_keeps_the_state_of_a_bounded_number_of_ended_streams():
    end = End()
    packets = {}
    for ssrc in range(1, RESTING_SSRCS + 3):
        packets[ssrc] = end.client.protect(rtp(100, ssrc))
        end.server.unprotect(packets[ssrc])
        # The first goes on, and so is not among the ended ones.
        end_stream(end, ssrc, now=ssrc / 10)
        if ssrc == 1:
            end.stream(1)
    assert end.server.unprotect(packets[2])
    for ssrc in (1, 3, RESTING_SSRCS + 2):
        with pytest.raises(Exception, match="status 9"):
            end.server.unprotect(packets[ssrc])


def test_rfc5506_reduced_size_reports_are_taken():
    end = End()
    end.engine.receive(end.client.protect_rtcp(build(describe([5], "x"))), A, 1.0)
    assert end.engine.reports.packets_in == 1
