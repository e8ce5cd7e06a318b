"""The processes of `bench.forward` around the server: the one that hosts it, the talkers, and the listeners.

Each is driven over a pipe by the bench. Talkers and listeners are real peers (`bench.peer`): ICE, DTLS, SRTP. While a
round is measured they run plain loops, so that they cost little and are late seldom.
"""

import asyncio
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

import uvloop
from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy

from bench.floor import PAYLOAD, Address, session, sleep_until
from bench.peer import Habits, Peer
from bench.peer_rtp import read_packet
from bench.peer_sdp import Line, Shape
from sfu.observer import MediaObserver
from sfu.selection import MuteFlags
from sfu.server import MediaServer
from sfu.settings import MediaSettings

INDEX = struct.Struct("!I")
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")


class _Unconcerned:
    """An observer that is told everything and does nothing."""

    def __getattr__(self, _name: str) -> object:
        return lambda *_arguments: None


def host(*pipes: Connection) -> None:
    """The media server in a process of its own, on the loop that `parley serve` uses. Ends on `stop`."""
    uvloop.run(_host(pipes))


async def _host(pipes: Sequence[Connection]) -> None:
    observer: MediaObserver = _Unconcerned()  # type: ignore[assignment]  # answers to any name
    server = MediaServer(MediaSettings(port=0, bind=("127.0.0.1",)), observer)
    await server.start()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    here: set[str] = set()

    def handle(pipe: Connection) -> None:
        match pipe.recv():
            case ("offer", room, participant, offer):
                server.participants.add(room, participant, MuteFlags())
                here.add(participant)
                pipe.send(server.connections.answer(participant, offer))
            case ("spent",):
                pipe.send((time.process_time(), server.observation.counters()))
            case ("fill", rooms, people):
                for number in range(rooms):
                    for one in range(people):
                        server.participants.add(f"idle-{number}", f"idle-{number}-{one}", MuteFlags())
                pipe.send("filled")
            case ("clear",):
                while here:
                    server.participants.remove(here.pop())
                pipe.send("cleared")
            case ("stop",):
                stopped.set()

    for pipe in pipes:
        loop.add_reader(pipe.fileno(), handle, pipe)
    await stopped.wait()
    for pipe in pipes:
        loop.remove_reader(pipe.fileno())
    await server.close()


def _joined(signal: Connection, rooms: Sequence[str], lines: tuple[Line, ...], kind: str) -> list[Peer]:
    """One connected peer for each room named."""

    async def connect() -> list[Peer]:
        peers = []
        for number, room in enumerate(rooms):
            peer = Peer(Shape(lines=lines), Habits(keep=False))

            def ask(offer: str, room: str = room, number: int = number) -> str:
                signal.send(("offer", room, f"{kind}-{number}", offer))
                answer: str = signal.recv()
                return answer

            peers.append(await peer.connect(ask))
        return peers

    return asyncio.get_event_loop_policy().get_event_loop().run_until_complete(connect())


def talk(pipe: Connection, signal: Connection) -> None:
    """The talkers. `join` connects one for each room; the others send at given times, and answer when they did."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    peers: list[Peer] = []
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    floor = session(Policy.SSRC_ANY_OUTBOUND)
    numbers = 0
    while (command := pipe.recv()) is not None:
        match command:
            case ("join", rooms):
                for peer in peers:
                    peer.close()
                peers = _joined(signal, rooms, (Line("0", "sendonly"),), "talker")
                pipe.send("joined")
            case ("talk", times):
                for peer in peers:
                    peer.check()
                ready = [
                    (moment, peers[who].socket, peers[who].server, peers[who].protect(peers[who].packet(_payload(i))))
                    for i, (moment, who) in enumerate(times)
                ]
                pipe.send(_send(ready))
            case ("relay", times, address):
                ready = [(moment, plain, address, _payload(i)) for i, (moment, _) in enumerate(times)]
                pipe.send(_send(ready))
            case ("floor", times, address):
                ready = []
                for moment, _ in times:
                    header = struct.pack("!BBHII", 0x80, 111, numbers & 0xFFFF, numbers * 960 & 0xFFFFFFFF, 7)
                    ready.append((moment, plain, address, floor.protect(header + PAYLOAD)))
                    numbers += 1
                pipe.send(_send(ready))


def _payload(index: int) -> bytes:
    return INDEX.pack(index) + PAYLOAD[INDEX.size :]


def _send(ready: Sequence[tuple[float, socket.socket, Address | None, bytes]]) -> list[float]:
    """Send each datagram at its time; the wall clock times at which that was done."""
    sent = []
    for moment, sock, address, data in ready:
        assert address is not None
        sleep_until(moment)
        sent.append(time.time())
        sock.sendto(data, address)
    return sent


def listen(pipe: Connection, signal: Connection) -> None:
    """The listeners. `hear` receives until a time; `delays` says how long after its sending each packet was there."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    peers: list[Peer] = []
    heard: list[tuple[int, float, bytes]] = []
    while (command := pipe.recv()) is not None:
        match command:
            case ("join", rooms, slots):
                for peer in peers:
                    peer.close()
                lines = tuple(Line(str(number), "recvonly") for number in range(slots))
                peers = _joined(signal, rooms, lines, "listener")
                for peer in peers:
                    peer.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                    peer.report()
                pipe.send([peer.socket.getsockname() for peer in peers])
            case ("hear", until):
                for peer in peers:
                    peer.check()
                heard = _hear([peer.socket for peer in peers], until)
                pipe.send(len(heard))
            case ("delays", sent, protected):
                pipe.send(_delays(peers, heard, sent, protected=protected))


def _hear(sockets: Sequence[socket.socket], until: float) -> list[tuple[int, float, bytes]]:
    """(socket, the kernel's time of arrival, datagram) of all that comes."""
    poll = select.epoll()
    numbers = {sock.fileno(): number for number, sock in enumerate(sockets)}
    for descriptor in numbers:
        poll.register(descriptor, select.EPOLLIN)
    heard = []
    while (rest := until - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(rest):
            number = numbers[descriptor]
            with suppress(BlockingIOError):
                while True:
                    data, ancillary, _, _ = sockets[number].recvmsg(2048, 64)
                    seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2][:16])
                    heard.append((number, seconds + nanoseconds / 1e9, data))
    poll.close()
    return heard


def _delays(
    peers: Sequence[Peer], heard: Sequence[tuple[int, float, bytes]], sent: Sequence[float], *, protected: bool
) -> list[float]:
    """Seconds from sending to arrival, for each packet of audio among `heard`."""
    delays = []
    for number, at, data in heard:
        if protected:
            dtls = peers[number].dtls
            assert dtls is not None
            assert dtls.receiving is not None
            if not 128 <= data[0] <= 191 or 192 <= data[1] <= 223:
                continue
            with suppress(SrtpError):
                (index,) = INDEX.unpack_from(read_packet(dtls.receiving.unprotect(data), 0.0).payload)
                delays.append(at - sent[index])
        elif len(data) == len(PAYLOAD):
            (index,) = INDEX.unpack_from(data)
            delays.append(at - sent[index])
    return delays
