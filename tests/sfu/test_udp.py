import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu import udp
from sfu.errors import PortUnavailable
from sfu.mmsg import host_and_port
from sfu.udp import DTLS, OTHER, PROTOCOLS, RTCP, RTP, STUN, classify, open_sockets

BUFFER = 1 << 18


@pytest.fixture
def opened():
    sockets = []
    yield sockets
    for one in sockets:
        one.close()


def taken_port(address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    holder = socket.socket(family, socket.SOCK_DGRAM)
    holder.bind((address, 0))
    return holder, holder.getsockname()[1]


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_port_0_takes_one_free_port_on_every_address(opened):
    opened += open_sockets(("127.0.0.1", "::1"), 0, BUFFER)
    assert [one.host for one in opened] == ["127.0.0.1", "::1"]
    assert opened[0].port == opened[1].port != 0
    assert [one.index for one in opened] == [0, 1]


def test_a_port_that_is_asked_for_is_taken(opened):
    holder, port = taken_port()
    holder.close()
    opened += open_sockets(("127.0.0.1",), port, BUFFER)
    assert opened[0].port == port


def test_port_0_avoids_what_is_taken_on_the_second_address(opened, monkeypatch):
    holder, taken = taken_port("::1")
    real = socket.socket.getsockname
    first = [taken]

    class Probe(socket.socket):
        def getsockname(self):
            return ("127.0.0.1", first.pop()) if first and self.family == socket.AF_INET else real(self)

    monkeypatch.setattr(udp.socket, "socket", Probe)
    with holder:
        opened += open_sockets(("127.0.0.1", "::1"), 0, BUFFER)
    assert not first
    assert taken not in {one.port for one in opened}


def test_port_0_gives_up_when_every_port_is_taken(monkeypatch):
    def refuse(*_):
        raise PortUnavailable("port_taken", "taken")

    monkeypatch.setattr(udp, "_open_all", refuse)
    with pytest.raises(PortUnavailable, match="taken"):
        open_sockets(("127.0.0.1",), 0, BUFFER)


def test_a_taken_port_is_said_and_nothing_is_left_open():
    holder, port = taken_port("::1")
    before = descriptors()
    with holder, pytest.raises(PortUnavailable, match=rf"{port}/udp cannot be bound on ::1") as caught:
        open_sockets(("127.0.0.1", "::1"), port, BUFFER)
    assert caught.value.code == "port_taken"
    assert descriptors() == before - 1


def test_an_address_that_the_machine_does_not_have_is_passed_over(opened):
    holder, port = taken_port()
    holder.close()
    opened += open_sockets(("192.0.2.77", "127.0.0.1"), port, BUFFER)
    assert [(one.host, one.index) for one in opened] == [("127.0.0.1", 0)]


@pytest.mark.parametrize("addresses", [(), ("192.0.2.77",), ("2001:db8::77",)])
def test_without_any_address_it_does_not_start(addresses):
    with pytest.raises(PortUnavailable) as caught:
        open_sockets(addresses, 34567, BUFFER)
    assert caught.value.code == "no_address"


def test_sockets_of_a_family_share_their_batches(opened):
    opened += open_sockets(("127.0.0.1", "127.0.0.2", "::1"), 0, BUFFER)
    four, other, six = opened
    assert four.receive is other.receive
    assert four.sending.batch is other.sending.batch
    assert four.receive is not six.receive


def test_sockets_do_not_block_and_ipv6_does_not_take_ipv4_as_well(opened):
    opened += open_sockets(("127.0.0.1", "::1"), 0, BUFFER)
    assert not any(one.socket.getblocking() for one in opened)
    assert opened[1].socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_a_datagram_arrives_and_is_counted(opened):
    opened += open_sockets(("127.0.0.1",), 0, BUFFER)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        opened[0].send(b"hello", receiver.getsockname())
        assert receiver.recvfrom(100) == (b"hello", ("127.0.0.1", opened[0].port))
    assert (opened[0].sending.sent, opened[0].sending.failed) == (1, 0)


def test_what_the_kernel_does_not_take_is_counted(opened):
    opened += open_sockets(("127.0.0.1",), 0, BUFFER)
    opened[0].send(bytes(66_000), ("127.0.0.1", 9))
    assert (opened[0].sending.sent, opened[0].sending.failed) == (0, 1)


@pytest.mark.parametrize(("address", "size"), [("127.0.0.1", 16), ("::1", 28)])
def test_an_address_in_the_kernels_form(opened, address, size):
    opened += open_sockets((address,), 0, BUFFER)
    name = opened[0].name_of(address, 4321)
    assert len(name) == size
    assert host_and_port(name) == (address, 4321)


def test_rfc7983_7_every_first_byte_has_one_protocol():
    protocols = [classify(bytes([byte, 111])) for byte in range(256)]
    assert protocols == [STUN] * 4 + [OTHER] * 16 + [DTLS] * 44 + [OTHER] * 64 + [RTP] * 64 + [OTHER] * 64


@pytest.mark.parametrize(
    ("second", "protocol"),
    [(111, RTP), (0x80 | 111, RTP), (191, RTP), (192, RTCP), (200, RTCP), (223, RTCP), (224, RTP)],
)
def test_rfc5761_4_the_second_octet_tells_rtcp_from_rtp(second, protocol):
    assert classify(bytes([0x80, second, 0, 0])) == protocol


def test_an_empty_datagram_has_no_protocol():
    assert classify(b"") == OTHER
    assert classify(b"\x80") == RTP


@given(st.binary(max_size=40))
def test_any_datagram_has_a_protocol(datagram):
    assert classify(memoryview(datagram)) == classify(datagram)
    assert classify(datagram) == (PROTOCOLS[int.from_bytes(datagram[:2].ljust(2, b"\0"))] if datagram else OTHER)
