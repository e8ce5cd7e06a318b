"""The writer of answers: to real offers, by the clauses, and read again by aiortc."""

import re
from collections.abc import Sequence
from random import Random

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.answer import (
    AnswerParameters,
    HostCandidate,
    Setup,
    SlotStream,
    build_answer,
    choose_setup,
    negotiate,
)
from sfu.dtmf import EventFormat
from sfu.errors import BadOffer
from sfu.offer import Fingerprint, IceParameters, Offer
from sfu.sdp import parse_offer
from tests.fuzz.mutators import mutate_lines
from tests.sfu.offers import NAMES, TRANSPORT, one_line, read

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
ADDRESSES = (HostCandidate("2001:db8::1", 7882), HostCandidate("192.0.2.1", 7882), HostCandidate("192.0.2.2", 7882))


def parameters(
    offer: Offer, *, version: int = 1, candidates: Sequence[HostCandidate] = ADDRESSES, slots: int = 64
) -> AnswerParameters:
    receivers = [line for line in negotiate(offer) if line.slot][:slots]
    return AnswerParameters(
        session_id=42,
        version=version,
        ice=IceParameters("ourufrag", "ourpassword/that+is24chr"),
        fingerprint=Fingerprint("sha-256", ":".join(["CD"] * 32)),
        setup=choose_setup(offer),
        candidates=candidates,
        slots={
            line.mid: SlotStream(1000 + line.index, f"stream{line.index}", f"track{line.index}") for line in receivers
        },
        cname="parley",
    )


def answer(text: str, *, candidates: Sequence[HostCandidate] = ADDRESSES, slots: int = 64) -> list[str]:
    offer = parse_offer(text)
    return build_answer(offer, parameters(offer, candidates=candidates, slots=slots)).split("\r\n")[:-1]


def sections(lines: Sequence[str]) -> list[list[str]]:
    """The session's lines, then those of each m-line."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("m="):
            parts.append([])
        parts[-1].append(line)
    return parts


def refusal(text: str) -> str:
    with pytest.raises(BadOffer) as caught:
        answer(text)
    return caught.value.code


# -- real offers ----------------------------------------------------------------------------------------------------


def test_the_answer_to_chromium_in_full() -> None:
    session, microphone, slot, _ = sections(answer(read("chromium_156")))
    assert session == [
        "v=0",
        "o=- 42 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1 2",
        "a=ice-lite",
        "a=ice-options:trickle ice2",
    ]
    agreed = [
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-15",
        f"a=extmap:1 {LEVEL}",
        f"a=extmap:4 {MID}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtcp-xr:rcvr-rtt=all",
        "a=ice-ufrag:ourufrag",
        "a=ice-pwd:ourpassword/that+is24chr",
        "a=fingerprint:sha-256 " + ":".join(["CD"] * 32),
        "a=setup:passive",
    ]
    candidates = [
        "a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::1 7882 typ host",
        "a=candidate:3 1 udp 2130705919 192.0.2.2 7882 typ host",
        "a=end-of-candidates",
    ]
    assert microphone == [
        "m=audio 7882 UDP/TLS/RTP/SAVPF 111 110",
        "c=IN IP4 192.0.2.1",
        "a=mid:0",
        "a=recvonly",
        *agreed,
        *candidates,
    ]
    assert slot == [
        "m=audio 7882 UDP/TLS/RTP/SAVPF 111 110",
        "c=IN IP4 192.0.2.1",
        "a=mid:1",
        "a=sendonly",
        *agreed,
        *candidates,
        "a=msid:stream1 track1",
        "a=ssrc:1001 cname:parley",
        "a=ssrc:1001 msid:stream1 track1",
    ]


def test_firefox_has_its_own_numbers_and_its_bundle_only_lines_get_ports() -> None:
    lines = answer(read("firefox_esr_153"))
    assert [line for line in lines if line.startswith("m=")] == ["m=audio 7882 UDP/TLS/RTP/SAVPF 109 101"] * 3
    assert f"a=extmap:3 {MID}" in lines
    assert not any("csrc-audio-level" in line or "rtcp-xr" in line or "rtcp-rsize" in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_aiortc_reads_the_answer_as_it_is_meant(name: str) -> None:
    offer = parse_offer(read(name))
    described = SessionDescription.parse(build_answer(offer, parameters(offer)))
    assert [media.rtp.muxId for media in described.media] == [line.mid for line in offer.media]
    for media, line in zip(described.media, offer.media, strict=True):
        assert media.kind == line.kind
        assert (media.port == 0) == (line.kind != "audio")
    for agreed in negotiate(offer):
        media = described.media[agreed.index]
        assert media.ice is not None
        assert media.ice.iceLite
        assert [candidate.ip for candidate in media.ice_candidates] == ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
        events = [agreed.events.payload_type] if agreed.events else []
        assert [codec.payloadType for codec in media.rtp.codecs] == [agreed.payload_type, *events]
        assert [ssrc.ssrc for ssrc in media.ssrc] == ([1000 + agreed.index] if agreed.slot else [])


def test_what_was_agreed_with_chromium() -> None:
    microphone, slot, _ = negotiate(parse_offer(read("chromium_156")))
    assert (microphone.mid, microphone.payload_type, microphone.can_send, microphone.slot) == ("0", 111, True, False)
    assert (microphone.level_in, microphone.level_out, microphone.mid_in, microphone.mid_out) == (1, 1, 4, 4)
    assert (slot.mid, slot.can_send, slot.slot) == ("1", False, True)
    assert len(microphone.ssrcs) == 1
    assert (microphone.rtcp_rsize, microphone.rtcp_xr) == (True, True)


# -- the clauses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("sendrecv", "sendrecv"), ("inactive", "inactive")],
)
def test_directions_are_turned_rfc_3264_section_6_1(offered: str, answered: str) -> None:
    lines = answer(one_line(direction=offered))
    assert f"a={answered}" in lines
    assert "m=audio 7882 UDP/TLS/RTP/SAVPF 111" in lines


@pytest.mark.parametrize(
    ("offered", "answered"), [("sendrecv", "recvonly"), ("recvonly", "inactive"), ("sendonly", "recvonly")]
)
def test_without_a_stream_for_it_nothing_is_sent(offered: str, answered: str) -> None:
    lines = answer(one_line(direction=offered), slots=0)
    assert f"a={answered}" in lines
    assert not any(line.startswith(("a=ssrc", "a=msid")) for line in lines)


def test_video_and_data_are_rejected_with_port_0_and_the_call_goes_on_rfc_3264_section_6() -> None:
    session, audio, video, data = sections(answer(read("chromium_156_video_data")))
    assert "a=group:BUNDLE 0" in session
    assert audio[0] == "m=audio 7882 UDP/TLS/RTP/SAVPF 111 110"
    assert video == ["m=video 0 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0", "a=mid:1", "a=inactive"]
    assert data == ["m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:2", "a=inactive"]


def test_the_bundle_keeps_the_offers_order_and_each_accepted_line_has_the_transport_rfc_9143() -> None:
    text = read("chromium_156").replace("BUNDLE 0 1 2", "BUNDLE 2 0")
    session, *media = sections(answer(text))
    assert "a=group:BUNDLE 2 0" in session
    assert [line[0].split()[1] for line in media] == ["7882", "0", "7882"]
    for mark in ("a=end-of-candidates", "a=ice-ufrag:ourufrag", "a=setup:passive", "a=rtcp-mux"):
        assert [mark in lines for lines in media] == [True, False, True]


def test_a_stopped_first_line_hands_the_bundle_on() -> None:
    text = read("chromium_156").replace("m=audio 51980", "m=audio 0", 1)
    text = re.sub(r"m=audio [1-9]\d+ ", "m=audio 0 ", text, count=1).replace("BUNDLE 0 1 2", "BUNDLE 1 2")
    session, stopped, first, _ = sections(answer(text))
    assert "a=group:BUNDLE 1 2" in session
    assert stopped[0].startswith("m=audio 0 ")
    assert "a=end-of-candidates" in first


def test_an_old_client_without_bundle_and_mid_gets_neither() -> None:
    text = one_line(bundle=False) + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\n"
    session, first, second = sections(answer(text))
    assert not any("BUNDLE" in line for line in session)
    assert not any(line.startswith("a=mid") for line in [*first, *second])
    assert "a=end-of-candidates" in first
    assert second[0] == "m=audio 0 UDP/TLS/RTP/SAVPF 111"
    assert [line.mid for line in negotiate(parse_offer(text))] == ["0"]


@pytest.mark.parametrize("protocol", ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF"])
def test_the_profile_is_the_offers(protocol: str) -> None:
    assert f"m=audio 7882 {protocol} 111" in answer(one_line().replace("UDP/TLS/RTP/SAVPF", protocol))


def test_no_addresses_yet() -> None:
    lines = answer(one_line(), candidates=())
    assert lines[lines.index("m=audio 9 UDP/TLS/RTP/SAVPF 111") + 1] == "c=IN IP4 0.0.0.0"
    assert "a=end-of-candidates" in lines


def test_an_address_of_ipv6_alone_rfc_8839() -> None:
    lines = answer(one_line(), candidates=ADDRESSES[:1])
    assert "c=IN IP6 2001:db8::1" in lines
    assert [line for line in lines if "candidate:" in line] == [
        "a=candidate:1 1 udp 2130706431 2001:db8::1 7882 typ host"  # RFC 8445 section 5.1.2.1
    ]


def test_all_candidates_are_known_and_late_ones_are_welcome_rfc_8838_rfc_8840_rfc_8445_section_10() -> None:
    lines = answer(one_line())
    assert "a=ice-options:trickle ice2" in lines
    assert "a=end-of-candidates" in lines


def test_the_version_is_the_callers_rfc_3264_section_8() -> None:
    offer = parse_offer(one_line())
    assert "\r\no=- 42 9 IN IP4 127.0.0.1\r\n" in build_answer(offer, parameters(offer, version=9))


# DTLS roles


@pytest.mark.parametrize(
    ("offered", "current", "ours"),
    [
        ("actpass", None, "passive"),
        ("active", None, "passive"),
        ("passive", None, "active"),
        ("actpass", "active", "active"),
        ("actpass", "passive", "passive"),
        ("active", "passive", "passive"),
    ],
)
def test_dtls_roles_rfc_8842_section_5_3(offered: str, current: Setup | None, ours: Setup) -> None:
    offer = parse_offer(one_line().replace("actpass", offered))
    assert choose_setup(offer, current) == ours


@pytest.mark.parametrize(
    ("offered", "current"), [("holdconn", None), ("holdconn", "passive"), ("passive", "passive"), ("active", "active")]
)
def test_dtls_roles_that_cannot_be_rfc_4145(offered: str, current: Setup | None) -> None:
    offer = parse_offer(one_line().replace("actpass", offered))
    with pytest.raises(BadOffer) as caught:
        choose_setup(offer, current)
    assert caught.value.code == "bad_sdp"


def test_two_lite_ends_never_meet_rfc_8445_section_2_5() -> None:
    assert refusal(one_line().replace("t=0 0", "t=0 0\r\na=ice-lite")) == "bad_sdp"


# codecs and extensions


@pytest.mark.parametrize(
    "rtpmap", ["111 opus/48000", "111 opus/16000/2", "111 PCMU/8000", "64 opus/48000/2", "95 opus/48000/2"]
)
def test_without_opus_there_is_no_call_rfc_7587_rfc_5761_section_4(rtpmap: str) -> None:
    number = rtpmap.split(maxsplit=1)[0]
    text = one_line().replace("SAVPF 111", f"SAVPF {number}").replace("rtpmap:111 opus/48000/2", f"rtpmap:{rtpmap}")
    assert refusal(text) == "no_codec"


def test_a_line_without_opus_is_rejected_and_the_others_go_on() -> None:
    text = one_line().replace("BUNDLE 0", "BUNDLE 9 0")
    text += "\r\n".join(["m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:9", *TRANSPORT, "a=rtpmap:0 PCMU/8000", ""])
    session, taken, rejected = sections(answer(text))
    assert "a=group:BUNDLE 0" in session
    assert "a=end-of-candidates" in taken
    assert rejected == ["m=audio 0 UDP/TLS/RTP/SAVPF 0", "c=IN IP4 0.0.0.0", "a=mid:9", "a=inactive"]


@pytest.mark.parametrize(
    ("maps", "taken"),
    [
        (["110 telephone-event/48000", "126 telephone-event/8000"], EventFormat(110, 48_000)),
        (["126 telephone-event/8000", "110 telephone-event/48000"], EventFormat(110, 48_000)),
        (["101 Telephone-Event/8000"], EventFormat(101, 8_000)),
        (["98 telephone-event/16000", "99 telephone-event/16000"], EventFormat(98, 16_000)),
        (["95 telephone-event/48000"], None),
        (["101 telephone-event/44100"], None),
        ([], None),
    ],
)
def test_one_form_of_telephone_events_is_taken_rfc_4733_section_2_4_1(
    maps: list[str], taken: EventFormat | None
) -> None:
    numbers = " ".join(["111", *(one.split()[0] for one in maps)])
    text = one_line(*(f"a=rtpmap:{one}" for one in maps)).replace("SAVPF 111", f"SAVPF {numbers}")
    (line,) = negotiate(parse_offer(text))
    assert line.events == taken
    expected = f"111 {taken.payload_type}" if taken else "111"
    lines = answer(text)
    assert f"m=audio 7882 UDP/TLS/RTP/SAVPF {expected}" in lines
    assert [one for one in lines if "0-15" in one] == ([f"a=fmtp:{taken.payload_type} 0-15"] if taken else [])


def test_opus_is_found_in_any_spelling() -> None:
    assert "a=rtpmap:111 opus/48000/2" in answer(one_line().replace("opus", "OPUS"))


@pytest.mark.parametrize(
    ("offered", "answered", "agreed"),
    [
        ("", "", (5, 5)),
        ("/sendrecv", "", (5, 5)),
        ("/sendonly", "/recvonly", (5, None)),
        ("/recvonly", "/sendonly", (None, 5)),
        ("/inactive", "/inactive", (None, None)),
    ],
)
def test_extension_directions_are_turned_rfc_8285_section_7(
    offered: str, answered: str, agreed: tuple[int | None, int | None]
) -> None:
    text = one_line(f"a=extmap:5{offered} {LEVEL}")
    assert f"a=extmap:5{answered} {LEVEL}" in answer(text)
    (line,) = negotiate(parse_offer(text))
    assert (line.level_in, line.level_out) == agreed  # RFC 6464
    assert (line.mid_in, line.mid_out) == (None, None)


def test_an_extension_must_fit_the_one_byte_form_rfc_8285_section_4_2() -> None:
    lines = answer(one_line(f"a=extmap:15 {LEVEL}", f"a=extmap:5 {LEVEL}", f"a=extmap:6 {LEVEL}"))
    assert [line for line in lines if "extmap" in line] == [f"a=extmap:5 {LEVEL}"]
    long = one_line(f"a=extmap:5 {MID}").replace("mid:0", "mid:" + "m" * 17).replace("BUNDLE 0", "BUNDLE " + "m" * 17)
    assert not any("extmap" in line for line in answer(long))


def test_reports_are_answered_where_they_were_offered_rfc_3611_rfc_5506() -> None:
    lines = answer(one_line("a=rtcp-rsize", "a=rtcp-xr:rcvr-rtt=all:10"))
    assert {"a=rtcp-rsize", "a=rtcp-xr:rcvr-rtt=all"} <= set(lines)
    assert not any("rsize" in line or "rtcp-xr" in line for line in answer(one_line()))


# -- any offer ------------------------------------------------------------------------------------------------------


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_an_answer_has_the_offers_m_lines_and_nothing_that_was_slipped_in(name: str, seed: int) -> None:
    try:
        offer = parse_offer(mutate_lines(read(name), Random(seed)))
        text = build_answer(offer, parameters(offer))
    except BadOffer:
        return
    media = [line.split()[0] for line in text.split("\r\n") if line.startswith("m=")]
    assert media == [f"m={line.kind}" for line in offer.media]
    assert all(re.fullmatch(r"[a-z]=[ -~]*", line) for line in text.split("\r\n")[:-1])
