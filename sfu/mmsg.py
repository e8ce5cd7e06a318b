"""Many datagrams with one system call: Linux's `recvmmsg` and `sendmmsg`, through cffi, without a compiler.

A `ReceiveBatch` and a `SendBatch` are fixed rows of buffers ("lanes"), laid out once, so that a packet costs no
allocation. The kernel's structures are written as 64-bit words through a memoryview; `struct mmsghdr` has the same
layout on every 64-bit Linux. pylibsrtp's compiled `ffi` makes the memory and the calls: a `FFI` of our own would parse
C declarations at import.
"""

import ctypes
import socket
import struct
from typing import Any

from pylibsrtp._binding import ffi

LANE = 2048
"""Bytes of a lane to receive in. A datagram that fills it was longer, and is not looked at."""

SEND_LANE = LANE + 512
"""Bytes of a lane to send from: what came may go out with a longer header and a longer tag."""

RECEIVE_LANES = 64
SEND_LANES = 64

_HEAD_WORDS = 8
"""Of a `struct mmsghdr`: a `struct msghdr` of seven words, then the length of the datagram."""
_WORD_NAME, _WORD_NAME_LENGTH, _WORD_IOV, _WORD_IOV_LENGTH, _WORD_LENGTH = 0, 1, 2, 3, 7
_IOVEC_WORDS = 2
_SOCKADDR_SIZE = 28

_DONTWAIT = socket.MSG_DONTWAIT
_NO_TIMEOUT = ffi.cast("void *", 0)


def _function(kind: str, name: str) -> Any:
    """A function of libc as cffi calls it: it releases the GIL for as long as the kernel takes."""
    address = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
    return ffi.cast(kind, address)


_recvmmsg = _function("int(*)(int, void *, unsigned int, int, void *)", "recvmmsg")
_sendmmsg = _function("int(*)(int, void *, unsigned int, int)", "sendmmsg")


def _address(memory: Any) -> int:
    return int(ffi.cast("uintptr_t", memory))


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
        self._memory = ffi.new("unsigned char[]", name)
        self.address = _address(self._memory)


class _Lanes:
    """`count` buffers of `size` bytes with their iovecs and headers."""

    def __init__(self, count: int, size: int, name_size: int) -> None:
        self.count = count
        self._arena = ffi.new("unsigned char[]", count * size)
        self._iovecs = ffi.new("uint64_t[]", count * _IOVEC_WORDS)
        self._heads = ffi.new("uint64_t[]", count * _HEAD_WORDS)
        self.view = memoryview(ffi.buffer(self._arena)).cast("B")
        self.heads = memoryview(ffi.buffer(self._heads)).cast("B").cast("Q")
        self.iovecs = memoryview(ffi.buffer(self._iovecs)).cast("B").cast("Q")
        base, iovecs = _address(self._arena), _address(self._iovecs)
        self.pointers = [ffi.cast("void *", base + lane * size) for lane in range(count)]
        for lane in range(count):
            self.iovecs[lane * _IOVEC_WORDS] = base + lane * size
            self.iovecs[lane * _IOVEC_WORDS + 1] = size
            head = lane * _HEAD_WORDS
            self.heads[head + _WORD_IOV] = iovecs + lane * _IOVEC_WORDS * 8
            self.heads[head + _WORD_IOV_LENGTH] = 1
            self.heads[head + _WORD_NAME_LENGTH] = name_size


class ReceiveBatch(_Lanes):
    """Receives up to `RECEIVE_LANES` datagrams at once from a socket of one family."""

    def __init__(self, family: int, count: int = RECEIVE_LANES) -> None:
        """Lay out `count` lanes for sockets of `family`."""
        self.name_size = sockaddr_size(family)
        super().__init__(count, LANE, self.name_size)
        self._names = ffi.new("unsigned char[]", count * _SOCKADDR_SIZE)
        names = memoryview(ffi.buffer(self._names)).cast("B")
        self.names = [names[lane * _SOCKADDR_SIZE : lane * _SOCKADDR_SIZE + self.name_size] for lane in range(count)]
        self.datagrams = [self.view[lane * LANE : (lane + 1) * LANE] for lane in range(count)]
        for lane in range(count):
            self.heads[lane * _HEAD_WORDS + _WORD_NAME] = _address(self._names) + lane * _SOCKADDR_SIZE
        self._lengths = ffi.new("int[]", count)
        self.length_pointers = [self._lengths + lane for lane in range(count)]
        self.lengths = memoryview(ffi.buffer(self._lengths)).cast("B").cast("i")

    def receive(self, descriptor: int) -> int:
        """Fill lanes from the socket; how many were filled, 0 when there was nothing (or an ICMP error to skip)."""
        filled: int = _recvmmsg(descriptor, self._heads, self.count, _DONTWAIT, _NO_TIMEOUT)
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
        base = _address(self._iovecs)
        self.lanes: list[tuple[int, int, int, Any, Any]] = [
            (
                lane * SEND_LANE,
                2 * lane + 1,
                _HEAD_WORDS * lane + _WORD_NAME,
                self.pointers[lane],
                ffi.cast("int *", base + lane * 16 + 8),
            )
            for lane in range(count)
        ]

    def send(self, descriptor: int, count: int) -> int:
        """Send the first `count` lanes; how many the kernel took. One that it refuses is passed over."""
        sent: int = _sendmmsg(descriptor, self._heads, count, _DONTWAIT)
        return sent if sent == count else self._send_rest(descriptor, count, sent)

    def _send_rest(self, descriptor: int, count: int, sent: int) -> int:
        """What follows a refusal: skip that one (no route, full buffer), and go on with the others."""
        done = max(sent, 0)
        position = done + 1
        while position < count:
            more: int = _sendmmsg(descriptor, self._heads + position * _HEAD_WORDS, count - position, _DONTWAIT)
            taken = max(more, 0)
            done += taken
            position += taken + 1
        return done
