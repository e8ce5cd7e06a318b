"""Snapshots under the names of W3C webrtc-stats, in snake_case. Pure.

Each function is a view of a typed snapshot: it names and converts, and measures nothing. `epoch` plus monotonic seconds
is Unix seconds.
"""

from dataclasses import dataclass

from quality.receive import ReceiveSnapshot
from quality.send import RemoteReceiveSnapshot

Stats = dict[str, object]


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """The names of one RTP stream in the statistics: ids are ours and stable for the stream's life."""

    id: str
    ssrc: int
    mid: str | None = None
    transport_id: str | None = None


@dataclass(frozen=True, slots=True)
class SentSnapshot:
    """Totals of one outgoing stream at one moment; `octets` of payload, `header_octets` of RTP headers and padding."""

    at: float
    packets: int
    octets: int
    header_octets: int = 0


@dataclass(frozen=True, slots=True)
class TransportSnapshot:
    """Totals and state of one endpoint's transport. Octets are UDP payload; states are the W3C's words."""

    at: float
    packets_sent: int
    packets_received: int
    octets_sent: int
    octets_received: int
    dtls_state: str
    ice_state: str
    srtp_cipher: str | None = None


def timestamp(at: float, epoch: float) -> float:
    """Unix milliseconds of a monotonic time, as the W3C's `timestamp`."""
    return (at + epoch) * 1000


def inbound_rtp(
    identity: StreamIdentity, snapshot: ReceiveSnapshot, epoch: float, audio_level: float | None = None
) -> Stats:
    """The `inbound-rtp` of a stream that we receive; `audio_level` (0..1) only where the stream states it."""
    stats = _stream("inbound-rtp", identity, snapshot.at, epoch)
    stats["packets_received"] = snapshot.packets.received
    stats["bytes_received"] = snapshot.octets
    stats["packets_lost"] = snapshot.packets.lost
    stats["jitter"] = snapshot.jitter
    if snapshot.last_arrival is not None:
        stats["last_packet_received_timestamp"] = timestamp(snapshot.last_arrival, epoch)
    if audio_level is not None:
        stats["audio_level"] = audio_level
    return stats


def outbound_rtp(identity: StreamIdentity, sent: SentSnapshot, epoch: float, remote_id: str | None = None) -> Stats:
    """The `outbound-rtp` of a stream that we send; `remote_id` is the id of its `remote-inbound-rtp`."""
    stats = _stream("outbound-rtp", identity, sent.at, epoch)
    stats["packets_sent"] = sent.packets
    stats["bytes_sent"] = sent.octets
    stats["header_bytes_sent"] = sent.header_octets
    if remote_id is not None:
        stats["remote_id"] = remote_id
    return stats


def remote_outbound_rtp(identity: StreamIdentity, snapshot: ReceiveSnapshot, epoch: float, local_id: str) -> Stats:
    """The `remote-outbound-rtp` of a stream that we receive: its round trip, measured by RFC 3611 echoes."""
    stats = _stream("remote-outbound-rtp", identity, snapshot.at, epoch)
    stats["local_id"] = local_id
    if snapshot.round_trip_time is not None:
        stats["round_trip_time"] = snapshot.round_trip_time
    return stats


def remote_inbound_rtp(
    identity: StreamIdentity, snapshot: RemoteReceiveSnapshot, epoch: float, local_id: str | None = None
) -> Stats:
    """The `remote-inbound-rtp` of a stream that we send: the receiver's account, dated by its last report."""
    at = snapshot.at if snapshot.last_report is None else snapshot.last_report
    stats = _stream("remote-inbound-rtp", identity, at, epoch)
    if local_id is not None:
        stats["local_id"] = local_id
    stats["packets_lost"] = snapshot.packets_lost
    stats["fraction_lost"] = snapshot.fraction_lost
    stats["jitter"] = snapshot.jitter
    if snapshot.round_trip_time is not None:
        stats["round_trip_time"] = snapshot.round_trip_time
    stats["total_round_trip_time"] = snapshot.total_round_trip_time
    stats["round_trip_time_measurements"] = snapshot.round_trip_time_measurements
    return stats


def transport(transport_id: str, snapshot: TransportSnapshot, epoch: float) -> Stats:
    """The `transport` of an endpoint. The server is ICE-lite, so its ICE role is always controlled."""
    stats: Stats = {
        "id": transport_id,
        "timestamp": timestamp(snapshot.at, epoch),
        "type": "transport",
        "packets_sent": snapshot.packets_sent,
        "packets_received": snapshot.packets_received,
        "bytes_sent": snapshot.octets_sent,
        "bytes_received": snapshot.octets_received,
        "ice_role": "controlled",
        "ice_state": snapshot.ice_state,
        "dtls_state": snapshot.dtls_state,
    }
    if snapshot.srtp_cipher is not None:
        stats["srtp_cipher"] = snapshot.srtp_cipher
    return stats


def _stream(kind: str, identity: StreamIdentity, at: float, epoch: float) -> Stats:
    stats: Stats = {
        "id": identity.id,
        "timestamp": timestamp(at, epoch),
        "type": kind,
        "kind": "audio",
        "ssrc": identity.ssrc,
    }
    if identity.mid is not None:
        stats["mid"] = identity.mid
    if identity.transport_id is not None:
        stats["transport_id"] = identity.transport_id
    return stats
