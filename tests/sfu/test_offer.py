"""What an offered m-line says of itself."""

from dataclasses import replace

import pytest

from sfu.offer import Direction, Fingerprint, IceParameters, Offer, OfferedMedia

LINE = OfferedMedia(
    index=0,
    kind="audio",
    protocol="UDP/TLS/RTP/SAVPF",
    formats=("111",),
    port=9,
    mid="0",
    named=True,
    direction="sendrecv",
    bundle_only=False,
)


@pytest.mark.parametrize(
    ("direction", "sends", "receives"),
    [("sendrecv", True, True), ("sendonly", True, False), ("recvonly", False, True), ("inactive", False, False)],
)
def test_a_direction_is_the_offerers(direction: Direction, sends: bool, receives: bool) -> None:
    line = replace(LINE, direction=direction)
    assert (line.can_send, line.can_receive) == (sends, receives)


@pytest.mark.parametrize(
    ("port", "bundle_only", "rejected"), [(9, False, False), (0, False, True), (0, True, False), (9, True, False)]
)
def test_port_zero_with_bundle_only_is_no_rejection_rfc_9143_section_6(
    port: int, bundle_only: bool, rejected: bool
) -> None:
    assert replace(LINE, port=port, bundle_only=bundle_only).rejected is rejected


def test_slots_are_the_receiving_lines_in_order() -> None:
    directions: tuple[Direction, ...] = ("recvonly", "sendonly", "inactive", "sendrecv")
    lines = tuple(
        replace(LINE, index=index, mid=str(index), direction=direction) for index, direction in enumerate(directions)
    )
    ice = IceParameters("abcd", "x" * 22)
    offer = Offer(lines, (), lines, ice, False, (Fingerprint("sha-256", "AB"),), "actpass")
    assert [line.mid for line in offer.receivers] == ["0", "3"]
    assert [line.mid for line in offer.senders] == ["1", "3"]


def test_a_password_is_never_printed() -> None:
    assert "secret" not in repr(IceParameters("abcd", "secret" * 4))
