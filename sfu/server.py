"""The media server: the shell that owns the sockets, the clock and the timers, and joins rooms to connections.

Few wake-ups: all sockets are drained in batches, one timer serves every endpoint and room, and what has changed is told
to the observer once a batch.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence

from quality.delivery import DeliverySnapshot
from sfu.addresses import local_addresses, preferred
from sfu.answer import HostCandidate
from sfu.connection import Connection
from sfu.deadlines import Cancellable, Deadlines, LoopLag, Timers
from sfu.dtls import Certificate, load_transport
from sfu.dtmf import Keys
from sfu.errors import MalformedPacket, UnknownParticipant
from sfu.ice import Source
from sfu.ingress import receive_rtp
from sfu.limits import SourceLimiter
from sfu.listener import Listener
from sfu.mmsg import LANE, host_and_port
from sfu.observer import MediaObserver
from sfu.opus import USUAL, OpusWishes
from sfu.probe import Reading
from sfu.room import MediaRoom
from sfu.rooms import Rooms
from sfu.sdp import parse_candidate, parse_offer
from sfu.selection import MuteFlags
from sfu.settings import MediaSettings
from sfu.statistics import connection_statistics, octets_of
from sfu.stun import parse_request
from sfu.switchboard import Switchboard
from sfu.udp import PROTOCOLS, RTP, STUN, MediaSocket, classify, open_sockets

TICK_SECONDS = 0.05
"""How often deadlines are looked at; none of them is nearer than that."""

WARM_UP_SECONDS = 1.0
"""After the start aiortc is imported, so that the first handshake need not wait for it."""

BATCHES_A_WAKE_UP = 4
"""Full batches that one socket may take before the others and the timers have their turn."""


class MediaServer:
    """Terminates peer connections and forwards audio between the participants of rooms."""

    def __init__(self, settings: MediaSettings, observer: MediaObserver) -> None:
        """Prepare; nothing is bound until `start`."""
        self.settings = settings
        self.observer = observer
        self.certificate: Certificate = Certificate()
        self.chance: random.Random = random.SystemRandom()
        self.epoch = time.time() - time.monotonic()
        self.now = time.monotonic
        self.advertised: tuple[str, ...] = ()
        self.switchboard = Switchboard()
        self.stream_ids: Iterator[int] = itertools.count(1)
        self._rooms = Rooms(observer)
        self._tell = self._rooms.tell
        self._room_of: dict[str, MediaRoom] = {}
        self._connections: dict[str, Connection] = {}
        self._limiter = SourceLimiter()
        self._counts: Counter[str] = Counter()
        self._deadlines: Deadlines[Connection] = Deadlines()
        self._timer: asyncio.Handle | None = None
        self._lag = LoopLag()
        self._closing: set[asyncio.Task[object]] = set()
        self._warm_up: asyncio.Handle | None = None
        self._tones = Timers(self._advance_tones, _call_later)

    # life

    async def start(self) -> None:
        """Bind the media port. Raises `PortUnavailable`."""
        settings = self.settings
        addresses = settings.bind or local_addresses(loopback=settings.loopback)
        self.switchboard = Switchboard(open_sockets(preferred(addresses), settings.port, settings.socket_buffer))
        self.advertised = settings.advertise or self.addresses
        self.certificate.prepare()
        loop = asyncio.get_running_loop()
        for sock in self.switchboard.sockets:
            loop.add_reader(sock.descriptor, self._readable, sock)
        self._timer = loop.call_later(TICK_SECONDS, self._tick, loop.time() + TICK_SECONDS)
        self._warm_up = loop.call_later(WARM_UP_SECONDS, lambda: self._own(load_transport()))

    async def close(self) -> None:
        """Say goodbye to every peer, end all rooms, and close the sockets."""
        for participant_id in list(self._room_of):
            self.remove_participant(participant_id)
        for room in self._rooms:
            self._rooms.close(room, "shutdown", self.now())
        if self._timer is not None:
            self._timer.cancel()
        if self._warm_up is not None:
            self._warm_up.cancel()
        self._tones.close()
        await asyncio.gather(*self._closing, return_exceptions=True)
        loop = asyncio.get_running_loop()
        for sock in self.switchboard.sockets:
            loop.remove_reader(sock.descriptor)
            sock.close()
        self.switchboard = Switchboard()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that are bound."""
        return tuple(sock.host for sock in self.switchboard.sockets)

    @property
    def port(self) -> int:
        """The media port; 0 before `start`."""
        return self.switchboard.sockets[0].port if self.switchboard.sockets else 0

    @property
    def candidates(self) -> list[HostCandidate]:
        """The candidates that answers name."""
        return [HostCandidate(address, self.port) for address in self.advertised]

    @property
    def most_slots(self) -> int:
        """How many slots one connection may have."""
        return self.settings.slots

    def set_advertised(self, addresses: Sequence[str]) -> None:
        """The addresses that answers name from now on, the first one first."""
        self.advertised = tuple(dict.fromkeys(addresses))

    # people

    def add_participant(self, room_id: str, participant_id: str, flags: MuteFlags) -> None:
        """Somebody is in a room from now on, with or without media."""
        room = self._rooms.make(room_id)
        self._room_of[participant_id] = room
        room.add(participant_id, flags, self.now())
        self._tell(room)

    def remove_participant(self, participant_id: str) -> None:
        """Somebody has left. May be called for one who is not here."""
        room = self._room_of.pop(participant_id, None)
        if room is None:
            return
        self._close_connection(participant_id, "left")
        self._leave(room, participant_id)

    def move_participant(self, participant_id: str, room_id: str, flags: MuteFlags) -> None:
        """Somebody goes to another room, and the peer connection goes on. Raises `UnknownParticipant`."""
        self._leave(self._room(participant_id), participant_id)
        self.add_participant(room_id, participant_id, flags)
        connection = self._connections.get(participant_id)
        if connection is not None:
            room = self._room(participant_id)
            connection.enter(room, self.now())
            self._tell(room)

    def _leave(self, room: MediaRoom, participant_id: str) -> None:
        room.remove(participant_id, self.now())
        self._tell(room)
        if not room.participants:
            self._rooms.close(room, "empty", self.now())

    def set_flags(self, participant_id: str, flags: MuteFlags) -> None:
        """Mute, deafen, suppress, or lift it; in force from the next packet on. Raises `UnknownParticipant`."""
        room = self._room(participant_id)
        room.set_flags(participant_id, flags, self.now())
        self._tell(room)

    def press_keys(self, participant_id: str, keys: Keys) -> bool:
        """Send DTMF tones as this participant; False where too many wait already. Raises `UnknownParticipant`."""
        room = self._room(participant_id)
        taken = room.tones.press(participant_id, keys, self.now())
        self._tones.wind(room)
        return taken

    def answer(self, participant_id: str, offer_sdp: str, opus: OpusWishes = USUAL) -> str:
        """Answer an offer: a first or a changed one, an ICE restart, or that of a new peer connection.

        `opus` is what the client's encoder is asked for. Raises `BadOffer` or `UnknownParticipant`; then everything is
        as it was.
        """
        room = self._room(participant_id)
        offer = parse_offer(offer_sdp)
        now = self.now()
        current = self._connections.get(participant_id)
        if current is not None and current.continues(offer):
            answer = current.answer(offer, opus, now)
            self._tell(room)
            return answer
        fresh = Connection(self, room, participant_id, offer, now)
        fresh.check_answerable(offer)
        self._close_connection(participant_id, "replaced")
        self._connections[participant_id] = fresh
        self.observer.connection_began(participant_id)
        answer = fresh.answer(offer, opus, now)
        self._tell(room)
        return answer

    def add_candidate(self, participant_id: str, candidate: str) -> None:
        """A candidate of the client's, for diagnosis. Raises `BadOffer` or `UnknownParticipant`."""
        self._room(participant_id)
        learned = parse_candidate(candidate)
        connection = self._connections.get(participant_id)
        if connection is not None:
            connection.endpoint.candidates.learn(learned)

    def statistics(self, participant_id: str) -> list[dict[str, object]]:
        """What is measured of this participant's streams, each way, in the names of W3C webrtc-stats."""
        connection = self._connections.get(participant_id)
        if connection is None:
            return []
        return connection_statistics(connection.endpoint, connection.dtls.state, self.now(), self.epoch)

    def counters(self) -> dict[str, int]:
        """What has been counted since the start: packets in and out, and every kind of drop."""
        counts = Counter(self._counts)
        for connection in self._connections.values():
            counts.update(_counts_of(connection))
        counts.update(self.switchboard.counters())
        counts["dropped_stun_rate"] = self._limiter.refused
        counts["listener_failures"] = self._rooms.listener_failures
        return dict(counts)

    def gauges(self) -> dict[str, float]:
        """How things are now."""
        connected = sum(connection.connected for connection in self._connections.values())
        return {
            "rooms": len(self._rooms),
            "participants": len(self._room_of),
            "endpoints": len(self._connections),
            "endpoints_connected": connected,
            "loop_lag_seconds": self._lag.seconds,
        }

    def attach(self, room_id: str, listener: Listener) -> None:
        """Let a listener hear a room from now on, until `detach` or the end of the room.

        The room need not be there yet: a recorder that attaches before the first participant joins misses nothing.
        """
        self._rooms.attach(room_id, listener, self.now())

    def detach(self, room_id: str, listener: Listener) -> None:
        """Undo `attach`. A listener that is not attached, and a room that has ended, are passed over."""
        self._rooms.detach(room_id, listener, self.now())

    def live(self, room_id: str) -> list[Reading]:
        """Who is in a room, who speaks, and what each sends at this moment; nobody where there is no such room."""
        return self._rooms.live(room_id, self.now())

    def deliveries(self, room_id: str) -> list[DeliverySnapshot]:
        """How each participant of a room hears each other at this moment: what was forwarded, lost, last heard."""
        return self._rooms.deliveries(room_id, self.now())

    # what connections ask for

    def schedule(self, connection: Connection) -> None:
        """Wake the connection at its deadline."""
        self._deadlines.set(connection, connection.endpoint.deadline())

    def connection_gone(self, connection: Connection, reason: str) -> None:
        """A connection has ended by itself; the participant stays."""
        if self._connections.get(connection.participant) is connection:
            self._close_connection(connection.participant, reason)
            self._tell(connection.room)
            self.observer.media_gone(connection.participant, reason)

    # inside

    def _room(self, participant_id: str) -> MediaRoom:
        room = self._room_of.get(participant_id)
        if room is None:
            raise UnknownParticipant(participant_id)
        return room

    def _close_connection(self, participant_id: str, reason: str) -> None:
        connection = self._connections.pop(participant_id, None)
        if connection is None:
            return
        self._counts.update(_counts_of(connection))
        for name in connection.close(self.now()):
            self.switchboard.names.pop(name, None)
        self._deadlines.forget(connection)
        self._own(connection.dtls.wait_closed())
        self.observer.connection_ended(participant_id, reason, octets_of(connection.endpoint))

    def _own(self, work: Coroutine[object, object, object]) -> None:
        """Run something that `close` awaits."""
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _readable(self, sock: MediaSocket) -> None:
        """The socket has datagrams: take them in batches. This is where every packet comes in."""
        batch = sock.receive
        peers = self.switchboard.peers[sock.index]
        protocols, names, datagrams, lengths = PROTOCOLS, batch.names, batch.datagrams, batch.lengths
        for _ in range(BATCHES_A_WAKE_UP):
            count = batch.receive(sock.descriptor)
            now = self.now()
            for lane in range(count):
                datagram = datagrams[lane]
                if protocols[datagram[0] << 8 | datagram[1]] == RTP and lengths[lane]:
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
        self._rooms.tell_changed()

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
        self._lag.note(asyncio.get_running_loop().time() - due, TICK_SECONDS)
        self._take_turn(self._work(self.now()))

    def _work(self, now: float) -> Iterator[None]:
        """What is due at `now`, in pieces: a packet that comes meanwhile waits for one of them, not for all."""
        for connection in self._deadlines.due(now):
            connection.endpoint.advance(now)
            connection.pump()
            yield
        yield from self._rooms.advance(now)

    def _take_turn(self, work: Iterator[None]) -> None:
        """Do one piece, and come back after the sockets have had their turn; after the last, wait for the next tick."""
        loop = asyncio.get_running_loop()
        try:
            next(work)
        except StopIteration:
            self._timer = loop.call_later(TICK_SECONDS, self._tick, loop.time() + TICK_SECONDS)
        else:
            self._timer = loop.call_soon(self._take_turn, work)

    def _advance_tones(self, room: MediaRoom) -> float:
        """Send what is due of the tones in a room; seconds until more of it is."""
        now = self.now()
        room.tones.advance(now)
        self._tell(room)
        return room.tones.deadline() - now


def _counts_of(connection: Connection) -> Counter[str]:
    """What one connection has counted, under the names of the whole server."""
    endpoint = connection.endpoint
    counts = Counter({f"dropped_{kind}": count for kind, count in endpoint.drops.items()})
    counts["packets_in"] = endpoint.packets_in
    counts["octets_in"] = endpoint.octets_in
    return counts


def _call_later(seconds: float, call: Callable[[], None]) -> Cancellable:
    return asyncio.get_running_loop().call_later(seconds, call)
