"""The one port through which anybody hears a room: a browser's slots, a recorder's journal, a meter, a probe.

The room does not know who its listeners are. It tells each of them of the streams that may be heard now; a stream whose
participant is muted is told as ended, and as begun again when the mute is lifted.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sfu.stream import InboundPacket, InboundStream


class Listener(Protocol):
    """Whoever hears. All four are called on the media loop and must neither block nor raise."""

    def joined(self, stream: "InboundStream", now: float) -> None:
        """`stream` may be heard from now on."""

    def packet(self, stream: "InboundStream", packet: "InboundPacket", arrival: float) -> None:
        """One packet of it, decrypted and not rewritten. `packet` is used again for the next: copy what is kept."""

    def left(self, stream: "InboundStream", now: float) -> None:
        """`stream` is not heard any more: its participant has left or was muted."""

    def closed(self, reason: str) -> None:
        """The room has ended."""
