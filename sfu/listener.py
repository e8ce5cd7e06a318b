"""The port through which a journal, a probe, a meter or a service hears a room.

A listener is attached to a room, gets each event as a value and, if it wants them, each packet. The room does not know
what a listener is for, and no listener notices another: one that raises is detached, logged and counted, and the batch
of datagrams goes on.

Slots are not attached here, for the cost of the packet step: a stream has one table for all slots that carry it, and
that table stands first in the same tuple of packet handlers (`InboundStream.handlers`) as the attached listeners. What
passes is decided for both in one place (`sfu/selection.py`), where a room's listeners are one more sink.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sfu.stream import InboundPacket, InboundStream, PacketHandler

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """A participant is in the room, with or without media."""

    participant: str


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """A participant is not in the room any more; their streams have ended before."""

    participant: str


@dataclass(frozen=True, slots=True)
class StreamBegan:
    """A participant sends a stream. `stream` names its owner, kind, payload type and clock rate.

    A participant may send several. Slots carry the `active` one (`sfu/active_stream.py`). A listener gets the packets
    of all, so that a journal has the first words of a stream that takes over.
    """

    stream: InboundStream


@dataclass(frozen=True, slots=True)
class StreamMuted:
    """Nobody may hear the stream: its participant is muted, suppressed or on hold. It may go on being sent."""

    stream: InboundStream


@dataclass(frozen=True, slots=True)
class StreamUnmuted:
    """The stream may be heard again."""

    stream: InboundStream


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The stream is over: a BYE, half a minute of silence, an offer that ends its sender, a lost connection, more than
    eight other SSRCs since, or its participant has left."""

    stream: InboundStream


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A participant has pressed a key (RFC 4733), told once, when it is over. Keys of the muted are not told."""

    participant: str
    key: str
    """One of `dtmf.TONES`."""
    duration: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class ClockReported:
    """A sender report of a stream: which time of its sender's clock its RTP timestamps stand for.

    RFC 3550 section 6.4.1. A stream reports while it is muted, too.
    """

    stream: InboundStream
    ntp: int
    """The sender's wall clock, a 64-bit NTP timestamp."""
    rtp_timestamp: int
    """The same instant in ticks of the stream's clock rate, modulo 2**32."""


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """The room has ended; nothing follows."""

    reason: str


RoomEvent = (
    ParticipantJoined | ParticipantLeft | StreamBegan | StreamMuted | StreamUnmuted | StreamEnded
    | KeyPressed | ClockReported | RoomClosed
)  # fmt: skip


class Listener(Protocol):
    """What hears a room. It is called on the media loop: it must not block, nor change who is in the room.

    A stream that is muted as it begins is told as begun, then as muted. Packets come between `StreamBegan` and
    `StreamEnded` of their stream, and not while it is muted.
    """

    @property
    def packet(self) -> PacketHandler | None:
        """Takes each packet, decrypted and not rewritten, with its arrival in monotonic seconds.

        The packet is a record that the next one fills again: copy what is kept. None: this listener wants no packets,
        and costs none.
        """

    def event(self, event: RoomEvent, now: float) -> None:
        """Take one event of the room, at `now` in monotonic seconds."""


class Attachment:
    """One listener of one room: passes on what happens there, until the listener raises."""

    def __init__(self, listener: Listener, failed: "Callable[[Attachment], None]") -> None:
        """Call `failed` once, when the listener has raised; it is called no more from then on."""
        self.listener = listener
        self._failed = failed
        self._broken = False
        self._take = listener.packet
        self.packet: PacketHandler | None = None if self._take is None else self._packet

    def event(self, event: RoomEvent, now: float) -> None:
        """Pass an event on."""
        if not self._broken:
            try:
                self.listener.event(event, now)
            except Exception as error:
                self._fail(error)

    def _packet(self, stream: InboundStream, packet: InboundPacket, arrival: float) -> None:
        """Pass a packet on (`PacketHandler`)."""
        if not self._broken and self._take is not None:
            try:
                self._take(stream, packet, arrival)
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._broken = True
        _log.error("%s raised and is detached from its room", type(self.listener).__name__, exc_info=error)
        self._failed(self)


class Listeners:
    """Everything that is attached to one room: `own`, which belongs to it, and those who are attached from outside."""

    def __init__(self, own: Listener, failed: Callable[[], None]) -> None:
        """Call `failed` when a listener has raised; it is detached then."""
        self._own = own
        self._failed = failed
        self._attachments: tuple[Attachment, ...] = (Attachment(own, self._raised),)

    def __iter__(self) -> Iterator[Listener]:
        """Those from outside, in the order in which they were attached."""
        return (attachment.listener for attachment in self._attachments if attachment.listener is not self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def add(self, listener: Listener) -> Attachment | None:
        """Attach a listener; None where it is attached already."""
        if listener in self:
            return None
        attachment = Attachment(listener, self._raised)
        self._attachments = (*self._attachments, attachment)
        return attachment

    def remove(self, listener: Listener) -> None:
        """Undo `add`. One that is not attached is passed over."""
        self._attachments = tuple(one for one in self._attachments if one.listener is not listener)

    def event(self, event: RoomEvent, now: float) -> None:
        """Tell all of them."""
        for attachment in self._attachments:
            attachment.event(event, now)

    def handlers(self) -> list[PacketHandler]:
        """What takes the packets of those who want packets."""
        return [attachment.packet for attachment in self._attachments if attachment.packet is not None]

    def _raised(self, attachment: Attachment) -> None:
        self.remove(attachment.listener)
        self._failed()
