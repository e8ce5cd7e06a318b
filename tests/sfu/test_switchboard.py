import socket
from types import SimpleNamespace

import pytest

from sfu.ice import Source
from sfu.mmsg import sockaddr
from sfu.switchboard import Switchboard
from sfu.udp import open_sockets

ADDRESS = ("127.0.0.1", 5004)
HERE = Source(0, ADDRESS)
NAME = sockaddr(socket.AF_INET, *ADDRESS)


@pytest.fixture
def switchboard():
    board = Switchboard(open_sockets(("127.0.0.1",), 0, 1 << 16))
    yield board
    for sock in board.sockets:
        sock.close()


def connection():
    return SimpleNamespace(endpoint=object())


def test_packets_from_a_bound_address_find_their_endpoint(switchboard):
    ana = connection()
    peer = switchboard.bind(ana, HERE)
    assert switchboard.peers[0] == {NAME: peer}
    assert (peer.connection, peer.endpoint, peer.source, peer.selected) == (ana, ana.endpoint, HERE, False)
    switchboard.unbind(peer)
    assert switchboard.peers[0] == {}


def test_an_address_that_another_has_bound_since_stays_theirs(switchboard):
    first = switchboard.bind(connection(), HERE)
    second = switchboard.bind(connection(), HERE)
    switchboard.unbind(first)
    assert switchboard.peers[0] == {NAME: second}


def test_who_proves_to_be_there_still_has_it_back(switchboard):
    first = switchboard.bind(connection(), HERE)
    switchboard.bind(connection(), HERE)
    switchboard.claim(first)
    assert switchboard.peers[0] == {NAME: first}


def test_what_is_sent_arrives_and_is_counted(switchboard):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        to = Source(0, receiver.getsockname())
        switchboard.send(b"hello", to)
        assert receiver.recv(100) == b"hello"
        assert switchboard.pin(to).name == sockaddr(socket.AF_INET, *receiver.getsockname())
    assert switchboard.sending(to) is switchboard.sockets[0].sending
    assert switchboard.counters() == {"packets_out": 1, "octets_out": 0, "packets_out_failed": 0}
