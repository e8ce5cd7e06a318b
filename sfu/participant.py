"""One participant of a media room: the streams they send, the slots through which they hear, their mute flags. Pure.

A participant is not an endpoint: it may have none, or for a moment two.
"""

from dataclasses import dataclass, field

from quality.delivery import Delivery
from sfu.active_stream import ActiveStream
from sfu.selection import Heard, MuteFlags, Talker
from sfu.slot import Slot
from sfu.slot_table import SlotTable
from sfu.stream import InboundStream


@dataclass(slots=True, eq=False)
class MediaParticipant:
    """One participant of a media room.

    `tables` has the slot table of each of `streams`, by stream id; `deliveries` measures how the packets of each other
    participant, by id, reach this one.
    """

    id: str
    flags: MuteFlags
    streams: list[InboundStream] = field(default_factory=list)
    voice: ActiveStream = field(default_factory=ActiveStream)
    slots: list[Slot] = field(default_factory=list)
    tables: dict[int, SlotTable] = field(default_factory=dict)
    heard: tuple[Heard, ...] = ()
    """What the selection has each of the slots carry."""
    places: tuple[str | None, ...] = ()
    """The talker in each of the slots."""
    audible: bool = False
    """Whether the selection lets anybody hear this participant."""
    deliveries: dict[str, Delivery] = field(default_factory=dict)

    @property
    def stream(self) -> InboundStream | None:
        """The active stream of `voice`: the one that stands for the participant in the selection."""
        return self.voice.stream

    def talker(self) -> Talker:
        """The participant as the selection sees them."""
        stream = self.stream
        if stream is None:
            return Talker(self.id, self.flags)
        voice = stream.voice
        return Talker(self.id, self.flags, stream.id, voice.voiced, voice.loudness, voice.last_voiced)

    def review_loss(self, now: float) -> None:
        """Note for each stream what its listeners lose now."""
        for stream in self.streams:
            stream.downlink_loss = self.tables[stream.id].loss_percentile(now)
