"""Connectivity checks without credentials, as fast as one process can: 64 datagrams with each system call.

`python -m tests.support.stun_flood PORT SOURCES PER_SECOND COUNT UFRAG`, for media on loopback. Says `sent`,
`octets`, `answers`, `octets_back` and `seconds` as JSON. A third of the checks carries no username, a third one that
nobody has, a third the name UFRAG (of somebody who is connected) under a wrong password.
"""

import json
import select
import socket
import sys
import time

from aioice import stun

from sfu.mmsg import SEND_LANES, PinnedSockaddr, SendBatch, sockaddr

HOST = "127.0.0.1"
ANSWERS_WITHIN = 0.5


def checks(ufrag: str) -> list[bytes]:
    """One of each kind."""
    made = []
    for username in (None, "nobody:stranger", f"{ufrag}:stranger"):
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        if username is not None:
            message.attributes["USERNAME"] = username
            message.attributes["PRIORITY"] = 1
            message.attributes["ICE-CONTROLLING"] = 1
            message.attributes["USE-CANDIDATE"] = None
            message.add_message_integrity(b"wrong" * 5)
        made.append(bytes(message))
    return made


def flood(port: int, sources: int, per_second: int, count: int, ufrag: str) -> dict[str, float]:
    """Send so many, at that pace or as fast as the machine can; what went out and what came back."""
    batch = SendBatch(socket.AF_INET)
    target = PinnedSockaddr(sockaddr(socket.AF_INET, HOST, port))
    kinds = checks(ufrag)
    octets = 0
    for lane, (start, length_at, name_at, _, _) in enumerate(batch.lanes):
        data = kinds[lane % len(kinds)]
        batch.view[start : start + len(data)] = data
        batch.iovecs[length_at] = len(data)
        batch.heads[name_at] = target.address
        octets += len(data)
    opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sources)]
    for one in opened:
        one.bind((HOST, 0))
        one.setblocking(False)
    answers: list[bytes] = []
    began = time.monotonic()
    rounds = sent = 0
    while rounds * SEND_LANES < count:
        due = (time.monotonic() - began) * per_second
        while rounds * SEND_LANES < min(due, count):
            sent += batch.send(opened[rounds % sources].fileno(), SEND_LANES)
            rounds += 1
        answers += _received(opened, 0.001)
    took = time.monotonic() - began
    answers += _received(opened, ANSWERS_WITHIN)
    for one in opened:
        one.close()
    return {
        "sent": sent,
        "octets": sent * octets // SEND_LANES,
        "answers": len(answers),
        "octets_back": sum(map(len, answers)),
        "seconds": took,
    }


def _received(opened: list[socket.socket], within: float) -> list[bytes]:
    """What comes, until nothing more does for so long."""
    answers = []
    while ready := select.select(opened, [], [], within)[0]:
        answers += [one.recv(2048) for one in ready]
    return answers


if __name__ == "__main__":
    port, sources, per_second, count, ufrag = sys.argv[1:]
    print(json.dumps(flood(int(port), int(sources), int(per_second), int(count), ufrag)))
