"""The participants of a server: who is in which room, under which flags, with or without a peer connection."""

from collections.abc import Callable

from sfu.connections import Connections
from sfu.deadlines import Cancellable, Timers
from sfu.dtmf import Keys
from sfu.room import MediaRoom
from sfu.rooms import Rooms
from sfu.selection import MuteFlags

CallLater = Callable[[float, Callable[[], None]], Cancellable]


class Participants:
    """All participants of one server. Each method but `add` and `remove` raises `UnknownParticipant`."""

    def __init__(self, rooms: Rooms, connections: Connections, call_later: CallLater) -> None:
        """Begin without participants. `call_later` sets the timers of tones, as `loop.call_later`."""
        self._rooms = rooms
        self._connections = connections
        self._now = connections.now
        self._tones: Timers[MediaRoom] = Timers(self._advance_tones, call_later)

    def add(self, room_id: str, participant_id: str, flags: MuteFlags) -> None:
        """A participant joins a room, with or without media."""
        self._rooms.join(room_id, participant_id, flags)

    def remove(self, participant_id: str) -> None:
        """A participant leaves, and their peer connection ends. One who is in no room is passed over."""
        if participant_id in self._rooms.participants:
            self._connections.close(participant_id, "left")
            self._rooms.leave(participant_id)

    def move(self, participant_id: str, room_id: str, flags: MuteFlags) -> None:
        """A participant goes to another room, and the peer connection goes on."""
        self._rooms.leave(participant_id)
        room = self._rooms.join(room_id, participant_id, flags)
        connection = self._connections.get(participant_id)
        if connection is not None:
            connection.enter(room, self._now())
            self._rooms.tell(room)

    def set_flags(self, participant_id: str, flags: MuteFlags) -> None:
        """Mute, deafen, suppress, or lift it; in force from the next packet on."""
        room = self._rooms.of(participant_id)
        room.set_flags(participant_id, flags, self._now())
        self._rooms.tell(room)

    def press_keys(self, participant_id: str, keys: Keys) -> bool:
        """Send DTMF tones as this participant; False where too many wait already."""
        room = self._rooms.of(participant_id)
        taken = room.tones.press(participant_id, keys, self._now())
        self._tones.wind(room)
        return taken

    def close(self) -> None:
        """Every participant leaves; no tone is sent any more."""
        for participant_id in list(self._rooms.participants):
            self.remove(participant_id)
        self._tones.close()

    def _advance_tones(self, room: MediaRoom) -> float:
        """Send what is due of the tones in a room; seconds until more of it is."""
        now = self._now()
        room.tones.advance(now)
        self._rooms.tell(room)
        return room.tones.deadline() - now
