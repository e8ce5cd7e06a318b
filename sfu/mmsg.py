"""Many datagrams with one system call: Linux's `recvmmsg` and `sendmmsg`, through cffi, without a compiler.

A `ReceiveBatch` and a `SendBatch` are fixed rows of buffers ("lanes"), laid out once, so that a packet costs no
allocation. The kernel's structures are written as 64-bit words through a memoryview; `struct mmsghdr` has the same
layout on every 64-bit Linux.
"""

import socket
import struct
from typing import Any

from cffi import FFI
from pylibsrtp._binding import ffi as srtp_ffi

LANE = 2048
"""Bytes of a lane to receive in. A datagram that fills it was longer, and is not looked at."""

SEND_LANE = LANE + 512
"""Bytes of a lane to send from: what came may go out with a longer header and a longer tag."""

RECEIVE_LANES = 64
SEND_LANES = 64

_HEAD_WORDS = 8
_WORD_NAME, _WORD_NAME_LENGTH, _WORD_LENGTH = 0, 1, 7
_SOCKADDR_SIZE = 28

_ffi = FFI()
_ffi.cdef(
    """
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr { void *msg_name; unsigned int msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
                    void *msg_control; size_t msg_controllen; int msg_flags; };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
    int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, void *timeout);
    """
)
_libc = _ffi.dlopen(None)
_DONTWAIT = socket.MSG_DONTWAIT


def sockaddr(family: int, host: str, port: int) -> bytes:
    """The kernel's `sockaddr_in` or `sockaddr_in6` for an address, as bytes."""
    if family == socket.AF_INET:
        return struct.pack("=H", family) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
    bare, _, zone = host.partition("%")
    scope = socket.if_nametoindex(zone) if zone and not zone.isdigit() else int(zone or 0)
    return (
        struct.pack("=H", family)
        + struct.pack("!HI", port, 0)
        + socket.inet_pton(family, bare)
        + struct.pack("=I", scope)
    )


def host_and_port(name: bytes) -> tuple[str, int]:
    """(address text, port) of a kernel socket address."""
    (port,) = struct.unpack_from("!H", name, 2)
    if len(name) == 16:
        return socket.inet_ntop(socket.AF_INET, name[4:8]), port
    return socket.inet_ntop(socket.AF_INET6, name[8:24]), port


def sockaddr_size(family: int) -> int:
    """Bytes of a socket address of this family."""
    return 16 if family == socket.AF_INET else _SOCKADDR_SIZE


class PinnedSockaddr:
    """A socket address at a fixed place in memory; `address` is that place, for `SendBatch`."""

    __slots__ = ("_memory", "address", "name")

    def __init__(self, name: bytes) -> None:
        """Pin a copy of `name`."""
        self.name = name
        self._memory = _ffi.new("unsigned char[]", name)
        self.address = int(_ffi.cast("uintptr_t", self._memory))


class _Lanes:
    """`count` buffers of `size` bytes with their iovecs and headers."""

    def __init__(self, count: int, size: int, name_size: int) -> None:
        self.count = count
        self._arena = _ffi.new("unsigned char[]", count * size)
        self._iovecs = _ffi.new("struct iovec[]", count)
        self._heads = _ffi.new("struct mmsghdr[]", count)
        self.view = memoryview(_ffi.buffer(self._arena)).cast("B")
        self.heads = memoryview(_ffi.buffer(self._heads)).cast("B").cast("Q")
        self.iovecs = memoryview(_ffi.buffer(self._iovecs)).cast("B").cast("Q")
        base = int(_ffi.cast("uintptr_t", self._arena))
        self.pointers = [srtp_ffi.cast("void *", base + lane * size) for lane in range(count)]
        for lane in range(count):
            self._iovecs[lane].iov_base = self._arena + lane * size
            self._iovecs[lane].iov_len = size
            head = self._heads[lane].msg_hdr
            head.msg_iov = self._iovecs + lane
            head.msg_iovlen = 1
            head.msg_namelen = name_size


class ReceiveBatch(_Lanes):
    """Receives up to `RECEIVE_LANES` datagrams at once from a socket of one family."""

    def __init__(self, family: int, count: int = RECEIVE_LANES) -> None:
        """Lay out `count` lanes for sockets of `family`."""
        self.name_size = sockaddr_size(family)
        super().__init__(count, LANE, self.name_size)
        self._names = _ffi.new("unsigned char[]", count * _SOCKADDR_SIZE)
        names = memoryview(_ffi.buffer(self._names)).cast("B")
        self.names = [names[lane * _SOCKADDR_SIZE : lane * _SOCKADDR_SIZE + self.name_size] for lane in range(count)]
        self.datagrams = [self.view[lane * LANE : (lane + 1) * LANE] for lane in range(count)]
        for lane in range(count):
            self._heads[lane].msg_hdr.msg_name = self._names + lane * _SOCKADDR_SIZE
        self._lengths = srtp_ffi.new("int[]", count)
        self.length_pointers = [self._lengths + lane for lane in range(count)]
        self.lengths = memoryview(srtp_ffi.buffer(self._lengths)).cast("B").cast("i")

    def receive(self, descriptor: int) -> int:
        """Fill lanes from the socket; how many were filled, 0 when there was nothing (or an ICMP error to skip)."""
        filled: int = _libc.recvmmsg(descriptor, self._heads, self.count, _DONTWAIT, _ffi.NULL)
        if filled <= 0:
            return 0
        heads, lengths = self.heads, self.lengths
        for lane in range(filled):
            lengths[lane] = heads[lane * _HEAD_WORDS + _WORD_LENGTH] & 0xFFFFFFFF
        return filled


class SendBatch(_Lanes):
    """Sends what stands in its first lanes with one system call.

    `lanes` has one tuple a lane: (offset in `view`, index of its length in `iovecs`, index of its address in `heads`,
    packet pointer, length pointer). The length that libsrtp is given is the iovec's own, so that the tag it adds is
    sent without another write.
    """

    def __init__(self, family: int, count: int = SEND_LANES) -> None:
        """Lay out `count` lanes for sockets of `family`."""
        super().__init__(count, SEND_LANE, sockaddr_size(family))
        base = int(_ffi.cast("uintptr_t", self._iovecs))
        self.lanes: list[tuple[int, int, int, Any, Any]] = [
            (
                lane * SEND_LANE,
                2 * lane + 1,
                _HEAD_WORDS * lane + _WORD_NAME,
                self.pointers[lane],
                srtp_ffi.cast("int *", base + lane * 16 + 8),
            )
            for lane in range(count)
        ]

    def send(self, descriptor: int, count: int) -> int:
        """Send the first `count` lanes; how many the kernel took. One that it refuses is passed over."""
        sent: int = _libc.sendmmsg(descriptor, self._heads, count, _DONTWAIT)
        return sent if sent == count else self._send_rest(descriptor, count, sent)

    def _send_rest(self, descriptor: int, count: int, sent: int) -> int:
        """What follows a refusal: skip that one (no route, full buffer), and go on with the others."""
        done = max(sent, 0)
        position = done + 1
        while position < count:
            more: int = _libc.sendmmsg(descriptor, self._heads + position, count - position, _DONTWAIT)
            taken = max(more, 0)
            done += taken
            position += taken + 1
        return done
