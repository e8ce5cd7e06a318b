"""The keys that a participant has pressed without sending RTP: the server makes the events for every listener. Pure.

In each slot in which the participant is now, an event takes sequence numbers between those of the voice, and the
timestamp that the slot had when the tone began (RFC 4733 sections 2.1 and 2.5.1.6). A slot that goes to somebody else
meanwhile hears no more of it; one that comes to the participant meanwhile hears of the next tone.
"""

from collections.abc import Collection
from typing import NamedTuple

from sfu.dtmf import MOST_WAITING, TONES, Dialler, Event, Keys, Step, Tone
from sfu.forward import ExtensionBlock, SendingSocket, Target, build_fan, forward
from sfu.slot import MARKER, Slot
from sfu.stream import OPUS_CLOCK
from sfu.voice import SILENCE


class _Packet(NamedTuple):
    """One event packet for one slot; `timestamp` is the segment's."""

    slot: Slot
    payload_type: int
    timestamp: int
    event: Event


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
        by_payload: dict[bytes, list[tuple[SendingSocket, ExtensionBlock, Target]]] = {}
        for slot in slots:
            form = slot.form.events
            assert form is not None
            for offset, event in step.events(form.clock_rate):
                timestamp = self._began[slot] + offset * OPUS_CLOCK // form.clock_rate
                entry = _entry(_Packet(slot, form.payload_type, timestamp, event), step)
                if entry is not None:
                    by_payload.setdefault(event.payload(), []).append(entry)
        marker = MARKER if step.first else 0
        for payload, entries in by_payload.items():
            forward(build_fan(entries), 0, 0, marker, SILENCE, payload)


def _entry(packet: _Packet, step: Step) -> tuple[SendingSocket, ExtensionBlock, Target] | None:
    """The packet for the packet step, under the slot's next number; None while there is no way to the receiver."""
    slot = packet.slot
    entry = slot.target(packet.payload_type)
    if entry is None:
        return None
    socket, extension, target = entry
    number = slot.insert(packet.timestamp, step.begun)
    slot.tally.correct(1, len(packet.event.payload()))
    return (
        socket,
        extension,
        target._replace(sequence_offset=number, timestamp_offset=packet.timestamp, type_and_marker=packet.payload_type),
    )
