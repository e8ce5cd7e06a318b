"""Binds the HTTP sockets before anything else opens, so that a port in use is reported at once."""

import errno
import socket
from collections.abc import Sequence

from signaling.errors import PortTaken, Refusal

_BACKLOG = 1024


def bind_http(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Bind a listening socket for each host. The first must work; a later one may be unavailable (IPv6).

    With port 0 all use the free port of the first one. Raises PortTaken, or Refusal for another reason.
    """
    bound: list[socket.socket] = []
    for host in hosts:
        try:
            bound.append(_bind(host, port))
        except OSError as error:
            if bound and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue
            close_all(bound)
            raise _refusal(host, port, error) from error
        port = bound[0].getsockname()[1]
    return bound


def close_all(sockets: Sequence[socket.socket]) -> None:
    """Close all sockets."""
    for one in sockets:
        one.close()


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(_BACKLOG)
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def _refusal(host: str, port: int, error: OSError) -> Refusal:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"HTTP cannot listen on TCP port {port} of {host}",
            "another process uses this port",
            f"Find it with `ss -ltnp 'sport = :{port}'` and stop it, or choose another port: --port or PARLEY_PORT.",
        )
    if error.errno == errno.EACCES:
        return PortTaken(
            f"HTTP cannot listen on TCP port {port} of {host}",
            "this user may not use ports below 1024",
            "Choose a port above 1023 behind a proxy, or give the service CAP_NET_BIND_SERVICE.",
        )
    return Refusal(
        f"HTTP cannot listen on {host}, TCP port {port}",
        error.strerror or str(error),
        "Check --host (PARLEY_HOST): `ip address` lists the addresses of this machine.",
    )


def media_refusal(port: int, reason: str) -> Refusal:
    """Return the refusal for a media port that could not be bound."""
    return PortTaken(
        f"media cannot use UDP port {port}",
        reason,
        f"Find the process that uses it with `ss -lunp 'sport = :{port}'` and stop it, or choose another port:"
        " --media-port or PARLEY_MEDIA_PORT.",
    )
