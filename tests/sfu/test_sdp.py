"""The reader of offers: real ones, the clauses of the RFCs, and text that is none."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfu.errors import BadOffer
from sfu.offer import MAX_CANDIDATES, Candidate, Codec, Direction, Extension, Fingerprint, IceParameters, Offer
from sfu.sdp import MAX_BYTES, MAX_MEDIA, parse_candidate, parse_offer
from tests.fuzz.mutators import mutate_lines
from tests.sfu.offers import FINGERPRINT, NAMES, TRANSPORT, one_line, read

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
BUNDLE_OF_TWO = "a=group:BUNDLE a b"
CANDIDATE = "candidate:1 1 UDP 2122252543 192.0.2.1 34052 typ host generation 0"


def document(*lines: str) -> str:
    return "\r\n".join(("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *lines)) + "\r\n"


def audio(*attributes: str, port: int = 9, protocol: str = "UDP/TLS/RTP/SAVPF", formats: str = "111") -> list[str]:
    return [f"m=audio {port} {protocol} {formats}", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", *attributes]


def refusal(text: str) -> str:
    with pytest.raises(BadOffer) as caught:
        parse_offer(text)
    return caught.value.code


# -- real offers ----------------------------------------------------------------------------------------------------


def test_chromium() -> None:
    offer = parse_offer(read("chromium_156"))
    assert offer.bundle == ("0", "1", "2")
    assert offer.setup == "actpass"
    assert not offer.ice_lite
    assert [line.direction for line in offer.audio] == ["sendonly", "recvonly", "recvonly"]
    assert [line.mid for line in offer.receivers] == ["1", "2"]
    microphone = offer.senders[0]
    assert microphone.codecs[0] == Codec(111, "opus", 48_000, 2, "minptime=10;useinbandfec=1")
    assert microphone.codecs[1] == Codec(63, "red", 48_000, 1 + 1, "111/111")
    assert microphone.extensions[0] == Extension(1, LEVEL, "sendrecv")
    assert microphone.ice == offer.ice
    assert len(microphone.ssrcs) == 1
    assert (microphone.rtcp_mux, microphone.rtcp_rsize, microphone.rtcp_xr) == (True, True, True)
    assert [(candidate.transport, candidate.kind) for candidate in microphone.candidates] == [
        ("udp", "host"),
        ("udp", "host"),
        ("tcp", "host"),
        ("tcp", "host"),
    ]
    assert microphone.msid is not None


def test_firefox_with_bundle_only_and_a_session_fingerprint() -> None:
    offer = parse_offer(read("firefox_esr_153"))
    assert [line.rejected for line in offer.media] == [False] * 3
    assert [line.port for line in offer.audio] == [9, 0, 0]
    assert offer.audio[0].extensions[1].direction == "recvonly"
    assert offer.audio[1].codecs[0].payload_type == 109
    assert offer.ice.ufrag == "a42bbe2e"
    assert [line.ice for line in offer.audio[1:]] == [None, None]
    assert [fingerprint.algorithm for fingerprint in offer.fingerprints] == ["sha-256"]
    assert offer.fingerprints == offer.audio[1].fingerprints


def test_aiortc_with_three_hashes() -> None:
    offer = parse_offer(read("aiortc_1_16"))
    assert [fingerprint.algorithm for fingerprint in offer.fingerprints] == ["sha-256", "sha-384", "sha-512"]
    assert [line.direction for line in offer.audio] == ["sendrecv", "recvonly"]


def test_video_and_data_are_there_but_not_in_the_audio() -> None:
    offer = parse_offer(read("chromium_156_video_data"))
    assert [line.kind for line in offer.media] == ["audio", "video", "application"]
    assert [line.kind for line in offer.audio] == ["audio"]
    assert offer.media[2].formats == ("webrtc-datachannel",)
    assert offer.media[2].codecs == ()


@pytest.mark.parametrize("name", NAMES)
def test_line_ends_may_be_lf_alone_rfc_8866_section_5(name: str) -> None:
    assert parse_offer(read(name).replace("\r\n", "\n")) == parse_offer(read(name))


# -- the clauses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "\r\n", "v=1\r\n", "o=- 1 1 IN IP4 0.0.0.0\r\n", "v=0\r\nhello\r\n", "v=0\r\na=x\x00y\r\n", "v=0\na=x\ry\n"],
)
def test_what_is_no_sdp_is_refused_rfc_8866_section_9(text: str) -> None:
    assert refusal(text) == "bad_sdp"


def test_lone_surrogates_are_refused() -> None:
    assert refusal(one_line("a=x:\ud800")) == "bad_sdp"


def test_unknown_lines_and_attributes_are_skipped_rfc_8866_section_5() -> None:
    assert parse_offer(one_line("x=what", "a=never-heard-of:1")) == parse_offer(one_line())


def test_jsep_asks_for_no_more_than_these_lines_rfc_8829_and_rfc_9429() -> None:
    offer = parse_offer(one_line())
    assert offer.ice == IceParameters("abcd", "0123456789012345678901")
    assert offer.audio == offer.media


def test_an_offer_has_at_most_64_kib() -> None:
    room = MAX_BYTES - len(one_line("a=x:"))
    assert parse_offer(one_line("a=x:" + "é" * (room // 2)))
    assert refusal(one_line("a=x:" + "é" * (room // 2 + 1))) == "bad_sdp"


def test_an_offer_has_at_most_64_m_lines() -> None:
    lines = [line for _ in range(MAX_MEDIA) for line in audio()]
    assert refusal(document(*TRANSPORT, *lines, *audio())) == "bad_sdp"
    assert len(parse_offer(document(*TRANSPORT, *lines)).media) == MAX_MEDIA


@pytest.mark.parametrize(
    "line",
    [
        "m=audio",
        "m=audio 9",
        "m=audio 9 RTP/SAVPF",
        "m=audio x RTP/SAVPF 1",
        "m=audio 70000 RTP/SAVPF 1",
        "m=a/b 1 c d",
    ],
)
def test_a_broken_m_line_is_refused_rfc_8866_section_5_14(line: str) -> None:
    assert refusal(document(line)) == "bad_sdp"


@pytest.mark.parametrize("protocol", ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF"])
def test_profiles_that_are_taken(protocol: str) -> None:
    assert parse_offer(document(*TRANSPORT, *audio(protocol=protocol))).audio[0].protocol == protocol


@pytest.mark.parametrize("lines", [audio(protocol="RTP/AVP"), audio(port=0), [], ["m=video 9 RTP/SAVPF 96", "a=mid:0"]])
def test_without_audio_that_can_be_taken_there_is_no_call(lines: list[str]) -> None:
    assert refusal(document(*TRANSPORT, *lines)) == "no_audio"


def test_rtcp_mux_is_needed_rfc_5761() -> None:
    assert refusal(document(*TRANSPORT, "m=audio 9 RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2")) == "no_audio"
    with_bundle = document("a=group:BUNDLE 0", *TRANSPORT, "m=audio 9 RTP/SAVPF 111", "a=mid:0")
    assert refusal(with_bundle) == "no_audio"


def test_rtcp_mux_counts_for_the_whole_bundle_rfc_8859() -> None:
    text = document(BUNDLE_OF_TWO, *TRANSPORT, *audio("a=mid:a"), "m=audio 0 RTP/SAVPF 111", "a=bundle-only", "a=mid:b")
    assert [line.mid for line in parse_offer(text).audio] == ["a", "b"]


@pytest.mark.parametrize(
    ("session", "media", "direction"),
    [
        ((), (), "sendrecv"),
        (("a=recvonly",), (), "recvonly"),
        (("a=sendrecv",), ("a=inactive",), "inactive"),
        ((), ("a=sendonly",), "sendonly"),
    ],
)
def test_direction_by_media_then_session_rfc_8866_section_6_7(
    session: tuple[str, ...], media: tuple[str, ...], direction: Direction
) -> None:
    assert parse_offer(document(*session, *TRANSPORT, *audio(*media))).audio[0].direction == direction


# bundle and mid


@pytest.mark.parametrize("mid", ["", "a b", "x" * 65, "é"])
def test_a_mid_is_a_short_token_rfc_5888(mid: str) -> None:
    assert refusal(document(*TRANSPORT, *audio(f"a=mid:{mid}"))) == "bad_sdp"


def test_duplicate_mids_are_refused() -> None:
    assert refusal(document(*TRANSPORT, *audio("a=mid:a"), *audio("a=mid:a"))) == "bad_sdp"


def test_without_bundle_the_first_audio_line_stands_alone_and_is_named_by_its_index() -> None:
    offer = parse_offer(document(*TRANSPORT, *audio("a=mid:1"), *audio()))
    assert offer.bundle == ()
    assert [(line.mid, line.named) for line in offer.media] == [("1", True), ("1_", False)]
    assert [line.index for line in offer.audio] == [0]


def test_bundle_only_needs_a_bundle_rfc_9143_section_6() -> None:
    assert refusal(document(*TRANSPORT, *audio("a=bundle-only", port=0))) == "no_audio"


def test_lines_outside_of_the_bundle_are_left_out_rfc_9143() -> None:
    text = document("a=group:BUNDLE b ghost", *TRANSPORT, *audio("a=mid:a"), *audio("a=mid:b"), *audio())
    offer = parse_offer(text)
    assert offer.bundle == ("b",)
    assert [line.mid for line in offer.audio] == ["b"]


def test_the_bundle_with_audio_is_taken() -> None:
    video = ["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:v", "a=rtcp-mux"]
    two = document("a=group:LS v a", "a=group:BUNDLE v", "a=group:BUNDLE a", *TRANSPORT, *video, *audio("a=mid:a"))
    assert parse_offer(two).bundle == ("a",)
    alone = document("a=group:BUNDLE v", *TRANSPORT, *video, *audio("a=mid:a"))
    assert parse_offer(alone).bundle == ()
    assert [line.mid for line in parse_offer(alone).audio] == ["a"]


def test_the_first_accepted_line_of_the_group_states_the_transport_rfc_9143_section_7_3_1() -> None:
    def transport(mark: str) -> list[str]:
        return [f"a=ice-ufrag:{mark * 4}", f"a=ice-pwd:{mark * 22}", f"a=fingerprint:{FINGERPRINT}", "a=setup:active"]

    video = ["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:v", "a=rtcp-mux", *transport("v")]
    text = document("a=group:BUNDLE v b a", *video, *audio("a=mid:a", *transport("a")), *audio("a=mid:b"))
    assert parse_offer(text).ice.ufrag == "aaaa"
    text = document("a=group:BUNDLE v b a", *video, *audio("a=mid:a"), *audio("a=mid:b", *transport("b")))
    assert parse_offer(text).ice.ufrag == "bbbb"
    text = document("a=group:BUNDLE v b a", *video, *audio("a=mid:a"), *audio("a=mid:b"))
    assert parse_offer(text).ice.ufrag == "vvvv"


def test_a_number_means_one_thing_in_a_bundle_rfc_9143_sections_9_1_1_and_12() -> None:
    other = ["m=audio 9 RTP/SAVPF 111", "a=mid:b"]
    head = (BUNDLE_OF_TWO, *TRANSPORT)
    assert refusal(document(*head, *audio("a=mid:a"), *other, "a=rtpmap:111 PCMU/8000")) == "bad_sdp"
    assert refusal(document(*head, *audio("a=mid:a", "a=extmap:1 urn:x"), *other, "a=extmap:1 urn:y")) == "bad_sdp"


# transport


@pytest.mark.parametrize(
    "attributes",
    [
        (),
        ("a=ice-ufrag:abcd",),
        ("a=ice-pwd:0123456789012345678901",),
        ("a=ice-ufrag:abc", "a=ice-pwd:0123456789012345678901"),
        ("a=ice-ufrag:abcd", "a=ice-pwd:012345678901234567890"),
        ("a=ice-ufrag:ab:d", "a=ice-pwd:0123456789012345678901"),
    ],
)
def test_ice_credentials_are_needed_and_have_their_lengths_rfc_8839_section_5_4(attributes: tuple[str, ...]) -> None:
    assert refusal(document(f"a=fingerprint:{FINGERPRINT}", *audio(*attributes))) == "bad_sdp"


def test_ice_lite_is_noticed_rfc_8839() -> None:
    assert parse_offer(document("a=ice-lite", *TRANSPORT, *audio())).ice_lite


def test_fingerprints_are_folded_to_one_spelling_rfc_8122_section_5() -> None:
    lower = FINGERPRINT.replace("sha", "SHA").replace("AB", "ab")
    text = document(*TRANSPORT[:2], f"a=fingerprint:{lower}", "a=fingerprint:sha-1 AB:CD", *audio())
    assert parse_offer(text).fingerprints == (Fingerprint("sha-256", ":".join(["AB"] * 32)),)


@pytest.mark.parametrize(
    "value", [None, "", "sha-256", "sha-256 AB:CD", "sha-1 AB:CD", "md5 AB", "sha-256 " + "AB" * 32, "sha-512 XY"]
)
def test_a_weak_broken_or_missing_fingerprint_is_refused_rfc_8122(value: str | None) -> None:
    lines = [] if value is None else [f"a=fingerprint:{value}"]
    assert refusal(document(*TRANSPORT[:2], *lines, *audio())) == "bad_fingerprint"


def test_one_bundle_has_one_certificate_rfc_8842() -> None:
    other = FINGERPRINT.replace("AB", "CD")
    text = document(BUNDLE_OF_TWO, *TRANSPORT, *audio("a=mid:a"), *audio("a=mid:b", f"a=fingerprint:{other}"))
    assert refusal(text) == "bad_fingerprint"


@pytest.mark.parametrize("setup", ["actpass", "active", "passive", "holdconn"])
def test_setup_is_read_rfc_4145(setup: str) -> None:
    assert parse_offer(document(*TRANSPORT[:3], *audio(f"a=setup:{setup}"))).setup == setup


def test_setup_is_active_by_default_and_nothing_else_goes_rfc_4145_section_4() -> None:
    assert parse_offer(document(*TRANSPORT[:3], *audio())).setup == "active"
    assert refusal(document(*TRANSPORT[:3], *audio("a=setup:maybe"))) == "bad_sdp"


# formats, extensions, streams


def test_codecs_come_in_the_order_of_the_m_line_rfc_7587() -> None:
    attributes = (
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:111 other/1",
        "a=rtpmap:99 not-listed/8000",
        "a=fmtp:0",
        "a=fmtp:0 x",
    )
    text = document(*TRANSPORT, *audio(*attributes, formats="0 111 0 5"))
    assert parse_offer(text).audio[0].codecs == (Codec(0, "PCMU", 8000, 1, "x"), Codec(111, "opus", 48_000, 2))


@pytest.mark.parametrize("rtpmap", ["", "x opus/48000", "128 opus/48000/2", "111 opus", "111 opus/x", "٣ opus/48000"])
def test_a_broken_rtpmap_is_refused_rfc_8866_section_6_6(rtpmap: str) -> None:
    assert refusal(one_line(f"a=rtpmap:{rtpmap}")) == "bad_sdp"


def test_extensions_with_direction_and_from_the_session_rfc_8285_section_5() -> None:
    text = document(
        "a=extmap:3 urn:s", *TRANSPORT, *audio("a=extmap:2/recvonly urn:r", "a=extmap:4096 urn:x attributes")
    )
    assert parse_offer(text).audio[0].extensions == (
        Extension(3, "urn:s"),
        Extension(2, "urn:r", "recvonly"),
        Extension(4096, "urn:x"),
    )


@pytest.mark.parametrize("extmap", ["", "1", "0 urn:x", "4352 urn:x", "1/both urn:x", "x urn:x"])
def test_a_broken_extmap_is_refused_rfc_8285(extmap: str) -> None:
    assert refusal(one_line(f"a=extmap:{extmap}")) == "bad_sdp"


def test_an_extension_id_stands_for_one_thing_rfc_8285() -> None:
    assert refusal(one_line("a=extmap:1 urn:x", "a=extmap:1 urn:y")) == "bad_sdp"


def test_ssrcs_once_each_rfc_5576() -> None:
    attributes = ("a=ssrc:7 cname:x", "a=ssrc:7 msid:a b", "a=ssrc:4294967295")
    assert parse_offer(one_line(*attributes)).audio[0].ssrcs == (7, 2**32 - 1)


@pytest.mark.parametrize("ssrc", ["", "x cname:y", "4294967296 cname:y", "-1 cname:y"])
def test_a_broken_ssrc_is_refused_rfc_5576(ssrc: str) -> None:
    assert refusal(one_line(f"a=ssrc:{ssrc}")) == "bad_sdp"


@pytest.mark.parametrize(
    ("value", "offered"),
    [("rcvr-rtt=all", True), ("pkt-loss-rle rcvr-rtt=sender:99", True), ("stat-summary=loss", False)],
)
def test_receiver_rtt_reports_rfc_3611_section_5(value: str, offered: bool) -> None:
    assert parse_offer(one_line(f"a=rtcp-xr:{value}")).audio[0].rtcp_xr is offered


def test_reduced_size_rtcp_rfc_5506() -> None:
    assert parse_offer(one_line("a=rtcp-rsize")).audio[0].rtcp_rsize
    assert not parse_offer(one_line()).audio[0].rtcp_rsize


# -- candidates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "a="])
def test_a_candidate_rfc_8839_section_5_1(prefix: str) -> None:
    assert parse_candidate(prefix + CANDIDATE) == Candidate("1", 1, "udp", 2_122_252_543, "192.0.2.1", 34_052, "host")


def test_a_candidate_may_be_a_name_and_is_not_looked_up() -> None:
    text = "candidate:1 1 udp 1 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 9 typ srflx raddr 0.0.0.0 rport 0"
    assert parse_candidate(text).address.endswith(".local")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        CANDIDATE.replace("host", "guest"),
        CANDIDATE.replace(" 34052 ", " 65536 "),
        CANDIDATE.replace("1 1 UDP", "1 257 UDP"),
        CANDIDATE.replace("2122252543", "4294967296"),
        CANDIDATE.replace("192.0.2.1", "<script>"),
    ],
)
def test_a_broken_candidate_is_refused(text: str) -> None:
    with pytest.raises(BadOffer) as caught:
        parse_candidate(text)
    assert caught.value.code == "bad_sdp"


def test_no_more_than_30_candidates_are_looked_at() -> None:
    good, bad = f"a={CANDIDATE}", "a=candidate:nonsense"
    text = document(
        BUNDLE_OF_TWO, *TRANSPORT, *audio("a=mid:a", *[good] * 20), *audio("a=mid:b", *[good] * 10, *[bad] * 500)
    )
    assert sum(len(line.candidates) for line in parse_offer(text).media) == MAX_CANDIDATES
    assert refusal(one_line(bad)) == "bad_sdp"


# -- any text -------------------------------------------------------------------------------------------------------


def read_or_code(text: str) -> Offer | str:
    try:
        return parse_offer(text)
    except BadOffer as refused:
        return refused.code


def try_to_read(text: str) -> None:
    """Whatever the text is: an offer that keeps its promises, or `BadOffer`."""
    offer = read_or_code(text)
    if isinstance(offer, str):
        assert offer in {"bad_sdp", "bad_fingerprint", "no_audio"}
        return
    assert offer.audio
    assert offer.fingerprints
    assert [line.index for line in offer.media] == list(range(len(offer.media)))
    assert len({line.mid for line in offer.media}) == len(offer.media)


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_a_mutated_offer_is_read_or_refused(name: str, seed: int) -> None:
    try_to_read(mutate_lines(read(name), random.Random(seed)))


@given(text=st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda data: data.decode("latin-1"))))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try_to_read(text)
    try_to_read("v=0\r\n" + text)
    try_to_read(one_line("a=" + text))


@given(text=st.text(max_size=100))
@settings(max_examples=100, deadline=None)
def test_any_candidate_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"candidate:{text}", CANDIDATE.replace("typ", text)):
        with contextlib.suppress(BadOffer):
            assert parse_candidate(candidate).port < 65_536
