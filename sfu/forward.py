"""The packet step: one packet, for all its slots: rewrite the header, protect, send.

This is the innermost loop of the server, so everything in it was decided before: a `Fan` is rebuilt when membership,
mute, loudness or an address changes, never per packet. `forward` is the one function that a compiled one may replace;
`forward_plainly` says the same in the simplest words, and a test holds the two together byte for byte.

Rewritten are marker, payload type, sequence number, timestamp and SSRC (RFC 3550 section 5.1); header extensions are
replaced by those that the receiver negotiated (RFC 8285), so unknown ones are never relayed. The payload is opaque.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sfu.mmsg import SEND_LANES, SendBatch
from sfu.rtp import ONE_BYTE_PROFILE, build_extension_block
from sfu.srtp import protect_in_place

HEADER = struct.Struct("!BBHII")
_PLAIN = 0x80
_WITH_EXTENSION = 0x90
_NO_LEVEL = -1
_ONE_BYTE = ONE_BYTE_PROFILE.to_bytes(2, "big")


class Target(NamedTuple):
    """One slot as the packet step sees it. Offsets are added to the source's own numbers, modulo 2**16 and 2**32."""

    session: Any
    """libsrtp's outbound session of the slot's endpoint."""
    ssrc: int
    sequence_offset: int
    timestamp_offset: int
    type_and_marker: int
    """The receiver's payload type; with bit 7 set on the first packet after a switch (RFC 3551 section 4.1)."""
    address: int
    """Where the kernel's socket address of the receiver stands in memory."""


class ExtensionBlock(NamedTuple):
    """A header extension block (RFC 8285), complete with its length word, and where its audio level stands in it."""

    octets: bytes
    level_at: int
    """Index of the RFC 6464 level octet in `octets`, or -1."""


NO_EXTENSION = ExtensionBlock(b"", _NO_LEVEL)


def extension_block(mid: str | None, mid_id: int | None, level_id: int | None) -> ExtensionBlock:
    """The block that a receiver with these negotiated ids gets: its level (RFC 6464), and while asked for its MID.

    Ids above 14 or a MID over 16 octets take the two-byte form (RFC 8285 section 4.3).
    """
    elements: list[tuple[int, bytes]] = []
    if level_id is not None:
        elements.append((level_id, b"\x00"))
    if mid is not None and mid_id is not None:
        elements.append((mid_id, mid.encode()))
    if not elements:
        return NO_EXTENSION
    octets = build_extension_block(elements)
    if level_id is None:
        return ExtensionBlock(octets, _NO_LEVEL)
    return ExtensionBlock(octets, 5 if octets.startswith(_ONE_BYTE) else 6)


class SendingSocket:
    """A bound UDP socket as the packet step needs it: a descriptor and its rows of buffers."""

    __slots__ = ("batch", "descriptor", "failed", "octets", "sent")

    def __init__(self, descriptor: int, batch: SendBatch) -> None:
        """Send through `descriptor`. `sent` and `failed` count datagrams, `octets` those of RTP before protection."""
        self.descriptor = descriptor
        self.batch = batch
        self.sent = 0
        self.failed = 0
        self.octets = 0


class FanGroup(NamedTuple):
    """Targets that share a socket and a block of extensions; at most as many as there are lanes."""

    socket: SendingSocket
    extension: ExtensionBlock
    targets: tuple[Target, ...]


Fan = tuple[FanGroup, ...]
"""All slots that one inbound stream is in: what the packet step walks."""


def build_fan(entries: Iterable[tuple[SendingSocket, ExtensionBlock, Target]]) -> Fan:
    """Group targets for the packet step, in a stable order, no group larger than a batch."""
    grouped: dict[tuple[int, ExtensionBlock], tuple[SendingSocket, list[Target]]] = {}
    for socket, extension, target in entries:
        grouped.setdefault((id(socket), extension), (socket, []))[1].append(target)
    return tuple(
        FanGroup(socket, key[1], tuple(targets[start : start + SEND_LANES]))
        for key, (socket, targets) in grouped.items()
        for start in range(0, len(targets), SEND_LANES)
    )


def forward(fan: Fan, sequence: int, timestamp: int, marker: int, level: int, payload: bytes) -> None:
    """Send one packet of a stream to every target of `fan`.

    `sequence` is extended (RFC 3550 appendix A.1), `marker` is 0 or 0x80, `level` the octet of RFC 6464. A packet that
    libsrtp refuses (a repeated sequence number) or the kernel does not take is counted in its socket's `failed`.
    """
    pack_into, protect = HEADER.pack_into, protect_in_place
    for socket, (octets, level_at), targets in fan:
        batch = socket.batch
        view, lengths, heads = batch.view, batch.iovecs, batch.heads
        if octets:
            first = _WITH_EXTENSION
            if level_at >= 0:
                body = b"%b%c%b%b" % (octets[:level_at], level, octets[level_at + 1 :], payload)
            else:
                body = octets + payload
        else:
            first, body = _PLAIN, payload
        size = 12 + len(body)
        refused = 0
        for (session, ssrc, sequence_offset, timestamp_offset, kind, address), (
            start,
            length_at,
            name_at,
            packet,
            length,
        ) in zip(targets, batch.lanes, strict=False):
            pack_into(
                view,
                start,
                first,
                kind | marker,
                (sequence + sequence_offset) & 0xFFFF,
                (timestamp + timestamp_offset) & 0xFFFFFFFF,
                ssrc,
            )
            view[start + 12 : start + size] = body
            lengths[length_at] = size
            heads[name_at] = address
            if protect(session, packet, length):
                lengths[length_at] = 0
                refused += 1
        count = len(targets)
        if refused:
            count = _close_gaps(batch, count)
        taken = batch.send(socket.descriptor, count) if count else 0
        socket.sent += taken
        socket.octets += taken * size
        socket.failed += len(targets) - taken


def _close_gaps(batch: SendBatch, count: int) -> int:
    """Move the lanes that were protected to the front, over those that were refused; how many there are."""
    view, lengths, heads = batch.view, batch.iovecs, batch.heads
    kept = 0
    for start, length_at, name_at, _, _ in batch.lanes[:count]:
        size = lengths[length_at]
        if not size:
            continue
        to_start, to_length, to_name, _, _ = batch.lanes[kept]
        if to_start != start:
            view[to_start : to_start + size] = bytes(view[start : start + size])
            lengths[to_length] = size
            heads[to_name] = heads[name_at]
        kept += 1
    return kept


def forward_plainly(
    targets: Sequence[tuple[ExtensionBlock, Target]], packet: tuple[int, int, int, int, bytes]
) -> list[bytes]:
    """What `forward` puts on the wire, before protection, in the simplest words: the reference for its tests."""
    sequence, timestamp, marker, level, payload = packet
    datagrams = []
    for (octets, level_at), target in targets:
        block = bytearray(octets)
        if level_at >= 0:
            block[level_at] = level
        header = HEADER.pack(
            _WITH_EXTENSION if block else _PLAIN,
            target.type_and_marker | marker,
            (sequence + target.sequence_offset) % 2**16,
            (timestamp + target.timestamp_offset) % 2**32,
            target.ssrc,
        )
        datagrams.append(header + bytes(block) + payload)
    return datagrams
