"""Whose packets come from where, and the way to each: sockets, bound addresses, and our ICE username fragments.

Only an authentic check binds an address. An address may be bound by a second connection later (a NAT that has given the
port to somebody else); it is then that one's, until the first proves with a check of its own that it is still there.
"""

from typing import TYPE_CHECKING

from sfu.forward import SendingSocket
from sfu.ice import Source
from sfu.mmsg import PinnedSockaddr

if TYPE_CHECKING:
    from sfu.connection import Connection
    from sfu.udp import MediaSocket


class Peer:
    """Whose packets come from one address: what the receive loop looks up. `selected` is where we send, too."""

    __slots__ = ("connection", "endpoint", "selected", "source")

    def __init__(self, connection: "Connection", source: Source) -> None:
        """An authentic check has bound `source` to `connection`."""
        self.connection = connection
        self.endpoint = connection.endpoint
        self.source = source
        self.selected = False


class Switchboard:
    """The sockets with their tables of peers. `names` finds a connection by a username fragment of ours."""

    def __init__(self) -> None:
        """Begin without sockets."""
        self.sockets: list[MediaSocket] = []
        self.names: dict[str, Connection] = {}

    def bind(self, connection: "Connection", source: Source) -> Peer:
        """Packets from `source` belong to `connection` from now on."""
        sock, name = self._place(source)
        peer = sock.peers[name] = Peer(connection, source)
        return peer

    def claim(self, peer: Peer) -> None:
        """An authentic check came from an address that `peer` had bound before, and which another may have since."""
        sock, name = self._place(peer.source)
        sock.peers[name] = peer

    def unbind(self, peer: Peer) -> None:
        """Its packets do not come from there any more. What another has bound since stays theirs."""
        sock, name = self._place(peer.source)
        if sock.peers.get(name) is peer:
            del sock.peers[name]

    def pin(self, source: Source) -> PinnedSockaddr:
        """The address for the packet step."""
        return PinnedSockaddr(self._place(source)[1])

    def sending(self, source: Source) -> SendingSocket:
        """The socket through which `source` is reached."""
        return self.sockets[source.socket].sending

    def send(self, data: bytes, to: Source) -> None:
        """Send one datagram."""
        self.sockets[to.socket].send(data, (to.address[0], to.address[1]))

    def counters(self) -> dict[str, int]:
        """Datagrams and octets sent, and what the kernel or libsrtp refused."""
        sending = [sock.sending for sock in self.sockets]
        return {
            "packets_out": sum(one.sent for one in sending),
            "octets_out": sum(one.octets for one in sending),
            "packets_out_failed": sum(one.failed for one in sending),
        }

    def _place(self, source: Source) -> "tuple[MediaSocket, bytes]":
        sock = self.sockets[source.socket]
        return sock, sock.name_of(source.address[0], source.address[1])
