"""RFC 8840 section 9 and RFC 9725 section 4.3: fragments as clients send them, and as we do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.offer import MAX_CANDIDATES, IceParameters
from sfu.sdp import parse_offer
from signaling.errors import ClientMistake
from signaling.protocol.whip import (
    MOST_BYTES,
    WHEP,
    WHIP,
    Way,
    check_match,
    entity_tag,
    finished,
    fragment_of,
    link_headers,
    one_way_offer,
    parse_fragment,
    restarted,
    username_of,
)
from tests.sfu.offers import NAMES, one_line, read

PASSWORD = "vw5LmwG4y/e6dPP/zAP9Gp5k"
RESTART = (
    "a=ice-options:trickle ice2\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    f"a=ice-ufrag:ysXw\r\na=ice-pwd:{PASSWORD}\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"
    "a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw\r\n"
    "a=end-of-candidates\r\n"
)
ANSWER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=group:BUNDLE 0\r\na=ice-lite\r\na=ice-options:trickle ice2\r\n"
    "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=inactive\r\n"
    "m=audio 7882 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 192.0.2.9\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\n"
    f"a=ice-ufrag:ours\r\na=ice-pwd:{PASSWORD}\r\na=setup:passive\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.9 7882 typ host\r\na=end-of-candidates\r\n"
)


def test_rfc_9725_section_4_3_3_the_example_of_a_restart_is_read() -> None:
    fragment = parse_fragment(RESTART.encode())
    assert fragment.ice == IceParameters("ysXw", PASSWORD)
    assert [one.split()[2] for one in fragment.candidates] == ["udp", "tcp"]
    assert fragment.restarts("EsAw")
    assert not fragment.restarts("ysXw"), "candidates of the ICE session that there is"


def test_a_fragment_may_leave_the_parameters_out_and_lines_may_end_as_in_unix() -> None:
    for body in (b"", b"a=end-of-candidates\n", b"a=candidate:\n", b"m=audio 9 RTP/AVP 0\na=mid:0\n"):
        fragment = parse_fragment(body)
        assert (fragment.ice, fragment.candidates) == (None, ())
        assert not fragment.restarts("EsAw")


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"v=0\r\n",
        b"\xff\xfe",
        b"a=ice-ufrag:EsAw\r\n",
        b"a=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n",
        b"a=ice-ufrag:E\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n",
        b"a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n",
        b"a=ice-ufrag:EsAw\r\na=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n",
        b"a=candidate:1 1 udp\r\n",
        b"a=x\x00y\r\n",
    ],
)
def test_what_is_no_fragment_is_refused(body: bytes) -> None:
    with pytest.raises(ClientMistake) as refused:
        parse_fragment(body)
    assert refused.value.code == "bad_sdp"


def test_a_fragment_has_its_size() -> None:
    with pytest.raises(ClientMistake) as refused:
        parse_fragment(b"a=x\n" * (MOST_BYTES // 4 + 1))
    assert refused.value.code == "too_large"
    many = [f"a=candidate:{one} 1 udp 1 192.0.2.1 9 typ host\n" for one in range(100)]
    assert len(parse_fragment("".join(many).encode()).candidates) == MAX_CANDIDATES


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from([*RESTART.splitlines(True), ANSWER])).map("".join)))
def test_no_bytes_raise_past_the_parser(body: bytes | str) -> None:
    try:
        parse_fragment(body if isinstance(body, bytes) else body.encode())
    except ClientMistake as mistake:
        assert mistake.code == "bad_sdp"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("name", NAMES)
def test_rfc_8839_section_4_4_1_a_restarted_offer_differs_in_ice_alone(name: str) -> None:
    before = parse_offer(read(name))
    after = parse_offer(restarted(read(name), IceParameters("ysXw", PASSWORD)))
    assert after.ice == IceParameters("ysXw", PASSWORD)
    assert (after.fingerprints, after.bundle, after.setup) == (before.fingerprints, before.bundle, before.setup)
    assert [line.codecs for line in after.media] == [line.codecs for line in before.media]
    assert not any(line.candidates for line in after.media)


def test_rfc_9725_section_4_3_3_our_fragment_has_what_the_answer_says_of_ice() -> None:
    assert fragment_of(ANSWER).splitlines() == [
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "a=ice-options:trickle ice2",
        "m=audio 7882 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        "a=ice-ufrag:ours",
        f"a=ice-pwd:{PASSWORD}",
        "a=candidate:1 1 udp 2130706431 192.0.2.9 7882 typ host",
        "a=end-of-candidates",
    ]
    assert parse_fragment(fragment_of(ANSWER).encode()).ice == IceParameters("ours", PASSWORD)


def test_an_ice_session_is_named_by_its_username() -> None:
    assert username_of(ANSWER) == "ours"
    assert username_of("v=0\r\n") == ""


ONE_LINE = one_line()


def turned(direction: str, text: str = ONE_LINE) -> bytes:
    """The offer with this direction on its line."""
    return text.replace("a=sendrecv", f"a={direction}").encode()


@pytest.mark.parametrize("way", [WHIP, WHEP])
@pytest.mark.parametrize("same", ["own", "sendrecv"])
def test_rfc_9725_section_4_2_sendrecv_is_taken_for_the_one_way(way: Way, same: str) -> None:
    offered = way.direction if same == "own" else same
    offer = parse_offer(one_way_offer(turned(offered), way))
    assert [line.direction for line in offer.audio] == [way.direction]
    assert offer.ice == parse_offer(ONE_LINE).ice


@pytest.mark.parametrize(("way", "wrong"), [(WHIP, "recvonly"), (WHIP, "inactive"), (WHEP, "sendonly")])
def test_rfc_9725_section_4_2_the_other_way_is_refused(way: Way, wrong: str) -> None:
    with pytest.raises(ClientMistake) as refused:
        one_way_offer(turned(wrong), way)
    assert refused.value.code == "bad_sdp"


def test_a_direction_of_the_session_is_turned_too() -> None:
    text = ONE_LINE.replace("a=sendrecv\r\n", "").replace("t=0 0\r\n", "t=0 0\r\na=sendrecv\r\n")
    assert [line.direction for line in parse_offer(one_way_offer(text.encode(), WHEP)).audio] == ["recvonly"]
    silent = ONE_LINE.replace("a=sendrecv\r\n", "")
    assert [line.direction for line in parse_offer(one_way_offer(silent.encode(), WHIP)).audio] == ["sendonly"]


def test_rfc_9725_section_4_4_2_one_voice_is_published_and_many_are_heard() -> None:
    two = read("chromium_156").replace("a=sendrecv", "a=sendonly").replace("a=recvonly", "a=sendonly")
    assert len(parse_offer(two).audio) > 1
    with pytest.raises(ClientMistake, match="one voice"):
        one_way_offer(two.encode(), WHIP)
    heard = one_way_offer(two.replace("a=sendonly", "a=recvonly").encode(), WHEP)
    assert {line.direction for line in parse_offer(heard).audio} == {"recvonly"}


@pytest.mark.parametrize("bare", ["OPUS/48000", "opus/48000 "])
def test_rfc_7587_section_7_opus_without_its_channels_is_what_gstreamer_says(bare: str) -> None:
    text = ONE_LINE.replace("opus/48000/2", bare)
    codecs = parse_offer(one_way_offer(text.encode(), WHIP)).audio[0].codecs
    assert ("opus", 48_000, 2) in [(one.name.lower(), one.clock_rate, one.channels) for one in codecs]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_sdp"),
        (b"\xff", "bad_sdp"),
        (b"v=0\r\n", "no_audio"),
        (ONE_LINE.replace("opus/48000/2", "speex/8000").encode(), "no_codec"),
        (ONE_LINE.replace("a=setup:actpass", "a=setup:holdconn").encode(), "bad_sdp"),
        (b"v=0\r\n" + b"a=x\r\n" * (MOST_BYTES // 5), "too_large"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_anybody_joins(body: bytes, code: str) -> None:
    with pytest.raises(ClientMistake) as refused:
        one_way_offer(body, WHIP)
    assert refused.value.code == code


@given(st.binary(max_size=200), st.lists(st.sampled_from(ONE_LINE.splitlines(True)), max_size=40))
def test_no_bytes_raise_past_the_parser_of_whip(noise: bytes, lines: list[str]) -> None:
    for body in (noise, "".join(lines).encode(), b"v=0\r\n" + noise):
        try:
            one_way_offer(body, WHIP)
        except ClientMistake as mistake:
            assert mistake.code in ("bad_sdp", "no_audio", "no_codec")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("name", NAMES)
def test_whatever_can_be_answered_keeps_its_lines(name: str) -> None:
    before = parse_offer(read(name))
    text = read(name)
    for direction in ("sendrecv", "sendonly", "inactive"):
        text = text.replace(f"a={direction}\r\n", "a=recvonly\r\n")
    after = parse_offer(one_way_offer(text.encode(), WHEP))
    assert [line.mid for line in after.media] == [line.mid for line in before.media]
    assert {line.direction for line in after.media} == {"recvonly"}


def test_rfc_8858_section_3_what_is_multiplexed_only_is_said_back() -> None:
    answer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtcp-mux\r\n"
    assert finished(answer, "a=rtcp-mux\r\na=rtcp-mux-only\r\n").endswith("a=rtcp-mux\r\na=rtcp-mux-only\r\n")
    assert finished(answer, "a=rtcp-mux\r\n") == answer


def test_rfc_9725_section_4_3_1_the_tag_names_the_ice_session() -> None:
    assert entity_tag("v=0\r\na=ice-ufrag:ab+/\r\n") == '"ab+/"'


@pytest.mark.parametrize("header", ['"one"', '"two", "one"', ' "one" ', "*", '"*"'])
def test_rfc_9110_section_13_1_1_if_match_holds(header: str) -> None:
    check_match(header, '"one"')


@pytest.mark.parametrize("header", ['"two"', 'W/"one"', "one", "", '"one', ","])
def test_rfc_9110_section_13_1_1_if_match_does_not_hold(header: str) -> None:
    with pytest.raises(ClientMistake) as refused:
        check_match(header, '"one"')
    assert refused.value.code == "stale"


def test_rfc_6585_section_3_without_if_match() -> None:
    with pytest.raises(ClientMistake) as refused:
        check_match(None, '"one"')
    assert refused.value.row.status == 428


@given(st.text(max_size=60))
def test_no_header_raises_anything_else(header: str) -> None:
    try:
        check_match(header, '"one"')
    except ClientMistake as mistake:
        assert mistake.code == "stale"  # noqa: PT017 - either outcome is right


def test_rfc_9725_section_4_6_servers_are_links_of_rfc_8288() -> None:
    servers = [
        {"urls": ["stun:stun.example.net", "stun:other.example.net"]},
        {"urls": "turn:turn.example.net?transport=udp", "username": 'a"b', "credential": "c\\d"},
    ]
    assert link_headers(servers) == [
        '<stun:stun.example.net>; rel="ice-server"',
        '<stun:other.example.net>; rel="ice-server"',
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="a\\"b"; credential="c\\\\d"; '
        'credential-type="password"',
    ]
