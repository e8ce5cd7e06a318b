"""What stands in for sockets and keys in tests of the media path: nothing leaves the process, all else is real."""

import socket
from collections.abc import Sequence
from random import Random

from sfu.dtmf import EventFormat, KeyPress
from sfu.forward import SendingSocket
from sfu.mmsg import PinnedSockaddr, SendBatch, sockaddr
from sfu.opus import OPUS_CLOCK
from sfu.slot import Route, Slot, SlotFormat
from sfu.srtp import PROFILES, SrtpContext, derive_keys
from sfu.stream import AUDIO, InboundStream, StreamFormat

NOWHERE = -1
"""No descriptor: whoever would really send through it gets an error."""

FRAME = 960
"""Ticks of 20 ms."""

OPUS = StreamFormat(AUDIO, 111, OPUS_CLOCK)

LOUD, QUIET = 30, 100
"""Levels in -dBov: a voice, and a silent room."""


class CollectingBatch(SendBatch):
    """A row of lanes that keeps what it is told to send. `refused` has addresses that the kernel would refuse."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET)
        self.sent: list[tuple[int, bytes]] = []
        self.refused: set[int] = set()

    def send(self, descriptor: int, count: int) -> int:
        """Keep (place of the address, datagram) of the first `count` lanes."""
        taken = 0
        for start, length_at, name_at, _, _ in self.lanes[:count]:
            address = self.heads[name_at]
            if address not in self.refused:
                taken += 1
                self.sent.append((address, bytes(self.view[start : start + self.iovecs[length_at]])))
        return taken

    def take(self) -> list[tuple[int, bytes]]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent


def collecting_socket() -> tuple[SendingSocket, CollectingBatch]:
    """A socket for the packet step whose datagrams stay here."""
    batch = CollectingBatch()
    return SendingSocket(NOWHERE, batch), batch


def srtp_contexts(profile: str = "SRTP_AEAD_AES_128_GCM", seed: int = 0) -> tuple[SrtpContext, SrtpContext]:
    """The server's and the client's end of one handshake."""
    chosen = PROFILES[profile]
    material = Random(seed).randbytes(2 * (chosen.key_length + chosen.salt_length))
    server = SrtpContext(chosen, *derive_keys(material, chosen, server=True))
    return server, SrtpContext(chosen, *derive_keys(material, chosen, server=False))


class Ear:
    """A listener's end: slots of its own on one route, and what came through them, decrypted."""

    def __init__(
        self,
        out: SendingSocket,
        number: int = 0,
        slots: int = 1,
        *,
        level_id: int | None = None,
        events: EventFormat | None = None,
    ) -> None:
        self.server, self.client = srtp_contexts(seed=number)
        self.pinned = PinnedSockaddr(sockaddr(socket.AF_INET, "127.0.0.1", 10_000 + number))
        self.route = Route(self.server.outbound, out, self.pinned.address)
        # Just below both wraps, so that every test crosses them.
        self.slots = [
            Slot(
                SlotFormat(str(index), 96 + index, level_id, events=events),
                1000 * number + index + 1,
                0x7FF0,
                0xFFFFF000,
            )
            for index in range(slots)
        ]

    def connect(self) -> None:
        """Give the slots their way to the wire."""
        for slot in self.slots:
            slot.route = self.route

    def hear(self, sent: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """The RTP packets of those datagrams that went here."""
        return [self.client.unprotect(datagram) for address, datagram in sent if address == self.pinned.address]


class Mouth:
    """A source: fills its stream's packet and has it taken, as the receive side does, 20 ms a packet."""

    def __init__(self, stream: InboundStream, now: float = 0.0) -> None:
        self.stream = stream
        self.sequence = stream.highest + 1
        self.timestamp = stream.highest_timestamp
        self.now = now
        self.pressed_at = self.timestamp

    def skip(self, packets: int = 1) -> None:
        """Let so many packets get lost."""
        self.sequence += packets
        self.timestamp += packets * FRAME
        self.now += packets * FRAME / 48000

    def say(self, level: int = QUIET, packets: int = 1) -> None:
        """The next packets, in order."""
        for _ in range(packets):
            self.send(self.sequence, self.timestamp, level)
            self.skip()

    def send(self, sequence: int, timestamp: int, level: int = QUIET, marker: int = 0) -> None:
        """One packet of any number; its payload names it."""
        stream, packet = self.stream, self.stream.packet
        extended = stream.statistics.add(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, self.now, 80)
        packet.sequence, packet.timestamp = extended, timestamp & 0xFFFFFFFF
        packet.marker, packet.level = marker, level
        packet.payload = f"{stream.participant}:{stream.id}:{extended}".encode()
        stream.take(self.now)

    def press(self, event: KeyPress, clock_rate: int = 48_000, marker: int = 0) -> None:
        """The next packet of an event, which begins now if it bears the marker."""
        if marker:
            self.pressed_at = self.timestamp
        stream, packet = self.stream, self.stream.packet
        packet.sequence = stream.statistics.add_untimed(self.sequence & 0xFFFF, self.pressed_at, self.now, 4)
        packet.timestamp, packet.marker = self.pressed_at & 0xFFFFFFFF, marker
        packet.payload = event.payload()
        stream.take_event(event, clock_rate, self.now)
        self.skip()


def stream_of(participant: str, stream_id: int = 1, first: int = 0xFFF0, now: float = 0.0) -> InboundStream:
    """A stream that begins just below the wraps of its numbers."""
    stream = InboundStream(stream_id, participant, 77 + stream_id, OPUS, (first, 0xFFFFF000), now)
    # Its floor is that of a silent room already.
    for _ in range(40):
        stream.voice.add(QUIET, now)
    return stream
