"""Maps addresses to connections: sockets, peers, ICE username fragments.

Only an authentic check binds an address. A second connection may bind the same address later (a NAT that has given the
port to another client). It then owns the address, until a check of the first proves that it is still there.
"""

from collections.abc import Sequence

from sfu.answer import HostCandidate
from sfu.forward import SendingSocket
from sfu.ice import Source
from sfu.mmsg import PinnedSockaddr
from sfu.peer import Peer, PeerOwner
from sfu.udp import MediaSocket


class Switchboard:
    """The sockets, and the peers of each by the kernel's form of their address.

    `names` finds a connection by one of our username fragments.
    """

    def __init__(self, sockets: Sequence[MediaSocket] = ()) -> None:
        """Begin with these sockets, and without peers. `advertised` are the addresses that answers name."""
        self.advertised: tuple[str, ...] = ()
        self.names: dict[str, PeerOwner] = {}
        self.use(sockets)

    def use(self, sockets: Sequence[MediaSocket]) -> None:
        """Go on with other sockets, or with none."""
        self.sockets = sockets
        self.peers: list[dict[bytes, Peer]] = [{} for _ in sockets]

    @property
    def port(self) -> int:
        """The media port; 0 without sockets."""
        return self.sockets[0].port if self.sockets else 0

    def candidates(self) -> list[HostCandidate]:
        """The candidates that answers name, the first address first."""
        return [HostCandidate(address, self.port) for address in self.advertised]

    def bind(self, connection: PeerOwner, source: Source) -> Peer:
        """Packets from `source` belong to `connection` from now on."""
        peers, name = self._place(source)
        peer = peers[name] = Peer(connection, source)
        return peer

    def claim(self, peer: Peer) -> None:
        """An authentic check came from the address of `peer`, which another peer may have bound since."""
        peers, name = self._place(peer.source)
        peers[name] = peer

    def unbind(self, peer: Peer) -> None:
        """Forget the address of `peer`, unless another peer has bound it since."""
        peers, name = self._place(peer.source)
        if peers.get(name) is peer:
            del peers[name]

    def pin(self, source: Source) -> PinnedSockaddr:
        """The address for the packet step."""
        return PinnedSockaddr(self._name(source))

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

    def _place(self, source: Source) -> tuple[dict[bytes, Peer], bytes]:
        return self.peers[source.socket], self._name(source)

    def _name(self, source: Source) -> bytes:
        return self.sockets[source.socket].name_of(source.address[0], source.address[1])
