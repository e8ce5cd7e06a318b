"""The media port: one non-blocking UDP socket for each local address, all on the same port.

With a wildcard socket replies would leave from the wrong address, and one family must survive without the other, so
each address has a socket of its own; an endpoint is answered on the socket that its check came in on. No rules here.
"""

import errno
import socket
from typing import TYPE_CHECKING

from sfu.errors import PortUnavailable
from sfu.forward import SendingSocket
from sfu.mmsg import ReceiveBatch, SendBatch, sockaddr

if TYPE_CHECKING:
    from sfu.switchboard import Peer

_FREE_PORT_TRIES = 20


class MediaSocket:
    """One bound socket. `peers` says whose packets come from which address; only an authenticated check fills it."""

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
        self.peers: dict[bytes, Peer] = {}

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
