import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.mmsg import LANE, SEND_LANE, PinnedSockaddr, ReceiveBatch, SendBatch, host_and_port, sockaddr, sockaddr_size

FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def bound(family, host):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


@pytest.fixture(params=FAMILIES, ids=["ipv4", "ipv6"])
def pair(request):
    """Two bound sockets of one family."""
    with bound(*request.param) as one, bound(*request.param) as other:
        yield one, other


def name_of(sock):
    return sockaddr(sock.family, *sock.getsockname()[:2])


def write(batch, lane, data, pinned):
    start, length_at, name_at, _, _ = batch.lanes[lane]
    batch.view[start : start + len(data)] = data
    batch.iovecs[length_at] = len(data)
    batch.heads[name_at] = pinned.address


# -- addresses ------------------------------------------------------------------------------------------------------


@given(st.ip_addresses(), st.integers(0, 0xFFFF))
def test_addresses_survive_the_kernel_s_form(address, port):
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    name = sockaddr(family, str(address), port)
    assert len(name) == sockaddr_size(family)
    assert struct.unpack_from("=H", name)[0] == family
    host, again = host_and_port(name)
    assert socket.inet_pton(family, host) == address.packed
    assert again == port


def test_a_zone_is_an_interface_by_number_or_by_name():
    index, name = socket.if_nameindex()[0]
    for zone in (str(index), name):
        assert sockaddr(socket.AF_INET6, f"fe80::1%{zone}", 9)[24:28] == struct.pack("=I", index)
    assert sockaddr(socket.AF_INET6, "fe80::1", 9)[24:28] == bytes(4)


def test_a_pinned_address_is_a_copy_at_a_fixed_place():
    name = sockaddr(socket.AF_INET, "127.0.0.1", 9)
    one, other = PinnedSockaddr(name), PinnedSockaddr(name)
    assert (one.name, other.name) == (name, name)
    assert one.address != other.address


# -- receiving ------------------------------------------------------------------------------------------------------


def test_receive_fills_lanes_in_order_with_who_sent_them(pair):
    here, there = pair
    batch = ReceiveBatch(here.family, 4)
    assert batch.receive(here.fileno()) == 0
    for number in range(6):
        there.sendto(bytes([number]) * (number + 1), here.getsockname())
    assert batch.receive(here.fileno()) == 4
    assert [bytes(batch.datagrams[lane][: batch.lengths[lane]]) for lane in range(4)] == [
        bytes([number]) * (number + 1) for number in range(4)
    ]
    assert {batch.names[lane].tobytes() for lane in range(4)} == {name_of(there)}
    assert host_and_port(batch.names[0].tobytes()) == there.getsockname()[:2]
    assert batch.receive(here.fileno()) == 2
    assert batch.lengths[1] == 6
    assert batch.receive(here.fileno()) == 0


def test_an_empty_datagram_has_length_0_and_a_long_one_fills_its_lane(pair):
    here, there = pair
    batch = ReceiveBatch(here.family, 2)
    there.sendto(b"", here.getsockname())
    there.sendto(bytes(60_000), here.getsockname())
    assert batch.receive(here.fileno()) == 2
    assert list(batch.lengths) == [0, LANE]


def test_the_length_pointer_is_the_length_that_is_read():
    batch = ReceiveBatch(socket.AF_INET, 2)
    batch.length_pointers[1][0] = 77
    assert batch.lengths[1] == 77


# -- sending --------------------------------------------------------------------------------------------------------


def test_send_sends_the_first_lanes_at_once(pair):
    here, there = pair
    batch = SendBatch(here.family, 4)
    pinned = PinnedSockaddr(name_of(there))
    for lane in range(4):
        write(batch, lane, bytes([lane]) * (lane + 1), pinned)
    assert batch.send(here.fileno(), 3) == 3
    assert [there.recvfrom(100) for _ in range(3)] == [(bytes([n]) * (n + 1), here.getsockname()) for n in range(3)]
    with pytest.raises(BlockingIOError):
        there.recv(100)


@pytest.mark.parametrize("refused", [(0,), (1,), (3,), (0, 1), (1, 3), (0, 1, 2, 3), (0, 2)])
def test_one_that_the_kernel_refuses_is_passed_over(refused):
    with bound(*FAMILIES[0]) as here, bound(*FAMILIES[0]) as there:
        batch = SendBatch(socket.AF_INET, 4)
        good = PinnedSockaddr(name_of(there))
        bad = PinnedSockaddr(sockaddr(socket.AF_INET, "127.0.0.1", 0))
        for lane in range(4):
            write(batch, lane, bytes([lane]), bad if lane in refused else good)
        assert batch.send(here.fileno(), 4) == 4 - len(refused)
        came = [there.recv(100) for _ in range(4 - len(refused))]
        assert came == [bytes([lane]) for lane in range(4) if lane not in refused]


def test_a_lane_to_send_from_is_longer_than_one_to_receive_in():
    batch = SendBatch(socket.AF_INET, 2)
    assert SEND_LANE >= LANE + 12 + 4 + 257 + 16
    assert len(batch.view) == 2 * SEND_LANE
    assert batch.lanes[1][0] == SEND_LANE


def test_the_length_for_libsrtp_is_the_iovec_s_own():
    batch = SendBatch(socket.AF_INET, 2)
    _, length_at, _, packet, length = batch.lanes[1]
    batch.iovecs[length_at] = 100
    assert length[0] == 100
    length[0] += 16
    assert batch.iovecs[length_at] == 116
    assert packet == batch.pointers[1]
