"""Statistics under the names of W3C webrtc-stats, in snake_case, and their camelCase for JSON. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from quality.level import AudioEnergy
from quality.receive import ReceiveStatistics
from quality.send import RemoteReceiveStatistics

Stats = dict[str, object]


@dataclass(frozen=True, slots=True)
class Moment:
    """When statistics are read: `now` in monotonic seconds and `wall` in Unix seconds, of the same instant."""

    now: float
    wall: float

    @property
    def timestamp(self) -> float:
        """Unix milliseconds, as the W3C's `timestamp`."""
        return self.wall * 1000

    def timestamp_of(self, at: float) -> float:
        """Unix milliseconds of a monotonic time."""
        return (self.wall - (self.now - at)) * 1000


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """What names one RTP stream in the statistics: ids are ours and stable for the stream's life."""

    id: str
    ssrc: int
    mid: str | None = None
    transport_id: str | None = None


@dataclass(frozen=True, slots=True)
class SentTotals:
    """Totals of one outgoing stream; `bytes_sent` is payload, `header_bytes_sent` RTP headers and padding."""

    packets_sent: int
    bytes_sent: int
    header_bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class TransportTotals:
    """Totals and state of one endpoint's transport; octets are UDP payload. States are the W3C's words."""

    packets_sent: int
    packets_received: int
    bytes_sent: int
    bytes_received: int
    dtls_state: str
    ice_state: str
    srtp_cipher: str | None = None


def inbound_rtp(
    identity: StreamIdentity, statistics: ReceiveStatistics, moment: Moment, energy: AudioEnergy | None = None
) -> Stats:
    """The `inbound-rtp` of a stream that we receive; level and energy only where the stream tells them."""
    stats = _stream("inbound-rtp", identity, moment)
    stats["packets_received"] = statistics.packets_received
    stats["bytes_received"] = statistics.bytes_received
    stats["packets_lost"] = statistics.packets_lost
    stats["jitter"] = statistics.jitter
    if statistics.last_arrival is not None:
        stats["last_packet_received_timestamp"] = moment.timestamp_of(statistics.last_arrival)
    if energy is not None:
        stats["audio_level"] = energy.audio_level
        stats["total_audio_energy"] = energy.total_audio_energy
        stats["total_samples_duration"] = energy.total_samples_duration
    return stats


def outbound_rtp(identity: StreamIdentity, sent: SentTotals, moment: Moment, remote_id: str | None = None) -> Stats:
    """The `outbound-rtp` of a stream that we send; `remote_id` is the id of its `remote-inbound-rtp`."""
    stats = _stream("outbound-rtp", identity, moment)
    stats["packets_sent"] = sent.packets_sent
    stats["bytes_sent"] = sent.bytes_sent
    stats["header_bytes_sent"] = sent.header_bytes_sent
    if remote_id is not None:
        stats["remote_id"] = remote_id
    return stats


def remote_outbound_rtp(
    identity: StreamIdentity, statistics: ReceiveStatistics, moment: Moment, local_id: str
) -> Stats:
    """The `remote-outbound-rtp` of a stream that we receive: its round trip, measured by RFC 3611 echoes."""
    stats = _stream("remote-outbound-rtp", identity, moment)
    stats["local_id"] = local_id
    if statistics.round_trip_time is not None:
        stats["round_trip_time"] = statistics.round_trip_time
    return stats


def remote_inbound_rtp(
    identity: StreamIdentity, statistics: RemoteReceiveStatistics, moment: Moment, local_id: str | None = None
) -> Stats:
    """The `remote-inbound-rtp` of a stream that we send: the receiver's account, dated by its last report."""
    stats = _stream("remote-inbound-rtp", identity, moment)
    if statistics.last_report is not None:
        stats["timestamp"] = moment.timestamp_of(statistics.last_report)
    if local_id is not None:
        stats["local_id"] = local_id
    stats["packets_lost"] = statistics.packets_lost
    stats["fraction_lost"] = statistics.fraction_lost
    stats["jitter"] = statistics.jitter
    if statistics.round_trip_time is not None:
        stats["round_trip_time"] = statistics.round_trip_time
    stats["total_round_trip_time"] = statistics.total_round_trip_time
    stats["round_trip_time_measurements"] = statistics.round_trip_time_measurements
    return stats


def transport(transport_id: str, totals: TransportTotals, moment: Moment) -> Stats:
    """The `transport` of an endpoint. The server is ICE-lite, so its ICE role is always controlled."""
    stats: Stats = {
        "id": transport_id,
        "timestamp": moment.timestamp,
        "type": "transport",
        "packets_sent": totals.packets_sent,
        "packets_received": totals.packets_received,
        "bytes_sent": totals.bytes_sent,
        "bytes_received": totals.bytes_received,
        "ice_role": "controlled",
        "ice_state": totals.ice_state,
        "dtls_state": totals.dtls_state,
    }
    if totals.srtp_cipher is not None:
        stats["srtp_cipher"] = totals.srtp_cipher
    return stats


def camel_case(stats: Mapping[str, object]) -> Stats:
    """The same statistics spelled as the W3C does: `packets_lost` becomes `packetsLost`. Values stay as they are."""
    return {_camel(name): value for name, value in stats.items()}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _stream(kind: str, identity: StreamIdentity, moment: Moment) -> Stats:
    stats: Stats = {
        "id": identity.id,
        "timestamp": moment.timestamp,
        "type": kind,
        "kind": "audio",
        "ssrc": identity.ssrc,
    }
    if identity.mid is not None:
        stats["mid"] = identity.mid
    if identity.transport_id is not None:
        stats["transport_id"] = identity.transport_id
    return stats
