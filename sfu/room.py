"""A room of the SFU: its participants, what they send, and who hears it. Pure; `now` is in monotonic seconds.

A room knows sources (inbound streams) and listeners (`sfu/listener.py`); its own first listener is the one that keeps
the slots filled.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sfu.dtmf import Tone
from sfu.listener import Listener
from sfu.observer import Speaker
from sfu.participant import MediaParticipant
from sfu.room_tones import RoomTones
from sfu.selection import Candidate, MuteFlags, assign, rank
from sfu.slot import Slot
from sfu.slot_table import SlotTable
from sfu.stream import InboundStream

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


class MediaRoom:
    """Who hears whom in one room. Every change is followed by `_reassign`; packets never decide anything."""

    def __init__(self, room_id: str, restless: "set[MediaRoom] | None" = None) -> None:
        """Begin empty. The room puts itself into `restless` when somebody's slots have changed."""
        self.id = room_id
        self._restless = set() if restless is None else restless
        self.participants: dict[str, MediaParticipant] = {}
        self.listeners: list[Listener] = []
        self._dirty: set[str] = set()
        self._ranking: list[str] = []
        self._review_at = 0.0
        self._loss_review_at = 0.0
        self._speakers: tuple[tuple[str, int], ...] = ()
        self._told: list[Speaker] | None = None
        self._smallest = 0
        self.tones = RoomTones(self.participants, lambda: self._restless.add(self))

    # people

    def add(self, participant_id: str, flags: MuteFlags, now: float) -> MediaParticipant:
        """Somebody joins."""
        participant = self.participants[participant_id] = MediaParticipant(participant_id, flags)
        self._rank()
        self._reassign(now)
        return participant

    def remove(self, participant_id: str, now: float) -> None:
        """Somebody leaves; whom they heard and who heard them is undone."""
        participant = self.participants.get(participant_id)
        if participant is None:
            return
        self.set_slots(participant_id, (), now)
        for stream in list(participant.streams):
            self._end_stream(participant, stream, now)
        del self.participants[participant_id]
        self._dirty.discard(participant_id)
        self.tones.silence(participant_id)
        self._rank()
        self._reassign(now)

    def set_flags(self, participant_id: str, flags: MuteFlags, now: float) -> None:
        """A mute or deafen changes what is delivered from the next packet on."""
        participant = self.participants[participant_id]
        before, participant.flags = participant.flags, flags
        if before.may_speak != flags.may_speak:
            for stream in participant.streams:
                self._set_heard(participant, stream, now)
            if not flags.may_speak:
                self.tones.silence(participant_id)
            self._rank()
        self._reassign(now)

    # what they send

    def add_stream(self, participant_id: str, stream: InboundStream, now: float) -> None:
        """A participant has begun to send; a newer stream takes the place of an older one in the slots."""
        participant = self.participants[participant_id]
        participant.streams.append(stream)
        participant.tables[stream.id] = SlotTable(stream)
        stream.on_voice = self._voice_changed
        for older in participant.streams[:-1]:
            self._move_slots(participant.tables[older.id], participant.tables[stream.id])
        self._set_heard(participant, stream, now)

    def remove_stream(self, participant_id: str, stream: InboundStream, now: float) -> None:
        """A stream has ended (BYE, a changed SSRC, a lost endpoint)."""
        participant = self.participants[participant_id]
        if stream in participant.streams:
            self._end_stream(participant, stream, now)
            self._rank()
            self._reassign(now)

    # who hears

    def set_slots(self, participant_id: str, slots: Iterable[Slot], now: float) -> None:
        """The slots through which a participant hears from now on; those that they had are emptied."""
        participant = self.participants[participant_id]
        slots = list(slots)
        for slot in participant.slots:
            if slot not in slots:
                self._put(slot, None)
        participant.slots = slots
        self._smallest = min((len(other.slots) for other in self.participants.values() if other.slots), default=0)
        self._rank()
        self._reassign(now)
        self._mark(participant_id)

    def route_changed(self, participant_id: str) -> None:
        """The way to a listener is there, or is another (address, keys, extensions): packet steps are drawn up anew."""
        participant = self.participants[participant_id]
        self._bind_all(participant)
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
        """Let somebody hear the whole room: a recorder, a meter, a probe."""
        self.listeners.append(listener)
        for participant in self.participants.values():
            for stream in participant.streams:
                if stream.handlers:
                    stream.handlers = (*stream.handlers, listener.packet)
                    listener.joined(stream, now)

    def detach(self, listener: Listener, reason: str) -> None:
        """Undo `attach`."""
        self.listeners.remove(listener)
        for participant in self.participants.values():
            for stream in participant.streams:
                stream.handlers = tuple(handler for handler in stream.handlers if handler != listener.packet)
        listener.closed(reason)

    def close(self, reason: str) -> None:
        """The room has ended; every listener is told."""
        for listener in list(self.listeners):
            self.detach(listener, reason)

    # time

    def advance(self, now: float) -> None:
        """Do what is due: let speakers fall silent, compare claims, note who speaks."""
        for participant in self.participants.values():
            for stream in participant.streams:
                if stream.voice.expire(now):
                    self._voice_changed(stream, now)
        self.tones.expire(now)
        if now < self._review_at:
            return
        self._review_at = now + REVIEW_SECONDS
        if now >= self._loss_review_at:
            self._loss_review_at = now + LOSS_REVIEW_SECONDS
            for participant in self.participants.values():
                for stream in participant.streams:
                    stream.downlink_loss = participant.tables[stream.id].loss_percentile(now)
        speaking = [p.stream for p in self.participants.values() if p.stream is not None and p.stream.voice.voiced]
        if self._contended and len(speaking) > self._smallest:
            self._rank()
            self._reassign(now)
        levels = tuple((stream.participant, round(stream.voice.loudness / 3)) for stream in speaking)
        if levels != self._speakers:
            self._speakers = levels
            told = [Speaker(stream.participant, stream.voice.audio_level) for stream in speaking]
            self._told = sorted(told, key=lambda speaker: -speaker.level)

    def take_changes(self) -> RoomChanges:
        """What has changed since the last call."""
        changes = RoomChanges(self._dirty, self._told, self.tones.take_told())
        self._dirty, self._told = set(), None
        self._restless.discard(self)
        return changes

    def _mark(self, participant_id: str) -> None:
        """Note that somebody's slots have changed."""
        self._dirty.add(participant_id)
        self._restless.add(self)

    # the rules' consequences

    @property
    def _contended(self) -> bool:
        """Whether somebody has fewer slots than there are others."""
        return 0 < self._smallest < len(self.participants) - 1

    def _voice_changed(self, stream: InboundStream, now: float) -> None:
        """Somebody has begun or ended to speak: in a room with too few slots that decides who is heard."""
        speaking = stream if stream.voice.voiced else None
        if speaking is None:
            self.participants[stream.participant].tables[stream.id].pause()
        if self._contended:
            self._rank()
            self._reassign(now, speaking)

    def _rank(self) -> None:
        """Order everybody by their claim to a slot."""
        people = self.participants.values()
        capacity = max((len(participant.slots) for participant in people), default=0)
        incumbents = frozenset(self._ranking[:capacity])
        self._ranking = rank((self._candidate(participant) for participant in people), incumbents)

    @staticmethod
    def _candidate(participant: MediaParticipant) -> Candidate:
        stream = participant.stream
        if stream is None or not participant.flags.may_speak:
            return Candidate(participant.id, False, 0.0, float("-inf"))
        voice = stream.voice
        return Candidate(participant.id, voice.voiced, voice.loudness, voice.last_voiced)

    def _reassign(self, now: float, speaking: InboundStream | None = None) -> None:
        """Give every listener the people that the ranking says; only what differs is touched."""
        for listener in self.participants.values():
            slots = listener.slots
            if not slots:
                continue
            current = [slot.participant for slot in slots]
            wanted = assign(self._ranking, listener.id, current)
            for slot, participant_id in zip(slots, wanted, strict=True):
                if slot.participant != participant_id:
                    self._put(slot, participant_id)
                    self._mark(listener.id)
            self._bind_all(listener, speaking, now)

    def _put(self, slot: Slot, participant_id: str | None) -> None:
        """Assign a slot to a participant, or to nobody."""
        table = self._table_of(slot)
        if table is not None:
            table.remove(slot)
        slot.participant = participant_id

    def _bind_all(self, listener: MediaParticipant, speaking: InboundStream | None = None, now: float = 0.0) -> None:
        """Put streams into assigned slots that have none, and take them out where the listener may not hear.

        `speaking` has just begun at `now`: what they said before that is sent too.
        """
        may_hear = listener.flags.may_hear
        for slot in listener.slots:
            if slot.stream is not None:
                table = None if may_hear else self._table_of(slot)
                if table is not None:
                    table.remove(slot)
            elif may_hear and slot.participant is not None and slot.route is not None:
                source = self.participants[slot.participant]
                if source.stream is None or not source.flags.may_speak:
                    continue
                table = source.tables[source.stream.id]
                if source.stream is speaking:
                    table.add_speaking(slot, now)
                else:
                    table.add(slot)

    def _end_stream(self, participant: MediaParticipant, stream: InboundStream, now: float) -> None:
        """Undo what the room knows of a stream; the participant's newest other one takes its place."""
        if stream.handlers:
            self._tell_left(stream, now)
        stream.handlers = ()
        stream.on_voice = stream.on_event = None
        self.tones.end(stream)
        table = participant.tables.pop(stream.id)
        participant.streams.remove(stream)
        if participant.stream is not None and participant.flags.may_speak:
            self._move_slots(table, participant.tables[participant.stream.id])
        table.clear()

    @staticmethod
    def _move_slots(old: SlotTable, new: SlotTable) -> None:
        for slot in list(old.slots):
            old.remove(slot)
            new.add(slot)

    def _set_heard(self, participant: MediaParticipant, stream: InboundStream, now: float) -> None:
        """Open or close the way from a stream to everybody who hears it."""
        if participant.flags.may_speak:
            table = participant.tables[stream.id]
            stream.handlers = (table.packet, *(listener.packet for listener in self.listeners))
            stream.on_event = self.tones.event
            for listener in self.listeners:
                listener.joined(stream, now)
            self._rank()
            self._reassign(now)
        elif stream.handlers:
            self._tell_left(stream, now)
            stream.handlers = ()
            stream.on_event = None
            self.tones.end(stream)
            participant.tables[stream.id].clear()
            stream.hush()

    def _tell_left(self, stream: InboundStream, now: float) -> None:
        for listener in self.listeners:
            listener.left(stream, now)
