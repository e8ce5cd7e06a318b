"""The rooms of a media server by id: creation, closing, attached listeners, and reports to the observer. Pure.

A room lasts while it has participants. One that was made for a listener before anybody joined lasts while something is
attached to it.
"""

from collections.abc import Callable, Collection, Iterator

from sfu.deadlines import Deadlines
from sfu.errors import UnknownParticipant
from sfu.listener import Listener
from sfu.observer import MediaObserver, SlotAssignment
from sfu.room import MediaRoom
from sfu.selection import MuteFlags


class Rooms:
    """All rooms of one server, and the room of each participant.

    `listener_failures` counts the listeners that have raised, and were detached.
    """

    def __init__(self, observer: MediaObserver, now: Callable[[], float]) -> None:
        """Begin without rooms. `now` gives monotonic seconds."""
        self.listener_failures = 0
        self._observer = observer
        self._now = now
        self._room_of: dict[str, MediaRoom] = {}
        self._rooms: dict[str, MediaRoom] = {}
        self._restless: set[MediaRoom] = set()
        self._deadlines: Deadlines[MediaRoom] = Deadlines()

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[MediaRoom]:
        return iter(tuple(self._rooms.values()))

    @property
    def participants(self) -> Collection[str]:
        """The participants of all rooms."""
        return self._room_of.keys()

    def of(self, participant_id: str) -> MediaRoom:
        """The room that a participant is in. Raises `UnknownParticipant`."""
        room = self._room_of.get(participant_id)
        if room is None:
            raise UnknownParticipant(participant_id)
        return room

    def find(self, room_id: str) -> MediaRoom | None:
        """The room of this id; None where there is none."""
        return self._rooms.get(room_id)

    def join(self, room_id: str, participant_id: str, flags: MuteFlags) -> MediaRoom:
        """A participant is in a room from now on; made when there is none."""
        room = self._room_of[participant_id] = self.make(room_id)
        room.add(participant_id, flags, self._now())
        self.tell(room)
        return room

    def leave(self, participant_id: str) -> None:
        """A participant is in no room from now on; their room ends with its last one. Raises `UnknownParticipant`."""
        room = self.of(participant_id)
        del self._room_of[participant_id]
        room.remove(participant_id, self._now())
        self.tell(room)
        if not room.participants:
            self.close(room, "empty")

    def make(self, room_id: str) -> MediaRoom:
        """The room of this id; made when there is none."""
        room = self._rooms.get(room_id)
        if room is None:
            room = self._rooms[room_id] = MediaRoom(room_id, self._restless)
        return room

    def close(self, room: MediaRoom, reason: str) -> None:
        """End a room; what is attached to it is told."""
        room.close(reason, self._now())
        self.tell(room)
        self._deadlines.forget(room)
        self._rooms.pop(room.id, None)

    def attach(self, room_id: str, listener: Listener) -> None:
        """Let a listener hear a room; made when there is none."""
        room = self.make(room_id)
        room.attach(listener, self._now())
        self.tell(room)

    def detach(self, room_id: str, listener: Listener) -> None:
        """Undo `attach`. A listener that is not attached, and a room that has ended, are passed over."""
        room = self.find(room_id)
        if room is not None:
            room.detach(listener)
            if not room.participants and not room.listeners:
                self.close(room, "empty")

    def tell(self, room: MediaRoom) -> None:
        """Tell the observer whose slots have changed, who speaks, and which keys were pressed.

        Every change of a room is followed by this, so that the room is also visited when it next has something due.
        """
        changes = room.take_changes()
        self._deadlines.set(room, changes.deadline)
        self.listener_failures += changes.failures
        if changes.speakers is not None:
            self._observer.speakers_changed(room.id, changes.speakers)
        for tone in changes.tones:
            self._observer.tone(*tone)
        for participant_id in changes.slots:
            participant = room.participants.get(participant_id)
            if participant is not None:
                slots = [
                    SlotAssignment(slot.form.mid, heard.participant, heard.gain)
                    for slot, heard in zip(participant.slots, participant.heard, strict=True)
                ]
                self._observer.slots_changed(participant_id, slots)

    def tell_changed(self) -> None:
        """Do so for every room in which something has changed since."""
        for room in tuple(self._restless):
            self.tell(room)

    def advance(self, now: float) -> Iterator[None]:
        """Do what is due in rooms at `now`, one after the other; a room with nothing due is not visited."""
        self.tell_changed()
        for room in self._deadlines.due(now):
            room.advance(now)
            self.tell(room)
            yield
