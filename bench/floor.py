"""The least that forwarding can cost in Python on this machine: the programs beside which `bench.forward` measures.

Each runs in a process of its own and does one thing. They are called with the send times of the real round, so that
caches are as cold and wake-ups as many.
"""

import socket
import struct
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

from pylibsrtp import Policy, Session

HEADER = struct.Struct("!BBHII")
PAYLOAD = bytes(80)
"""An Opus packet of 20 ms at 32 kb/s."""

KEY = bytes(range(44))
PROFILE = Policy.SRTP_PROFILE_AEAD_AES_256_GCM

Address = tuple[str, int]


def session(direction: int) -> Session:
    """An SRTP session as pylibsrtp makes it, with the profile that browsers negotiate with us."""
    policy = Policy(key=KEY, ssrc_type=direction, srtp_profile=PROFILE)
    policy.allow_repeat_tx = False
    policy.window_size = 1024
    return Session(policy)


def sleep_until(moment: float) -> None:
    """Sleep until `moment` of the monotonic clock; at once when it is past."""
    rest = moment - time.monotonic()
    if rest > 0:
        time.sleep(rest)


def send_floor(pipe: Connection, destinations: Sequence[Address]) -> None:
    """Header, `protect`, `sendto` for every destination at each time; nothing else is counted, not even the waking.

    Takes lists of times from `pipe` until None; answers (seconds of CPU, packets) for each.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sessions = [session(Policy.SSRC_ANY_OUTBOUND) for _ in destinations]
    sequence = 0
    pipe.send("ready")
    while (times := pipe.recv()) is not None:
        spent = 0.0
        for moment in times:
            sleep_until(moment)
            before = time.process_time()
            for outbound, destination in zip(sessions, destinations, strict=True):
                header = HEADER.pack(0x80, 111, sequence & 0xFFFF, sequence * 960 & 0xFFFFFFFF, 1)
                sock.sendto(outbound.protect(header + PAYLOAD), destination)
            spent += time.process_time() - before
            sequence += 1
        pipe.send((spent, len(times) * len(destinations)))
    sock.close()


def receive_floor(pipe: Connection) -> None:
    """`recvfrom` and `unprotect`: the whole CPU of a process that does only this, waking included.

    Tells its address; then takes a number of packets to wait for until None; answers seconds of CPU for each.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(10)
    inbound = session(Policy.SSRC_ANY_INBOUND)
    pipe.send(sock.getsockname())
    while (count := pipe.recv()) is not None:
        before = time.process_time()
        for _ in range(count):
            data, _address = sock.recvfrom(2048)
            inbound.unprotect(data)
        pipe.send(time.process_time() - before)
    sock.close()


def relay(pipe: Connection, destinations: Sequence[Address]) -> None:
    """A bare UDP relay: what comes in goes out to every destination as it is. Ends when its parent ends it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    pipe.send(sock.getsockname())
    while True:
        data, _address = sock.recvfrom(2048)
        for destination in destinations:
            sock.sendto(data, destination)
