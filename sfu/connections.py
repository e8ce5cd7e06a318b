"""The peer connections of a server by participant: how each begins, goes on and ends.

Decides nothing about media; it answers offers, and is the host of its connections.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from random import Random

from sfu.connection import Connection
from sfu.deadlines import Deadlines
from sfu.dtls import Certificate
from sfu.observer import MediaObserver
from sfu.opus import USUAL, OpusWishes
from sfu.rooms import Rooms
from sfu.sdp import parse_candidate, parse_offer
from sfu.statistics import octets_of
from sfu.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Process:
    """What the process gives: its clocks, its chance, and an owner for work that is awaited at the end.

    `now` gives monotonic seconds; `epoch` is what is added to them to get Unix time.
    """

    now: Callable[[], float]
    epoch: float
    chance: Random
    own: Callable[[Coroutine[object, object, object]], None]


class Connections:
    """All peer connections of one server (`connection.ConnectionHost`)."""

    def __init__(
        self, most_slots: int, observer: MediaObserver, rooms: Rooms, switchboard: Switchboard, process: Process
    ) -> None:
        """Begin without connections, and with a certificate of their own."""
        self.most_slots = most_slots
        self.observer = observer
        self.switchboard = switchboard
        self.certificate = Certificate()
        self.chance = process.chance
        self.epoch = process.epoch
        self.now = process.now
        self.stream_ids: Iterator[int] = itertools.count(1)
        self._own = process.own
        self._rooms = rooms
        self._connections: dict[str, Connection] = {}
        self._deadlines: Deadlines[Connection] = Deadlines()
        self._ended: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._connections.values())

    def get(self, participant_id: str) -> Connection | None:
        """The connection of a participant; None where there is none."""
        return self._connections.get(participant_id)

    def answer(self, participant_id: str, offer_sdp: str, opus: OpusWishes = USUAL) -> str:
        """Answer an offer: a first or a changed one, an ICE restart, or that of a new peer connection.

        `opus` is what the client's encoder is asked for. Raises `BadOffer` or `UnknownParticipant`; then everything is
        as it was.
        """
        room = self._rooms.of(participant_id)
        offer = parse_offer(offer_sdp)
        now = self.now()
        current = self._connections.get(participant_id)
        if current is not None and current.continues(offer):
            answer = current.answer(offer, opus, now)
            self._rooms.tell(room)
            return answer
        fresh = Connection(self, room, participant_id, offer, now)
        fresh.check_answerable(offer)
        self.close(participant_id, "replaced")
        self._connections[participant_id] = fresh
        self.observer.connection_began(participant_id)
        answer = fresh.answer(offer, opus, now)
        self._rooms.tell(room)
        return answer

    def add_candidate(self, participant_id: str, candidate: str) -> None:
        """A candidate of the client's, for diagnosis. Raises `BadOffer` or `UnknownParticipant`."""
        self._rooms.of(participant_id)
        learned = parse_candidate(candidate)
        connection = self._connections.get(participant_id)
        if connection is not None:
            connection.endpoint.candidates.learn(learned)

    def close(self, participant_id: str, reason: str) -> None:
        """End the connection of a participant, if there is one."""
        connection = self._connections.pop(participant_id, None)
        if connection is None:
            return
        self._ended.update(_counts_of(connection))
        for name in connection.close(self.now()):
            self.switchboard.names.pop(name, None)
        self._deadlines.forget(connection)
        self._own(connection.dtls.wait_closed())
        self.observer.connection_ended(participant_id, reason, octets_of(connection.endpoint))

    def advance(self, now: float) -> Iterator[None]:
        """Do what is due at `now`, one connection at a time."""
        for connection in self._deadlines.due(now):
            connection.endpoint.advance(now)
            connection.pump()
            yield

    def counters(self) -> Counter[str]:
        """What all connections have counted, those that have ended too."""
        counts = Counter(self._ended)
        for connection in self._connections.values():
            counts.update(_counts_of(connection))
        return counts

    # what connections ask for

    def schedule(self, connection: Connection) -> None:
        """Wake the connection at its deadline."""
        self._deadlines.set(connection, connection.endpoint.deadline())

    def connection_gone(self, connection: Connection, reason: str) -> None:
        """A connection has ended by itself; the participant stays."""
        if self._connections.get(connection.participant) is connection:
            self.close(connection.participant, reason)
            self._rooms.tell(connection.room)
            self.observer.media_gone(connection.participant, reason)


def _counts_of(connection: Connection) -> Counter[str]:
    """What one connection has counted, under the names of the whole server."""
    endpoint = connection.endpoint
    counts = Counter({f"dropped_{kind}": count for kind, count in endpoint.drops.items()})
    counts["packets_in"] = endpoint.packets_in
    counts["octets_in"] = endpoint.octets_in
    return counts
