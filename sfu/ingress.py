"""The receive side of one RTP packet: from a lane of the receive batch to the inbound stream.

Every drop is counted under a name. The SSRC is looked up before anything is decrypted: of too many new ones, each costs
a table look-up, not a search through libsrtp's list of streams.
"""

from struct import Struct
from typing import TYPE_CHECKING

from sfu.dtmf import parse_key_press
from sfu.errors import MalformedPacket, SrtpFailure
from sfu.mmsg import ReceiveBatch
from sfu.rtp import LEVEL_MASK, find_extension, parse_header
from sfu.sources import BareKeyPress
from sfu.srtp import unprotect_in_place
from sfu.voice import estimate_level

if TYPE_CHECKING:
    from sfu.peer import Peer
    from sfu.stream import InboundStream

MARKER = 0x80
_PAYLOAD_TYPE = 0x7F
_SHORTEST = 12 + 10
_ssrc_at = Struct("!I").unpack_from


def receive_rtp(peer: "Peer", batch: ReceiveBatch, lane: int, now: float) -> None:
    """Handle the SRTP packet in `lane`, which came from an address bound to `peer`'s endpoint."""
    endpoint = peer.endpoint
    size = batch.lengths[lane]
    datagram = batch.datagrams[lane]
    drops = endpoint.drops
    context = endpoint.srtp
    if context is None or size < _SHORTEST:
        drops["unready" if context is None else "malformed"] += 1
        return
    (ssrc,) = _ssrc_at(datagram, 8)
    stream = endpoint.streams.get(ssrc)
    if stream is None and not endpoint.sources.admits(ssrc, now):
        drops["ssrc_limit"] += 1
        return
    noise = endpoint.noise
    if now < noise.deaf_until:
        drops["noise"] += 1
        return
    status = unprotect_in_place(context.inbound, batch.pointers[lane], batch.length_pointers[lane])
    if status:
        drops["replayed" if status in SrtpFailure.REPLAYED else "unauthentic"] += 1
        noise.charge(now)
        return
    if not endpoint.budget.allow(now):
        endpoint.flooded(now)
        if stream is None:
            context.rest(ssrc)
        return
    if peer.selected:
        endpoint.heard_at = now
    else:
        endpoint.heard(peer.source, now)
    endpoint.packets_in += 1
    endpoint.octets_in += size
    try:
        _take(peer, stream, datagram[: batch.lengths[lane]], now)
    except MalformedPacket:
        drops["malformed"] += 1
    if stream is None and ssrc not in endpoint.sources:
        context.rest(ssrc)  # authentic, but no stream: libsrtp has begun a list for it all the same


def _take(peer: "Peer", stream: "InboundStream | None", packet: memoryview, now: float) -> None:
    """Read the decrypted packet, and hand it to its stream, which its first packet begins. Raises MalformedPacket."""
    endpoint = peer.endpoint
    second, sequence, timestamp, ssrc, profile, extension, start, end = parse_header(packet)
    form = endpoint.sources.formats.get(second & _PAYLOAD_TYPE)
    if form is None:
        _take_event(peer, stream, packet, now)
        return
    level = -1
    if profile and endpoint.level_id is not None:
        at, length = find_extension(packet, profile, extension, start, endpoint.level_id)
        if length:
            level = packet[at] & LEVEL_MASK
    if stream is None:
        stream = endpoint.sources.begin(ssrc, form, (sequence, timestamp), now)
        peer.connection.pump()  # so that its listeners hear its first packet, too
    inbound = stream.packet
    inbound.payload = bytes(packet[start:end])
    inbound.sequence = stream.statistics.add(sequence, timestamp, now, end - start)
    inbound.timestamp = timestamp
    inbound.marker = second & MARKER
    inbound.level = level if level >= 0 else estimate_level(end - start)
    stream.take(now)


def _take_event(peer: "Peer", stream: "InboundStream | None", packet: memoryview, now: float) -> None:
    """Take what is no media: a telephone event, where it was negotiated (RFC 4733). Raises MalformedPacket.

    It begins no stream: on an SSRC that has none, it is the endpoint's to report.
    """
    endpoint = peer.endpoint
    second, sequence, timestamp, ssrc, _, _, start, end = parse_header(packet)
    clock_rate = endpoint.event_clocks.get(second & _PAYLOAD_TYPE)
    if clock_rate is None:
        endpoint.drops["payload_type"] += 1
        return
    key = parse_key_press(packet[start:end])
    if stream is None:
        endpoint.sources.press(BareKeyPress(ssrc, key, clock_rate, timestamp), sequence, now)
        return
    inbound = stream.packet
    inbound.payload = bytes(packet[start:end])
    inbound.sequence = stream.statistics.add_untimed(sequence, timestamp, now, end - start)
    inbound.timestamp = timestamp
    inbound.marker = second & MARKER
    stream.take_event(key, clock_rate, now)
