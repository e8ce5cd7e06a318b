"""RFC 9725 (WHIP) and its sibling WHEP: what offers may be, and what headers mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    link_headers,
    one_way_offer,
)
from tests.sfu.offers import NAMES, one_line, read

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
def test_no_bytes_raise_past_the_parser(noise: bytes, lines: list[str]) -> None:
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
