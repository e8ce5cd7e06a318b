import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.demux import DTLS, OTHER, RTCP, RTP, STUN, classify, classify_datagram


def test_rfc7983_7_every_first_byte_has_one_kind():
    kinds = [classify(byte) for byte in range(256)]
    assert kinds == [STUN] * 4 + [OTHER] * 16 + [DTLS] * 44 + [OTHER] * 64 + [RTP] * 64 + [OTHER] * 64


@pytest.mark.parametrize(
    ("second", "kind"), [(111, RTP), (0x80 | 111, RTP), (191, RTP), (192, RTCP), (200, RTCP), (223, RTCP), (224, RTP)]
)
def test_rfc5761_4_rtcp_is_told_by_the_second_byte(second, kind):
    assert classify_datagram(bytes([0x80, second, 0, 0])) == kind


def test_an_empty_datagram_is_nothing():
    assert classify_datagram(b"") == OTHER
    assert classify_datagram(b"\x80") == RTP


@given(st.binary(max_size=40))
def test_any_datagram_has_a_kind(datagram):
    assert classify_datagram(datagram) in (OTHER, STUN, DTLS, RTP, RTCP)
    assert classify_datagram(memoryview(datagram)) == classify_datagram(datagram)
