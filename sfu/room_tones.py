"""DTMF tones of a room: those that arrive over RTP, and those that the server sends. Pure.

A participant who may not be heard presses none; one who may not hear is sent none. For keys that a participant presses
without sending RTP, the server makes the events for every listener: in each slot in which the participant is now, an
event takes sequence numbers between those of the voice, and the timestamp that the slot had when the tone began (RFC
4733 sections 2.1 and 2.5.1.6). So do events that come on another SSRC than the voice's. A slot that goes to another
participant meanwhile hears no more of the tone; a slot that comes to the participant meanwhile hears the next tone.
`now` is in monotonic seconds.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from sfu.dtmf import MOST_WAITING, TONES, Dialler, KeyPress, Keys, Step, Tone, ToneReader
from sfu.forward import ExtensionBlock, SendingSocket, Target, build_fan, forward
from sfu.participant import MediaParticipant
from sfu.slot import MARKER, Slot
from sfu.sources import BareKeyPress
from sfu.stream import InboundStream
from sfu.voice import SILENCE


class _Packet(NamedTuple):
    """One event packet for one slot; `timestamp` is the segment's."""

    slot: Slot
    payload_type: int
    timestamp: int
    key: KeyPress


class Keypad:
    """One participant's keys, and in which slots the present tone is heard."""

    def __init__(self, participant: str) -> None:
        """Begin with nothing pressed."""
        self._participant = participant
        self._dialler = Dialler()
        self._began: dict[Slot, int] = {}
        self.press = self._dialler.press
        self.deadline = self._dialler.deadline

    def has_room_for(self, keys: Keys) -> bool:
        """Whether so many more may wait."""
        return self._dialler.waiting + len(keys.tones) <= MOST_WAITING

    def advance(self, slots: Collection[Slot], now: float) -> list[Tone]:
        """Send what is due to those of `slots` whose receiver knows events; the tones that are over."""
        told: list[Tone] = []
        for step in self._dialler.advance(now):
            if step.first:
                self._began = {slot: slot.timestamp_at(step.begun) for slot in slots if slot.form.events}
            self._send(step, [slot for slot in self._began if slot in slots])
            if step.told:
                told.append(Tone(self._participant, TONES[step.code], step.elapsed))
        return told

    def _send(self, step: Step, slots: Collection[Slot]) -> None:
        packets: list[_Packet] = []
        for slot in slots:
            form = slot.form.events
            assert form is not None
            for offset, key in step.events(form.clock_rate):
                timestamp = self._began[slot] + offset * slot.form.clock_rate // form.clock_rate
                packets.append(_Packet(slot, form.payload_type, timestamp, key))
        _insert(packets, step.begun, first=step.first)


class _Source:
    """One SSRC's keys: the reader of its tones, and for each slot into which they are inserted where the tone began."""

    def __init__(self, participant_id: str) -> None:
        """Begin with nothing pressed."""
        self.reader = ToneReader(participant_id)
        self._timestamp: int | None = None
        self._begun = 0.0
        self._began: dict[Slot, int] = {}

    def insert(self, bare: BareKeyPress, slots: Collection[Slot], arrival: float) -> None:
        """Send a packet of an event that is not the active stream's to those of `slots` whose receiver knows events."""
        ahead = 1 if self._timestamp is None else (bare.timestamp - self._timestamp) & 0xFFFFFFFF
        if ahead >= 1 << 31:
            return
        if ahead:
            self._timestamp, self._begun = bare.timestamp, arrival
            self._began = {slot: slot.timestamp_at(arrival) for slot in slots if slot.form.events}
        packets = [
            _Packet(slot, form.payload_type, began, bare.key.at_rate(bare.clock_rate, form.clock_rate))
            for slot, began in self._began.items()
            if slot in slots and (form := slot.form.events) is not None
        ]
        _insert(packets, self._begun, first=ahead > 0)


def _insert(packets: Iterable[_Packet], begun: float, *, first: bool) -> None:
    """Send event packets under numbers of their own, between those of the voice; `first` sets the marker."""
    by_payload: dict[bytes, list[tuple[SendingSocket, ExtensionBlock, Target]]] = {}
    for packet in packets:
        entry = _entry(packet, begun)
        if entry is not None:
            by_payload.setdefault(packet.key.payload(), []).append(entry)
    for payload, entries in by_payload.items():
        forward(build_fan(entries), 0, 0, MARKER if first else 0, SILENCE, payload)


def _entry(packet: _Packet, begun: float) -> tuple[SendingSocket, ExtensionBlock, Target] | None:
    """The packet for the packet step, under the slot's next number; None while there is no way to the receiver."""
    slot = packet.slot
    entry = slot.target(packet.payload_type)
    if entry is None:
        return None
    socket, extension, target = entry
    number = slot.insert(packet.timestamp, begun)
    slot.tally.correct(1, len(packet.key.payload()))
    return (
        socket,
        extension,
        target._replace(sequence_offset=number, timestamp_offset=packet.timestamp, type_and_marker=packet.payload_type),
    )


class RoomTones:
    """Keys of all participants of one room.

    `pressed` is called with each tone that is over, and the time; `changed` when `expiry` may have become earlier.
    """

    def __init__(
        self,
        participants: Mapping[str, MediaParticipant],
        pressed: Callable[[Tone, float], None],
        changed: Callable[[], None],
    ) -> None:
        """Begin with nothing pressed."""
        self._participants = participants
        self._pressed = pressed
        self._changed = changed
        self._sources: dict[tuple[str, int], _Source] = {}
        self._keypads: dict[str, Keypad] = {}

    def press(self, participant_id: str, keys: Keys, now: float) -> bool:
        """Tones to be sent for a participant; False where too many wait."""
        if not self._participants[participant_id].audible:
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
                self._note(keypad.advance(self._slots_of(participant_id), now), now)
                self._rebuild(participant_id)
            if keypad.deadline() == math.inf:
                del self._keypads[participant_id]

    def deadline(self) -> float:
        """When the next of them is due; infinity when none is."""
        return min((keypad.deadline() for keypad in self._keypads.values()), default=math.inf)

    def event(self, stream: InboundStream, event: KeyPress, clock_rate: int, arrival: float) -> None:
        """Take a telephone event of a participant who may be heard (`stream.KeyPressHandler`)."""
        if stream.active:
            self._participants[stream.participant].tables[stream.id].event(event, clock_rate)
        bare = BareKeyPress(stream.ssrc, event, clock_rate, stream.packet.timestamp)
        self._take(stream.participant, bare, arrival, sent=stream.active)

    def take(self, participant_id: str, bare: BareKeyPress, arrival: float) -> None:
        """Take a telephone event on an SSRC without a stream."""
        if self._participants[participant_id].audible:
            self._take(participant_id, bare, arrival, sent=False)

    def _take(self, participant_id: str, bare: BareKeyPress, arrival: float, *, sent: bool) -> None:
        """Note the tone, and insert the event into the slots of the participant's voice where it was not sent there."""
        source = self._sources.setdefault((participant_id, bare.ssrc), _Source(participant_id))
        if not sent:
            source.insert(bare, self._slots_of(participant_id), arrival)
            self._rebuild(participant_id)
        self._note(source.reader.add(bare.key, bare.timestamp, bare.clock_rate, arrival), arrival)
        self._changed()

    def expire(self, now: float) -> None:
        """Note the tones of which nothing more has come."""
        for source in self._sources.values():
            self._note(source.reader.expire(now), now)

    def expiry(self) -> float:
        """When `expire` next has something to note; infinity when never."""
        return min((source.reader.deadline() for source in self._sources.values()), default=math.inf)

    def silence(self, participant_id: str) -> None:
        """Forget the keys of a participant who may not be heard any more, or has left; what waits is not sent."""
        self._keypads.pop(participant_id, None)
        for owner, ssrc in list(self._sources):
            if owner == participant_id:
                self.end(owner, ssrc)

    def end(self, participant_id: str, ssrc: int) -> None:
        """An SSRC is not heard any more."""
        self._sources.pop((participant_id, ssrc), None)

    def _slots_of(self, participant_id: str) -> set[Slot]:
        """The slots in which others may hear this participant now, whether it sends anything or not."""
        return {
            slot
            for listener in self._participants.values()
            for slot, heard in zip(listener.slots, listener.heard, strict=True)
            if heard.allowed and heard.participant == participant_id
        }

    def _rebuild(self, participant_id: str) -> None:
        """Draw up the packet steps again: inserted packets have moved the numbers of the slots."""
        for table in self._participants[participant_id].tables.values():
            table.rebuild()

    def _note(self, tones: list[Tone], now: float) -> None:
        for tone in tones:
            self._pressed(tone, now)
