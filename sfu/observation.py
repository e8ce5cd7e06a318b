"""What can be seen of a media server from outside: statistics, live readings of rooms, counters, gauges."""

from collections import Counter

from quality.delivery import DeliverySnapshot
from sfu.connections import Connections
from sfu.deadlines import LoopLag
from sfu.probe import Reading
from sfu.rooms import Rooms
from sfu.statistics import connection_statistics, deliveries


class Observation:
    """The figures of one server. The receive loop adds to `counts`, the timer to `lag`."""

    def __init__(self, rooms: Rooms, connections: Connections) -> None:
        """Begin at zero."""
        self.counts: Counter[str] = Counter({"dropped_stun_rate": 0})
        self.lag = LoopLag()
        self._rooms = rooms
        self._connections = connections

    def statistics(self, participant_id: str) -> list[dict[str, object]]:
        """What is measured of a participant's streams, each way, in the names of W3C webrtc-stats."""
        connection = self._connections.get(participant_id)
        if connection is None:
            return []
        now, epoch = self._connections.now(), self._connections.epoch
        return connection_statistics(connection.endpoint, connection.dtls.state, now, epoch)

    def live(self, room_id: str) -> list[Reading]:
        """Who is in a room, who speaks, and what each sends at this moment; empty where there is no such room."""
        room = self._rooms.find(room_id)
        return [] if room is None else room.probe.read(self._connections.now())

    def deliveries(self, room_id: str) -> list[DeliverySnapshot]:
        """How each participant of a room hears each other at this moment: what was forwarded, lost, last heard."""
        room = self._rooms.find(room_id)
        return [] if room is None else deliveries(room.participants.values(), self._connections.now())

    def counters(self) -> dict[str, int]:
        """What has been counted since the start: packets in and out, and every kind of drop."""
        counts = self._connections.counters()
        counts.update(self.counts)
        counts.update(self._connections.switchboard.counters())
        counts["listener_failures"] = self._rooms.listener_failures
        return dict(counts)

    def gauges(self) -> dict[str, float]:
        """How things are now."""
        return {
            "rooms": len(self._rooms),
            "participants": len(self._rooms.participants),
            "endpoints": len(self._connections),
            "endpoints_connected": sum(connection.connected for connection in self._connections),
            "loop_lag_seconds": self.lag.seconds,
        }
