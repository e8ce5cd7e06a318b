import dataclasses

import pytest

from sfu.rtcp import CNAME_ITEM, ExtendedReport, Feedback, Goodbye, ReceiverReport, SenderReport, SourceChunk


def test_rfc3550_6_5_1_the_canonical_name_of_a_chunk():
    assert SourceChunk(1, ((2, b"Ana"), (CNAME_ITEM, b"a@b"))).cname == b"a@b"
    assert SourceChunk(1, ((2, b"Ana"),)).cname is None


@pytest.mark.parametrize(
    "packet",
    [
        SenderReport(1, 2, 3, 4, 5),
        ReceiverReport(1),
        Goodbye((1,)),
        Feedback(206, 1, 2, 3),
        ExtendedReport(1),
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_packets_are_values(packet):
    assert packet == dataclasses.replace(packet)
    assert hash(packet) == hash(dataclasses.replace(packet))
    first = dataclasses.fields(packet)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(packet, first, 0)


def test_rfc4585_6_1_and_rfc3611_2_have_values_of_their_own():
    assert Feedback(205, 15, 1, 2).control == b""
    assert ExtendedReport(7).blocks == ()
