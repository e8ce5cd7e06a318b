"""A room of the SFU: its participants, their streams, and its listeners. Pure; `now` is in monotonic seconds.

The room decides nothing: `sfu/selection.py` says what passes, and the room opens and closes the way of streams into
slots and to listeners (`sfu/listener.py`) accordingly.
"""

from collections.abc import Iterable
from typing import NamedTuple

from quality.delivery import Delivery
from sfu.active_stream import newest
from sfu.dtmf import Tone
from sfu.listener import (
    ClockReported,
    KeyPressed,
    Listener,
    Listeners,
    ParticipantJoined,
    ParticipantLeft,
    RoomClosed,
    StreamBegan,
    StreamEnded,
    StreamMuted,
    StreamUnmuted,
)
from sfu.observer import Speaker
from sfu.participant import MediaParticipant
from sfu.probe import Probe
from sfu.room_tones import RoomTones
from sfu.selection import Heard, MuteFlags, Sink, select
from sfu.slot import Slot
from sfu.slot_table import SlotTable
from sfu.stream import InboundPacket, InboundStream, PacketHandler

REVIEW_SECONDS = 0.2
"""How often levels are told, and claims to slots compared while more people speak than somebody has slots."""

LOSS_REVIEW_SECONDS = 1.0
"""How often it is reckoned what the listeners of a stream lose, which its publisher is told."""


class RoomChanges(NamedTuple):
    """What those who run the room should know."""

    slots: set[str]
    """Participants in whose slots somebody else is heard now."""
    speakers: list[Speaker] | None
    """Who speaks, loudest first; None where that has not changed."""
    tones: list[Tone]
    """Keys that somebody has pressed, in order."""
    failures: int
    """Listeners that have raised, and were detached."""
    deadline: float
    """When `advance` next has something to do; infinity when never."""


class MediaRoom:
    """One room. Every change is followed by `_select`, which has `sfu/selection.py` decide; packets decide nothing."""

    def __init__(self, room_id: str, restless: "set[MediaRoom] | None" = None) -> None:
        """Begin empty. The room puts itself into `restless` when `take_changes` has something new to say."""
        self.id = room_id
        self._restless = set() if restless is None else restless
        self.participants: dict[str, MediaParticipant] = {}
        self.probe = Probe()
        self.listeners = Listeners(self.probe, self._listener_failed)
        self._failures = 0
        self._dirty: set[str] = set()
        self._ranking: tuple[str, ...] = ()
        self._fewest = 0
        self._review_at = 0.0
        self._loss_review_at = 0.0
        self._speakers: list[Speaker] | None = None
        self._pressed: list[Tone] = []
        self._levels: dict[str, int] = {}
        self.tones = RoomTones(self.participants, self._key_pressed, self._stir)

    # people

    def add(self, participant_id: str, flags: MuteFlags, now: float) -> MediaParticipant:
        """A participant joins."""
        participant = self.participants[participant_id] = MediaParticipant(participant_id, flags)
        self.listeners.event(ParticipantJoined(participant_id), now)
        self._select(now)
        return participant

    def remove(self, participant_id: str, now: float) -> None:
        """A participant leaves: their slots are emptied, and their streams taken out of everybody's."""
        participant = self.participants.get(participant_id)
        if participant is None:
            return
        for slot in participant.slots:
            self._put(participant, slot, None)
        for stream in list(participant.streams):
            self._end_stream(participant, stream, now)
        del self.participants[participant_id]
        for other in self.participants.values():
            other.deliveries.pop(participant_id, None)
        self._dirty.discard(participant_id)
        self.tones.silence(participant_id)
        self.listeners.event(ParticipantLeft(participant_id), now)
        self._select(now)

    def set_flags(self, participant_id: str, flags: MuteFlags, now: float) -> None:
        """A mute or deafen changes what is delivered from the next packet on."""
        self.participants[participant_id].flags = flags
        self._select(now)

    # what they send

    def add_stream(self, participant_id: str, stream: InboundStream, now: float) -> None:
        """A participant has begun to send: the first stream is active, a further one stands by."""
        participant = self.participants[participant_id]
        participant.streams.append(stream)
        participant.tables[stream.id] = SlotTable(stream)
        stream.on_clock = self._clock_reported
        if participant.voice.stream is None:
            participant.voice.choose(stream)
        self.listeners.event(StreamBegan(stream), now)
        self._stir()
        if participant.audible:
            self._open(participant, stream)
        else:
            self.listeners.event(StreamMuted(stream), now)
        self._select(now)

    def remove_stream(self, participant_id: str, stream: InboundStream, now: float) -> None:
        """A stream has ended (BYE, a changed SSRC, a lost endpoint)."""
        participant = self.participants[participant_id]
        if stream in participant.streams:
            self._end_stream(participant, stream, now)
            self._select(now)

    # who hears

    def set_slots(self, participant_id: str, slots: Iterable[Slot], now: float) -> None:
        """The slots through which a participant hears from now on; those that they had are emptied."""
        participant = self.participants[participant_id]
        slots = list(slots)
        for slot in participant.slots:
            if slot not in slots:
                self._put(participant, slot, None)
        participant.slots, participant.heard = slots, ()
        participant.places = tuple(slot.participant for slot in slots)
        self._select(now)
        self._mark(participant_id)

    def route_changed(self, participant_id: str) -> None:
        """The way to a listener is there, or is another (address, keys, extensions): packet steps are drawn up anew."""
        participant = self.participants[participant_id]
        self._carry(participant, participant.heard)
        for slot in participant.slots:
            table = self._table_of(slot)
            if table is not None:
                table.rebuild()

    def _table_of(self, slot: Slot) -> SlotTable | None:
        """The slot table that a slot is in now."""
        if slot.stream is None:
            return None
        owner = self.participants.get(slot.stream.participant)
        return None if owner is None else owner.tables.get(slot.stream.id)

    def attach(self, listener: Listener, now: float) -> None:
        """Let a listener hear the whole room from now on. One that is attached already stays as it is."""
        attachment = self.listeners.add(listener)
        if attachment is None:
            return
        for participant in self.participants.values():
            attachment.event(ParticipantJoined(participant.id), now)
            for stream in participant.streams:
                attachment.event(StreamBegan(stream), now)
                if not participant.audible:
                    attachment.event(StreamMuted(stream), now)
        self._hand_out()

    def detach(self, listener: Listener) -> None:
        """Undo `attach`; the listener hears nothing more, not even that. One that is not attached is passed over."""
        self.listeners.remove(listener)
        self._hand_out()

    def close(self, reason: str, now: float) -> None:
        """The room has ended; every listener is told."""
        self.listeners.event(RoomClosed(reason), now)
        for listener in list(self.listeners):
            self.listeners.remove(listener)

    def _handlers(self, participant: MediaParticipant, stream: InboundStream) -> tuple[PacketHandler, ...]:
        """What takes the packets of a stream that may be heard: the table of its slots, then whatever is attached.

        No slot carries a standby stream; its packets are counted instead, until it takes over.
        """
        first = participant.tables[stream.id].packet if stream.active else self._standby_packet
        return (first, *self.listeners.handlers())

    def _hand_out(self) -> None:
        """Give the packets of every open stream to what is attached now."""
        for participant in self.participants.values():
            for stream in participant.streams:
                if stream.handlers:
                    stream.handlers = self._handlers(participant, stream)

    def _listener_failed(self) -> None:
        self._failures += 1
        self._stir()
        self._hand_out()

    def _clock_reported(self, stream: InboundStream, ntp: int, rtp_timestamp: int, now: float) -> None:
        self.listeners.event(ClockReported(stream, ntp, rtp_timestamp), now)

    def _key_pressed(self, tone: Tone, now: float) -> None:
        self.listeners.event(KeyPressed(*tone), now)
        self._pressed.append(tone)
        self._stir()

    # time

    def advance(self, now: float) -> None:
        """Do what is due: let speakers fall silent, compare claims, note who speaks and what listeners lose.

        A room in which nobody sends has nothing due.
        """
        for participant in self.participants.values():
            for stream in participant.streams:
                if stream.voice.expire(now) and stream.active:
                    self._voice_changed(stream, now)
        self.tones.expire(now)
        if now >= self._loss_review_at:
            self._loss_review_at = now + LOSS_REVIEW_SECONDS
            self.probe.measure(now)
            for participant in self.participants.values():
                participant.review_loss(now)
        if now >= self._review_at:
            self._review_at = now + REVIEW_SECONDS
            self._review_speakers(now)

    def _review_speakers(self, now: float) -> None:
        if self._fewest and len(self.probe.voices()) > self._fewest:
            self._select(now)
        levels = self.probe.levels()
        if levels != self._levels:
            self._levels, self._speakers = levels, self.probe.speakers()

    def _deadline(self) -> float:
        """When `advance` next has something to do. A voiced packet puts it off, which costs nothing."""
        deadline = self.tones.expiry()
        speaking = bool(self._levels)
        for participant in self.participants.values():
            for stream in participant.streams:
                deadline = min(deadline, self._loss_review_at, stream.voice.deadline())
                speaking = speaking or stream.voice.voiced
        return min(deadline, self._review_at) if speaking else deadline

    def take_changes(self) -> RoomChanges:
        """What has changed since the last call, and when time alone changes something."""
        changes = RoomChanges(self._dirty, self._speakers, self._pressed, self._failures, self._deadline())
        self._dirty, self._speakers, self._pressed, self._failures = set(), None, [], 0
        self._restless.discard(self)
        return changes

    def _mark(self, participant_id: str) -> None:
        """Note that a participant's slots have changed."""
        self._dirty.add(participant_id)
        self._stir()

    def _stir(self) -> None:
        """Have `take_changes` called soon."""
        self._restless.add(self)

    # what the selection has decided

    def _select(self, now: float, speaking: InboundStream | None = None) -> None:
        """Have it decided who hears whom, and carry out what differs. `speaking`: as in `_carry`."""
        people = list(self.participants.values())
        listeners = [participant for participant in people if participant.slots]
        talkers = [participant.talker() for participant in people]
        selection = select(
            talkers,
            [Sink(), *(Sink(listener.id, listener.flags, listener.places) for listener in listeners)],
            self._ranking,
        )
        self._ranking, self._fewest = selection.ranking, selection.fewest
        everybody, *carried = selection.sinks
        for participant, heard in zip(people, everybody, strict=True):
            if participant.audible != heard.allowed:
                self._set_audible(participant, heard.allowed, now)
        for listener, places in zip(listeners, carried, strict=True):
            if listener.heard != places:
                self._carry(listener, places, speaking, now)

    def _carry(
        self,
        listener: MediaParticipant,
        places: tuple[Heard, ...],
        speaking: InboundStream | None = None,
        now: float = 0.0,
    ) -> None:
        """Have each of a listener's slots carry what the selection says; a slot without a route waits for one.

        `speaking` has just begun to speak, or has taken over, with the packet that is being handled: that packet and
        those just before it are sent, too.
        """
        for slot, heard in zip(listener.slots, places, strict=True):
            if slot.participant != heard.participant:
                self._put(listener, slot, heard.participant)
                self._mark(listener.id)
            elif slot.stream is not None and slot.stream.id != heard.stream:
                self._take_out(slot)
            if slot.stream is None and slot.route is not None and heard.stream is not None:
                table = self.participants[str(heard.participant)].tables[heard.stream]
                if table.stream is speaking:
                    table.add_speaking(slot, now)
                else:
                    table.add(slot)
        listener.heard, listener.places = places, tuple([heard.participant for heard in places])

    def _put(self, listener: MediaParticipant, slot: Slot, participant_id: str | None) -> None:
        """Assign a slot of `listener` to a participant, or to nobody."""
        self._take_out(slot)
        if participant_id is None:
            slot.assign(None, None)
        else:
            slot.assign(participant_id, listener.deliveries.setdefault(participant_id, Delivery()))

    def _take_out(self, slot: Slot) -> None:
        """Let a slot carry nothing."""
        table = self._table_of(slot)
        if table is not None:
            table.remove(slot)

    def _voice_changed(self, stream: InboundStream, now: float) -> None:
        """A talker has begun or ended to speak: with too few slots that decides who is heard."""
        self._stir()
        speaking = stream if stream.voice.voiced else None
        if speaking is None:
            self.participants[stream.participant].tables[stream.id].pause()
        if self._fewest:
            self._select(now, speaking)

    def _set_audible(self, participant: MediaParticipant, audible: bool, now: float) -> None:
        """Open or close the way from a participant's streams to everybody."""
        participant.audible = audible
        if not audible:
            self.tones.silence(participant.id)
        for stream in participant.streams:
            if audible:
                self._open(participant, stream)
                self.listeners.event(StreamUnmuted(stream), now)
            else:
                self._close(participant, stream)
                self.listeners.event(StreamMuted(stream), now)

    def _open(self, participant: MediaParticipant, stream: InboundStream) -> None:
        """Let a stream's packets and keys through; the voice of a standby stream decides nothing."""
        stream.handlers = self._handlers(participant, stream)
        stream.on_event = self.tones.event
        if stream.active:
            stream.on_voice = self._voice_changed

    def _close(self, participant: MediaParticipant, stream: InboundStream) -> None:
        """Let nothing of a stream through, and forget what was said."""
        stream.handlers = ()
        stream.on_voice = stream.on_event = None
        self.tones.end(participant.id, stream.ssrc)
        participant.tables[stream.id].clear()
        stream.hush()

    def _end_stream(self, participant: MediaParticipant, stream: InboundStream, now: float) -> None:
        """Undo what the room knows of a stream. Of the others, the one that sent last is active then."""
        self._close(participant, stream)
        stream.on_clock = None
        del participant.tables[stream.id]
        participant.streams.remove(stream)
        participant.voice.forget(stream)
        if stream.active:
            self._activate(participant, newest(participant.streams))
        self.listeners.event(StreamEnded(stream), now)

    def _standby_packet(self, stream: InboundStream, packet: InboundPacket, arrival: float) -> None:
        """Handle a packet of a standby stream (`stream.PacketHandler`). A late one does not count."""
        participant = self.participants[stream.participant]
        if packet.sequence == stream.highest and participant.voice.taken_over(stream, arrival):
            self._activate(participant, stream)
            self._select(arrival, stream)
            participant.tables[stream.id].packet(stream, packet, arrival)

    def _activate(self, participant: MediaParticipant, stream: InboundStream | None) -> None:
        """Let another stream stand for a participant; `_select` moves the slots to it."""
        former = participant.voice.stream
        if former is not None and former.handlers:
            self._close(participant, former)
        participant.voice.choose(stream)
        self._stir()
        if participant.audible:
            for one in (former, stream):
                if one is not None and one in participant.streams:
                    self._open(participant, one)
