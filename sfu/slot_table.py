"""The slot table of an inbound stream: its current slots, in the form that the packet step walks.

The usual packet takes one line: it is the newest, and nothing is due. Everything else (a late packet, the first packet
after a switch, a pause in which delay is given back) takes `_carefully`.
"""

import math
from collections.abc import Iterable

from sfu.dtmf import KeyPress
from sfu.forward import ExtensionBlock, Fan, SendingSocket, Target, build_fan, forward
from sfu.slot import Slot
from sfu.stream import InboundPacket, InboundStream
from sfu.voice import SILENCE

PREROLL_PACKETS = 5
"""Packets from before the first voiced one that are sent too when a speaker is switched in."""

PREROLL_SECONDS = 0.1
"""The delay that these may cause. After DTX, five packets would be two seconds."""

REPORT_AGE = 10.0
"""Seconds for which a listener's report on a slot is believed."""


class SlotTable:
    """Forwards one stream to its slots.

    `packets` and `octets` (payload only, RFC 3550 section 6.4.1) count what was forwarded since the stream began.
    """

    def __init__(self, stream: InboundStream) -> None:
        """Begin with no slots."""
        self.stream = stream
        self.slots: list[Slot] = []
        self.packets = 0
        self.octets = 0
        self._fan: Fan = ()
        self._settled = True

    def add(self, slot: Slot) -> None:
        """Put the stream into `slot`, from its next packet on."""
        slot.bind(self.stream, self.stream.highest + 1)
        self._take_in(slot)

    def add_speaking(self, slot: Slot, arrival: float) -> None:
        """Put the stream into `slot` from the packet on that is being handled: the first voiced one, or a takeover's.

        The few packets before it are sent too, and the delay is owed.
        """
        stream, packet = self.stream, self.stream.packet
        newest = packet.timestamp if packet.sequence > stream.highest else stream.highest_timestamp
        left = round(PREROLL_SECONDS * stream.clock_rate) - slot.owed
        recent = sorted(entry for entry in stream.ring if (newest - entry[1]) & 0xFFFFFFFF <= left)[-PREROLL_PACKETS:]
        slot.bind(stream, recent[0][0] if recent else packet.sequence)
        self._take_in(slot)
        for sequence, timestamp, level, payload in recent:
            if slot.fresh:
                slot.begin(sequence, timestamp, arrival)
                slot.owed += (newest - timestamp) & 0xFFFFFFFF
            entry = slot.target()
            if entry is not None:
                forward(build_fan((entry,)), sequence, timestamp, 0, level, payload)
                slot.fresh = False
                slot.tally.correct(1, len(payload))
        self.rebuild()

    def _take_in(self, slot: Slot) -> None:
        slot.tally.begin(self)
        self.slots.append(slot)
        self.rebuild()

    def remove(self, slot: Slot) -> None:
        """Take the stream out of `slot`."""
        if slot not in self.slots:
            return
        self.slots.remove(slot)
        slot.unbind()
        slot.tally.end()
        self.rebuild()

    def clear(self) -> None:
        """Take the stream out of all its slots."""
        for slot in list(self.slots):
            self.remove(slot)

    def rebuild(self) -> None:
        """Draw up the packet step's list again: a slot, its route or its extensions have changed."""
        self._settled = not any(slot.fresh or slot.rested is not None for slot in self.slots)
        self._fan = self._fan_of(self.slots) if self._settled else ()

    @staticmethod
    def _fan_of(slots: Iterable[Slot]) -> Fan:
        entries = (slot.target() for slot in slots)
        return build_fan(entry for entry in entries if entry is not None)

    def pause(self) -> None:
        """The speaker has fallen silent: slots that owe delay leave out a part of the pause."""
        owing = [slot for slot in self.slots if slot.owed > 0 and slot.rested is None and not slot.fresh]
        for slot in owing:
            slot.rest()
        if owing:
            self.rebuild()

    def packet(self, stream: InboundStream, packet: InboundPacket, arrival: float) -> None:
        """Forward one packet (`Listener.packet`)."""
        if self._settled and packet.sequence == stream.highest:
            forward(self._fan, packet.sequence, packet.timestamp, packet.marker, packet.level, packet.payload)
        else:
            self._carefully(stream, packet, arrival)
        self.packets += 1
        self.octets += len(packet.payload)

    def _carefully(self, stream: InboundStream, packet: InboundPacket, arrival: float) -> None:
        """The unusual packet. A late one of before a switch is dropped, never sent: its number is another's now."""
        newest = packet.sequence == stream.highest
        for slot in self.slots:
            if newest:
                slot.resume(packet, voiced=stream.voice.voiced)
        takers = [slot for slot in self.slots if slot.takes(packet.sequence)]
        for slot in takers:
            if slot.fresh:
                slot.begin(packet.sequence, packet.timestamp, arrival)
        fan = self._fan_of(takers)
        forward(fan, packet.sequence, packet.timestamp, packet.marker, packet.level, packet.payload)
        for slot in self.slots:
            if slot in takers:
                slot.fresh = False
            else:
                slot.tally.correct(-1, -len(packet.payload))
        if not self._settled:
            self.rebuild()

    def event(self, event: KeyPress, clock_rate: int) -> None:
        """Forward the stream's telephone event to the slots whose receiver knows them, under its payload type.

        Its duration is told in the receiver's clock rate; its timestamp stays on the voice's base (RFC 4733 section
        2.1). For the others it was never sent.
        """
        packet, arrival = self.stream.packet, self.stream.statistics.last_arrival
        newest = packet.sequence == self.stream.highest
        entries: dict[int, list[tuple[SendingSocket, ExtensionBlock, Target]]] = {}
        for slot in self.slots:
            form = slot.form.events
            if form is None:
                if newest:
                    slot.skip(packet.sequence)
                continue
            if newest:
                slot.resume(packet)
            if not slot.takes(packet.sequence):
                continue
            if slot.fresh:
                slot.begin(packet.sequence, packet.timestamp, arrival or 0.0)
            entry = slot.target(form.payload_type)
            if entry is not None:
                entries.setdefault(form.clock_rate, []).append(entry)
                slot.tally.correct(1, len(packet.payload))
            slot.fresh = False
        for rate, found in entries.items():
            payload = event.at_rate(clock_rate, rate).payload()
            forward(build_fan(found), packet.sequence, packet.timestamp, packet.marker, SILENCE, payload)
        self.rebuild()

    def loss_percentile(self, now: float) -> float:
        """The loss that nine in ten listeners do not exceed, 0..1, by their recent reports on this talker."""
        deliveries = [slot.attribution.delivery for slot in self.slots]
        lost = sorted(
            delivery.fraction_lost
            for delivery in deliveries
            if delivery is not None and delivery.reported_at is not None and now - delivery.reported_at < REPORT_AGE
        )
        return lost[math.ceil(0.9 * len(lost)) - 1] if lost else 0.0
