"""The keys that people press in a room: those that come by RTP, and those that are sent for them. Pure.

Whoever may not be heard presses none; whoever may not hear is sent none. `now` is in monotonic seconds.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sfu.dtmf import Event, Keys, Tone, ToneReader
from sfu.keypad import Keypad
from sfu.slot import Slot
from sfu.stream import InboundStream

if TYPE_CHECKING:
    from sfu.room import Participant


class RoomTones:
    """Keys of all participants of one room. `changed` is called when there are tones to be told."""

    def __init__(self, participants: "Mapping[str, Participant]", changed: Callable[[], None]) -> None:
        """Begin with nothing pressed."""
        self._participants = participants
        self._changed = changed
        self._told: list[Tone] = []
        self._readers: dict[InboundStream, ToneReader] = {}
        self._keypads: dict[str, Keypad] = {}

    def press(self, participant_id: str, keys: Keys, now: float) -> bool:
        """Tones to be sent for a participant; False where too many wait."""
        if not self._participants[participant_id].flags.may_speak:
            return True
        keypad = self._keypads.setdefault(participant_id, Keypad(participant_id))
        if not keypad.has_room_for(keys):
            return False
        keypad.press(keys, now)
        return True

    def advance(self, now: float) -> None:
        """Send the packets that are due."""
        for participant_id, keypad in list(self._keypads.items()):
            if keypad.deadline() <= now:
                self._note(keypad.advance(self._slots_of(participant_id), now))
                for table in self._participants[participant_id].tables.values():
                    table.rebuild()
            if keypad.deadline() == math.inf:
                del self._keypads[participant_id]

    def deadline(self) -> float:
        """When the next of them is due; infinity when none is."""
        return min((keypad.deadline() for keypad in self._keypads.values()), default=math.inf)

    def event(self, stream: InboundStream, event: Event, clock_rate: int, arrival: float) -> None:
        """A telephone event has come of somebody who may be heard (`stream.EventHandler`)."""
        self._participants[stream.participant].tables[stream.id].event(event, clock_rate)
        reader = self._readers.setdefault(stream, ToneReader(stream.participant))
        self._note(reader.add(event, stream.packet.timestamp, clock_rate, arrival))

    def expire(self, now: float) -> None:
        """Note the tones of which nothing more has come."""
        for reader in self._readers.values():
            self._note(reader.expire(now))

    def silence(self, participant_id: str) -> None:
        """Somebody may not be heard any more, or has left: what waits is not sent."""
        self._keypads.pop(participant_id, None)

    def end(self, stream: InboundStream) -> None:
        """A stream is not heard any more."""
        self._readers.pop(stream, None)

    def take_told(self) -> list[Tone]:
        """The tones since the last call, in order."""
        told, self._told = self._told, []
        return told

    def _slots_of(self, participant_id: str) -> set[Slot]:
        """The slots in which others may hear this participant now, whether it sends anything or not."""
        hearing = (listener for listener in self._participants.values() if listener.flags.may_hear)
        return {slot for listener in hearing for slot in listener.slots if slot.participant == participant_id}

    def _note(self, tones: list[Tone]) -> None:
        if tones:
            self._told += tones
            self._changed()
