"""The media port: one non-blocking UDP socket for each local address, all on the same port.

With a wildcard socket replies would leave from the wrong address, and one family must survive without the other, so
each address has a socket of its own; an endpoint is answered on the socket that its check came in on. The one rule here
is which protocol a datagram of the port belongs to.
"""

import errno
import socket

from sfu.errors import PortUnavailable
from sfu.forward import SendingSocket
from sfu.mmsg import ReceiveBatch, SendBatch, sockaddr

OTHER = 0
STUN = 1
DTLS = 2
RTP = 3
RTCP = 4


_RTP_OR_RTCP = bytes(RTCP if 192 <= second <= 223 else RTP for second in range(256))
"""By the second octet."""


def _protocols(first: int) -> bytes:
    """The protocols that begin with this octet, by the second one."""
    if 128 <= first <= 191:
        return _RTP_OR_RTCP
    return bytes([STUN if first <= 3 else DTLS if 20 <= first <= 63 else OTHER]) * 256


PROTOCOLS = b"".join(map(_protocols, range(256)))
"""The protocol of a datagram whose first two octets are the index, big-endian.

RFC 7983 section 7 reads the first octet; ZRTP, TURN and QUIC are OTHER. RFC 5761 section 4 reads the second one: 192 to
223 are RTCP packet types, as RTP payload types 64 to 95 are not used with a marker bit under rtcp-mux.
"""

_FREE_PORT_TRIES = 20


def classify(datagram: bytes | bytearray | memoryview) -> int:
    """The protocol of a whole datagram. An empty one is OTHER; one octet of RTP is RTP, which its parser refuses."""
    if not datagram:
        return OTHER
    return PROTOCOLS[datagram[0] << 8 | (datagram[1] if len(datagram) > 1 else 0)]


class MediaSocket:
    """One bound socket. Its `index` is that of its `Source`s and of its peers in the switchboard."""

    def __init__(self, index: int, bound: socket.socket, receive: ReceiveBatch, send: SendBatch) -> None:
        """Wrap a bound, non-blocking socket; the batches are shared by all sockets of a family."""
        self.index = index
        self.socket = bound
        self.family = bound.family
        self.host: str = bound.getsockname()[0]
        self.port: int = bound.getsockname()[1]
        self.descriptor = bound.fileno()
        self.receive = receive
        self.sending = SendingSocket(self.descriptor, send)

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send one datagram; what the kernel does not take is counted."""
        try:
            self.socket.sendto(data, to)
            self.sending.sent += 1
        except OSError:
            self.sending.failed += 1

    def name_of(self, host: str, port: int) -> bytes:
        """The kernel's form of an address of this socket's family."""
        return sockaddr(self.family, host, port)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


def open_sockets(addresses: tuple[str, ...], port: int, buffer: int) -> list[MediaSocket]:
    """Bind every address that can be bound on one port (0: a free one, the same for all).

    Raises `PortUnavailable` when none can be, or when the port is taken on any of them.
    """
    if not addresses:
        raise PortUnavailable("no_address", "this machine has no address to serve media on; set media_bind")
    if port:
        return _open_all(addresses, port, buffer)
    last: PortUnavailable | None = None
    for _ in range(_FREE_PORT_TRIES):
        with socket.socket(socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((addresses[0], 0))
            free: int = probe.getsockname()[1]
        try:
            return _open_all(addresses, free, buffer)
        except PortUnavailable as failure:
            last = failure
    raise last or PortUnavailable("port_taken", "no free media port")


def _open_all(addresses: tuple[str, ...], port: int, buffer: int) -> list[MediaSocket]:
    batches: dict[int, tuple[ReceiveBatch, SendBatch]] = {}
    sockets: list[MediaSocket] = []
    try:
        for address in addresses:
            bound = _bind(address, port, buffer)
            if bound is None:
                continue
            family = bound.family
            if family not in batches:
                batches[family] = (ReceiveBatch(family), SendBatch(family))
            sockets.append(MediaSocket(len(sockets), bound, *batches[family]))
    except PortUnavailable:
        for opened in sockets:
            opened.close()
        raise
    if not sockets:
        raise PortUnavailable("no_address", f"none of {', '.join(addresses)} can be bound on this machine")
    return sockets


def _bind(address: str, port: int, buffer: int) -> socket.socket | None:
    """A bound socket; None for an address that this machine does not have (any more)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        bound.setsockopt(socket.SOL_SOCKET, option, buffer)
    if family == socket.AF_INET6:
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRNOTAVAIL:
            return None
        raise PortUnavailable(
            "port_taken", f"the media port {port}/udp cannot be bound on {address}: {error.strerror or error}"
        ) from error
    return bound
