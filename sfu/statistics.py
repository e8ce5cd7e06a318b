"""One endpoint's statistics, each way, under the names of W3C webrtc-stats (snake_case; seconds, 0..1)."""

from quality.w3c import (
    Moment,
    SentTotals,
    StreamIdentity,
    TransportTotals,
    inbound_rtp,
    outbound_rtp,
    remote_inbound_rtp,
    remote_outbound_rtp,
    transport,
)
from sfu.endpoint import Endpoint

_RTP_HEADER = 12


def connection_statistics(endpoint: Endpoint, dtls_state: str, now: float, epoch: float) -> list[dict[str, object]]:
    """The transport, every inbound stream and every slot that has sent, with what its listener reports of it."""
    moment = Moment(now, now + epoch)
    transport_id = "transport"
    report = [transport(transport_id, _totals(endpoint, dtls_state), moment)]
    for stream in endpoint.streams.values():
        identity = StreamIdentity(f"inbound-{stream.id}", stream.ssrc, transport_id=transport_id)
        entry = inbound_rtp(identity, stream.statistics, moment)
        entry["audio_level"] = stream.voice.audio_level
        report.append(entry)
        if stream.statistics.round_trip_time is not None:
            remote = StreamIdentity(f"remote-outbound-{stream.id}", stream.ssrc, transport_id=transport_id)
            report.append(remote_outbound_rtp(remote, stream.statistics, moment, identity.id))
    for slot in endpoint.slots:
        packets, octets = slot.tally.totals()
        if not packets:
            continue
        mid = slot.form.mid
        ours, theirs = f"outbound-{mid}", f"remote-inbound-{mid}"
        identity = StreamIdentity(ours, slot.ssrc, mid, transport_id)
        report.append(outbound_rtp(identity, SentTotals(packets, octets, packets * _RTP_HEADER), moment, theirs))
        if slot.remote.reports_received:
            identity = StreamIdentity(theirs, slot.ssrc, mid, transport_id)
            report.append(remote_inbound_rtp(identity, slot.remote, moment, ours))
    return report


def octets_of(endpoint: Endpoint) -> tuple[int, int]:
    """Octets that were sent and received, as the transport's statistics have them."""
    sent = sum(octets + packets * _RTP_HEADER for packets, octets in (slot.tally.totals() for slot in endpoint.slots))
    return sent, endpoint.octets_in


def _totals(endpoint: Endpoint, dtls_state: str) -> TransportTotals:
    sent = [slot.tally.totals() for slot in endpoint.slots]
    bytes_sent, bytes_received = octets_of(endpoint)
    ice = endpoint.ice
    return TransportTotals(
        packets_sent=sum(packets for packets, _ in sent),
        packets_received=endpoint.packets_in,
        bytes_sent=bytes_sent,
        bytes_received=bytes_received,
        dtls_state=dtls_state,
        ice_state="failed" if ice.expired else "connected" if ice.selected is not None else "new",
        srtp_cipher=endpoint.srtp.profile.name if endpoint.srtp is not None else None,
    )
