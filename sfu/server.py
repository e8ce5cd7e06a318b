"""The media server: the shell that owns the sockets, the clock and the timers, and joins rooms to connections.

Few wake-ups: all sockets are drained in batches, one timer serves every endpoint and room, and what has changed is told
to the observer once a batch.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence

from sfu.addresses import local_addresses, preferred
from sfu.connections import Connections, Process
from sfu.deadlines import Cancellable
from sfu.dtls import import_ended, load_transport
from sfu.errors import DtlsUnavailable, MalformedPacket
from sfu.ice import Source
from sfu.ingress import receive_rtp
from sfu.limits import SourceLimiter
from sfu.mmsg import LANE, host_and_port
from sfu.observation import Observation
from sfu.observer import MediaObserver
from sfu.participants import Participants
from sfu.rooms import Rooms
from sfu.settings import MediaSettings
from sfu.stun import parse_request
from sfu.switchboard import Switchboard
from sfu.udp import PROTOCOLS, RTP, STUN, MediaSocket, classify, open_sockets

_log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
"""How often deadlines are looked at; none of them is nearer than that."""

WARM_UP_SECONDS = 1.0
"""After the start aiortc is imported, so that the first handshake need not wait for it."""

BATCHES_A_WAKE_UP = 4
"""Full batches that one socket may take before the others and the timers have their turn."""


class MediaServer:
    """Terminates peer connections and forwards audio between the participants of rooms.

    What may be asked of it has three parts: `participants` (with their `rooms`), `connections` and `observation`.
    """

    def __init__(
        self, settings: MediaSettings, observer: MediaObserver, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare; nothing is bound until `start`."""
        self.settings = settings
        self.now = now
        self.switchboard = Switchboard()
        self.rooms = Rooms(observer, now)
        process = Process(now, time.time() - time.monotonic(), random.SystemRandom(), self._own)
        self.connections = Connections(settings.slots, observer, self.rooms, self.switchboard, process)
        self.participants = Participants(self.rooms, self.connections, _call_later)
        self.observation = Observation(self.rooms, self.connections)
        self._counts = self.observation.counts
        self._limiter = SourceLimiter()
        self._timer: asyncio.Handle | None = None
        self._closing: set[asyncio.Task[object]] = set()
        self._warm_up: asyncio.Handle | None = None

    async def start(self) -> None:
        """Bind the media port. Raises `PortUnavailable`."""
        settings = self.settings
        addresses = settings.bind or local_addresses(loopback=settings.loopback)
        self.switchboard.use(open_sockets(preferred(addresses), settings.port, settings.socket_buffer))
        self.set_advertised(settings.advertise or self.addresses)
        self.connections.certificate.prepare()
        loop = asyncio.get_running_loop()
        for sock in self.switchboard.sockets:
            loop.add_reader(sock.descriptor, self._readable, sock)
        self._timer = loop.call_later(TICK_SECONDS, self._tick, loop.time() + TICK_SECONDS)
        self._warm_up = loop.call_later(WARM_UP_SECONDS, lambda: self._own(_import_aiortc()))

    async def close(self) -> None:
        """Say goodbye to every peer, end all rooms, and close the sockets."""
        self.participants.close()
        for room in self.rooms:
            self.rooms.close(room, "shutdown")
        if self._timer is not None:
            self._timer.cancel()
        if self._warm_up is not None:
            self._warm_up.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await import_ended()
        loop = asyncio.get_running_loop()
        for sock in self.switchboard.sockets:
            loop.remove_reader(sock.descriptor)
            sock.close()
        self.switchboard.use(())

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that are bound."""
        return tuple(sock.host for sock in self.switchboard.sockets)

    @property
    def port(self) -> int:
        """The media port; 0 before `start`."""
        return self.switchboard.port

    @property
    def advertised(self) -> tuple[str, ...]:
        """The addresses that answers name."""
        return self.switchboard.advertised

    def set_advertised(self, addresses: Sequence[str]) -> None:
        """The addresses that answers name from now on, the first one first."""
        self.switchboard.advertised = tuple(dict.fromkeys(addresses))

    def _own(self, work: Coroutine[object, object, object]) -> None:
        """Run something that `close` awaits."""
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _readable(self, sock: MediaSocket) -> None:
        """The socket has datagrams: take them in batches. This is where every packet comes in."""
        batch = sock.receive
        peers = self.switchboard.peers[sock.index]
        protocols, rtp = PROTOCOLS, RTP
        names, datagrams, lengths = batch.names, batch.datagrams, batch.lengths
        for _ in range(BATCHES_A_WAKE_UP):
            count = batch.receive(sock.descriptor)
            now = self.now()
            for lane in range(count):
                datagram = datagrams[lane]
                if protocols[datagram[0] << 8 | datagram[1]] == rtp and lengths[lane]:
                    peer = peers.get(names[lane].tobytes())
                    if peer is None:
                        self._counts["dropped_unknown_address"] += 1
                        continue
                    receive_rtp(peer, batch, lane, now)
                    if peer.endpoint.outputs:
                        peer.connection.pump()
                else:
                    self._receive_other(sock, bytes(datagram[: lengths[lane]]), names[lane].tobytes(), now)
            if count < batch.count:
                break
        self.rooms.tell_changed()

    def _receive_other(self, sock: MediaSocket, datagram: bytes, name: bytes, now: float) -> None:
        """A datagram that is not RTP. Only an authentic check may come from an address that nobody has bound."""
        size = len(datagram)
        if size == 0 or size >= LANE:
            self._counts["dropped_size"] += 1
            return
        if classify(datagram) == STUN:
            self._receive_check(sock, datagram, name, now)
            return
        peer = self.switchboard.peers[sock.index].get(name)
        if peer is None:
            self._counts["dropped_unknown_address"] += 1
            return
        peer.endpoint.receive(datagram, peer.source, now)
        peer.connection.pump()

    def _receive_check(self, sock: MediaSocket, datagram: bytes, name: bytes, now: float) -> None:
        if not self._limiter.allow(name, now):
            self._counts["dropped_stun_rate"] += 1
            return
        try:
            request = parse_request(datagram)
        except MalformedPacket:
            self._counts["dropped_malformed_stun"] += 1
            return
        if request is None:
            return
        connection = self.switchboard.names.get(request.local_ufrag)
        if connection is None:
            self._counts["dropped_unknown_username"] += 1
            return
        peer = self.switchboard.peers[sock.index].get(name)
        if peer is not None and peer.selected and peer.connection.participant != connection.participant:
            # A stranger's check under a false source address, or his own: who is spoken to there keeps it.
            self._counts["dropped_address_taken"] += 1
            return
        connection.check(request, Source(sock.index, host_and_port(name)), now)

    def _tick(self, due: float) -> None:
        """Look at the deadlines of connections and rooms."""
        self.observation.lag.note(asyncio.get_running_loop().time() - due, TICK_SECONDS)
        self._take_turn(self._work(self.now()))

    def _work(self, now: float) -> Iterator[None]:
        """What is due at `now`, in pieces: a packet that comes meanwhile waits for one of them, not for all."""
        yield from self.connections.advance(now)
        yield from self.rooms.advance(now)

    def _take_turn(self, work: Iterator[None]) -> None:
        """Do one piece, and come back after the sockets have had their turn; after the last, wait for the next tick."""
        loop = asyncio.get_running_loop()
        try:
            next(work)
        except StopIteration:
            self._timer = loop.call_later(TICK_SECONDS, self._tick, loop.time() + TICK_SECONDS)
        else:
            self._timer = loop.call_soon(self._take_turn, work)


async def _import_aiortc() -> None:
    """Import aiortc before a handshake needs it. The operator reads of a failure now, and not after the first join."""
    try:
        await load_transport()
    except DtlsUnavailable as problem:
        _log.error(problem.message, exc_info=problem.__cause__)


def _call_later(seconds: float, call: Callable[[], None]) -> Cancellable:
    return asyncio.get_running_loop().call_later(seconds, call)
