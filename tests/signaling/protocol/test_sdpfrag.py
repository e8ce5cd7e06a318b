"""RFC 8840 section 9 and RFC 9725 section 4.3: fragments as clients send them, and as we do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.offer import MAX_CANDIDATES, IceParameters
from sfu.sdp import parse_offer
from signaling.errors import ClientMistake
from signaling.protocol.sdpfrag import (
    MOST_BYTES,
    fragment_of,
    parse_fragment,
    restarted,
    username_of,
)
from tests.sfu.offers import NAMES, read

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
