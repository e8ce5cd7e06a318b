"""Readings of one endpoint and of one room. Pure; `now` is monotonic seconds.

An endpoint is read as typed snapshots; `connection_statistics` shows them under the names of W3C webrtc-stats
(snake_case; seconds, 0..1).
"""

from collections.abc import Iterable
from typing import NamedTuple

from quality.delivery import DeliverySnapshot
from quality.receive import ReceiveSnapshot
from quality.send import RemoteReceiveSnapshot
from quality.w3c import (
    SentSnapshot,
    Stats,
    StreamIdentity,
    TransportSnapshot,
    inbound_rtp,
    outbound_rtp,
    remote_inbound_rtp,
    remote_outbound_rtp,
    transport,
)
from sfu.endpoint import Endpoint
from sfu.participant import MediaParticipant

_RTP_HEADER = 12
_TRANSPORT = "transport"


class InboundReading(NamedTuple):
    """One inbound stream; `audio_level` is linear, 0..1."""

    stream_id: int
    ssrc: int
    received: ReceiveSnapshot
    audio_level: float


class SlotReading(NamedTuple):
    """One slot that has sent; `remote` is its listener's account, None before the first report."""

    mid: str
    ssrc: int
    sent: SentSnapshot
    remote: RemoteReceiveSnapshot | None


class EndpointReading(NamedTuple):
    """One endpoint at one moment."""

    transport: TransportSnapshot
    inbound: tuple[InboundReading, ...]
    slots: tuple[SlotReading, ...]


def read_endpoint(endpoint: Endpoint, dtls_state: str, now: float) -> EndpointReading:
    """The transport, every inbound stream, and every slot that has sent."""
    inbound = tuple(
        InboundReading(stream.id, stream.ssrc, stream.statistics.snapshot(now), stream.voice.audio_level)
        for stream in endpoint.streams.values()
    )
    slots = []
    for slot in endpoint.slots:
        packets, octets = slot.tally.totals()
        if packets:
            sent = SentSnapshot(now, packets, octets, packets * _RTP_HEADER)
            remote = slot.remote.snapshot(now) if slot.remote.reports_received else None
            slots.append(SlotReading(slot.form.mid, slot.ssrc, sent, remote))
    return EndpointReading(_read_transport(endpoint, dtls_state, now), inbound, tuple(slots))


def connection_statistics(endpoint: Endpoint, dtls_state: str, now: float, epoch: float) -> list[Stats]:
    """One endpoint under the W3C's names; `epoch` plus monotonic seconds is Unix seconds."""
    reading = read_endpoint(endpoint, dtls_state, now)
    report = [transport(_TRANSPORT, reading.transport, epoch)]
    for stream_id, ssrc, received, audio_level in reading.inbound:
        identity = StreamIdentity(f"inbound-{stream_id}", ssrc, transport_id=_TRANSPORT)
        report.append(inbound_rtp(identity, received, epoch, audio_level))
        if received.round_trip_time is not None:
            sender = StreamIdentity(f"remote-outbound-{stream_id}", ssrc, transport_id=_TRANSPORT)
            report.append(remote_outbound_rtp(sender, received, epoch, identity.id))
    for mid, ssrc, sent, remote in reading.slots:
        ours, theirs = f"outbound-{mid}", f"remote-inbound-{mid}"
        report.append(outbound_rtp(StreamIdentity(ours, ssrc, mid, _TRANSPORT), sent, epoch, theirs))
        if remote is not None:
            report.append(remote_inbound_rtp(StreamIdentity(theirs, ssrc, mid, _TRANSPORT), remote, epoch, ours))
    return report


def octets_of(endpoint: Endpoint) -> tuple[int, int]:
    """Octets that were sent and received, as the transport's statistics have them."""
    packets, octets = _sent(endpoint)
    return octets + packets * _RTP_HEADER, endpoint.octets_in


def deliveries(participants: Iterable[MediaParticipant], now: float) -> list[DeliverySnapshot]:
    """How the participants of a room hear each other: a reading for each pair whose talker had a slot of the listener.

    A pair ends when either of them leaves the room.
    """
    return [
        delivery.snapshot(talker, listener.id, now)
        for listener in participants
        for talker, delivery in listener.deliveries.items()
    ]


def _sent(endpoint: Endpoint) -> tuple[int, int]:
    """(packets, octets of payload) through all slots, also through those that are gone."""
    totals = [endpoint.retired.totals(), *(slot.tally.totals() for slot in endpoint.slots)]
    return sum(packets for packets, _ in totals), sum(octets for _, octets in totals)


def _read_transport(endpoint: Endpoint, dtls_state: str, now: float) -> TransportSnapshot:
    sent, received = octets_of(endpoint)
    ice = endpoint.ice
    return TransportSnapshot(
        now,
        packets_sent=_sent(endpoint)[0],
        packets_received=endpoint.packets_in,
        octets_sent=sent,
        octets_received=received,
        dtls_state=dtls_state,
        ice_state="failed" if ice.expired else "connected" if ice.selected is not None else "new",
        srtp_cipher=endpoint.srtp.profile.name if endpoint.srtp is not None else None,
    )
