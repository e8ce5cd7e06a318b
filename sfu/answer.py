"""Writes an SDP answer: an `Offer` and our own parameters in, text out.

JSEP (RFC 9429 section 5.3) with offer/answer directions (RFC 3264 section 6.1). What is not in the two tables below is
declined: an m-line with port 0, a codec or an extension by leaving it out. Payload types and extension ids are the
client's. The answer has the offer's m-lines in the offer's order, all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sfu.dtmf import EventFormat
from sfu.errors import BadOffer
from sfu.offer import Codec, Direction, Extension, Fingerprint, IceParameters, Offer, OfferedMedia
from sfu.opus import OPUS_CLOCK, USUAL, OpusWishes

Setup = Literal["active", "passive"]

LEVEL: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"  # RFC 6464
MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"  # RFC 9143 section 15
EXTENSIONS: Final = (LEVEL, MID)

REVERSED: Final[Mapping[Direction, Direction]] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}

_SETUPS: Final[Mapping[str, tuple[Setup, ...]]] = {
    "actpass": ("passive", "active"),
    "active": ("passive",),
    "passive": ("active",),
    "holdconn": (),
}


@dataclass(frozen=True, slots=True)
class TakenCodec:
    """A codec that we take."""

    name: str
    clock_rate: int
    channels: int


CODECS: Final = (TakenCodec("opus", OPUS_CLOCK, 2),)  # RFC 7587 section 7


EVENTS: Final = "telephone-event"  # RFC 4733 section 2.4.1
EVENT_CLOCKS: Final = (48_000, 8_000, 16_000, 32_000)
"""Clock rates of events, the best first: the voice's, whose timestamps they share (RFC 4733 section 2.1)."""


@dataclass(frozen=True, slots=True)
class HostCandidate:
    """One of our own addresses, as IP text, and the media port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class SlotStream:
    """What we send in one slot: its SSRC, and the MediaStream and track ids that the client will see."""

    ssrc: int
    stream: str
    track: str


@dataclass(frozen=True, slots=True)
class AnswerParameters:
    """Our side of an answer.

    `version` rises with each answer of one `session_id` (RFC 3264 section 8). `slots` has a stream for each mid that we
    send on; an m-line that could receive and is not in it is answered as one on which nothing is sent. `opus` is what
    the client's encoder is asked for.
    """

    session_id: int
    version: int
    ice: IceParameters
    fingerprint: Fingerprint
    setup: Setup
    candidates: Sequence[HostCandidate]
    slots: Mapping[str, SlotStream]
    cname: str
    opus: OpusWishes = USUAL


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What was agreed for one accepted m-line.

    `level_in` and `mid_in` are the extension ids that the client may use towards us, `level_out` and `mid_out` those
    that we may use towards it; None where not agreed. `can_send`: the client may send. `slot`: it may receive.
    `msid` and `ssrcs` are those that the client announced. `events` is how it wants, and sends, telephone events.
    """

    index: int
    mid: str
    payload_type: int
    clock_rate: int
    can_send: bool
    slot: bool
    level_in: int | None
    level_out: int | None
    mid_in: int | None
    mid_out: int | None
    msid: str | None
    ssrcs: tuple[int, ...]
    rtcp_rsize: bool
    rtcp_xr: bool
    events: EventFormat | None = None


def choose_setup(offer: Offer, current: Setup | None = None) -> Setup:
    """Our DTLS role (RFC 8842 section 5.3): passive where we may choose, and `current` where an association goes on.

    Raises `BadOffer` (`bad_sdp`) for holdconn, and for an offer that would turn the roles of a living association.
    """
    allowed = _SETUPS[offer.setup]
    if not allowed:
        raise BadOffer("bad_sdp", "with a=setup:holdconn neither side opens the DTLS association")
    if current is None:
        return allowed[0]
    if current not in allowed:
        raise BadOffer("bad_sdp", f"a=setup:{offer.setup} would reverse the DTLS roles of a live association")
    return current


def negotiate(offer: Offer) -> tuple[Negotiated, ...]:
    """What each accepted m-line agrees on, in m-line order; never empty.

    Raises `BadOffer`: `no_codec` when no audio m-line has a codec of ours, `bad_sdp` when both ends are ICE-lite
    (RFC 8445 section 2.5: a lite end makes no checks, so two of them never meet).
    """
    if offer.ice_lite:
        raise BadOffer("bad_sdp", "both ends are ICE-lite, so neither would send connectivity checks")
    lines: list[Negotiated] = []
    for media in offer.audio:
        codec = _codec(media)
        if codec is None:
            continue
        taken = {extension.uri: extension for extension in _taken_extensions(media)}
        level, mid = taken.get(LEVEL), taken.get(MID)
        lines.append(
            Negotiated(
                index=media.index,
                mid=media.mid,
                payload_type=codec[0].payload_type,
                clock_rate=codec[0].clock_rate,
                can_send=media.can_send,
                slot=media.can_receive,
                level_in=_id_if(level, "sendonly"),
                level_out=_id_if(level, "recvonly"),
                mid_in=_id_if(mid, "sendonly"),
                mid_out=_id_if(mid, "recvonly"),
                msid=media.msid,
                ssrcs=media.ssrcs,
                rtcp_rsize=media.rtcp_rsize,
                rtcp_xr=media.rtcp_xr,
                events=_events(media),
            )
        )
    if not lines:
        raise BadOffer("no_codec", "no audio m-line offers Opus (opus/48000/2)")
    return tuple(lines)


def still_sent(ssrc: int, payload_type: int, before: Sequence[Negotiated], after: Sequence[Negotiated]) -> bool:
    """Whether an offer that leads from the sending lines `before` to those of `after` lets a stream go on.

    A stream belongs to the line that announces its SSRC, else to the only line with its payload type. It ends with that
    line (rejected, or no direction to us), with another msid there (another track, RFC 8830 section 2), and with other
    SSRCs there in place of its own. A stream whose line is not known ends with the last sending line.
    """
    if any(ssrc in line.ssrcs for line in after):
        return True
    owners = [line for line in before if ssrc in line.ssrcs]
    owners = owners or [line for line in before if line.payload_type == payload_type]
    if len(owners) != 1:
        return bool(after)
    (owner,) = owners
    line = next((line for line in after if line.mid == owner.mid), None)
    if line is None or (line.msid and owner.msid and line.msid != owner.msid):
        return False
    return not (ssrc in owner.ssrcs and line.ssrcs)


def build_answer(offer: Offer, parameters: AnswerParameters) -> str:
    """The answer as text with CRLF. Raises `BadOffer` as `negotiate` does."""
    accepted = {line.index: line.mid for line in negotiate(offer)}
    mids = [mid for mid in offer.bundle if mid in accepted.values()]
    lines = [
        "v=0",
        f"o=- {parameters.session_id} {parameters.version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {' '.join(mids)}"] if mids else []),
        "a=ice-lite",
        # RFC 8838: candidates may come late. RFC 8445 section 10: we follow it, not RFC 5245.
        "a=ice-options:trickle ice2",
    ]
    candidates = _ipv4_first(parameters.candidates)
    for media in offer.media:
        if media.index in accepted:
            lines += _accept(media, parameters, candidates)
        else:
            lines += _reject(media)
    return "\r\n".join(lines) + "\r\n"


def _codec(media: OfferedMedia) -> tuple[Codec, TakenCodec] | None:
    """The first codec of the offer that we take. Payload types 64-95 cannot go with rtcp-mux (RFC 5761 section 4)."""
    for codec in media.codecs:
        for taken in CODECS:
            meaning = (codec.name.lower(), codec.clock_rate, codec.channels)
            if meaning == (taken.name, taken.clock_rate, taken.channels) and not 64 <= codec.payload_type <= 95:
                return codec, taken
    return None


def _events(media: OfferedMedia) -> EventFormat | None:
    """The one form of telephone events that we take of an m-line."""
    offered = {
        codec.clock_rate: EventFormat(codec.payload_type, codec.clock_rate)
        for codec in reversed(media.codecs)
        if codec.name.lower() == EVENTS and not 64 <= codec.payload_type <= 95
    }
    return next((offered[rate] for rate in EVENT_CLOCKS if rate in offered), None)


def _event_lines(events: EventFormat | None) -> list[str]:
    """The DTMF digits, which are all that we forward (RFC 4733 section 2.4.1)."""
    if events is None:
        return []
    number = events.payload_type
    return [f"a=rtpmap:{number} {EVENTS}/{events.clock_rate}", f"a=fmtp:{number} 0-15"]


def _taken_extensions(media: OfferedMedia) -> list[Extension]:
    """Ours, each once, where they fit the one-byte form (RFC 8285 section 4.2): ids 1-14, at most 16 bytes of mid."""
    taken: dict[str, Extension] = {}
    for extension in media.extensions:
        if extension.uri in EXTENSIONS and extension.id <= 14 and not (extension.uri == MID and len(media.mid) > 16):
            taken.setdefault(extension.uri, extension)
    return list(taken.values())


def _id_if(extension: Extension | None, direction: Direction) -> int | None:
    return extension.id if extension and extension.direction in {direction, "sendrecv"} else None


def _ipv4_first(candidates: Sequence[HostCandidate]) -> list[HostCandidate]:
    """Some clients use only the first candidate, so that one is IPv4. The others keep their order."""
    first = next((candidate for candidate in candidates if ":" not in candidate.address), None)
    return [*([first] if first else []), *(candidate for candidate in candidates if candidate != first)]


def _answer_direction(media: OfferedMedia, *, sends: bool) -> Direction:
    """RFC 3264 section 6.1, less our sending where there is no stream for it."""
    direction = REVERSED[media.direction]
    if sends or direction in {"recvonly", "inactive"}:
        return direction
    return "recvonly" if direction == "sendrecv" else "inactive"


def _connection(candidates: Sequence[HostCandidate]) -> tuple[int, str]:
    """Port and `c=` line: the default destination is the first candidate (RFC 8839)."""
    if not candidates:
        return 9, "c=IN IP4 0.0.0.0"
    family = "IP6" if ":" in candidates[0].address else "IP4"
    return candidates[0].port, f"c=IN {family} {candidates[0].address}"


def _accept(media: OfferedMedia, parameters: AnswerParameters, candidates: Sequence[HostCandidate]) -> list[str]:
    chosen = _codec(media)
    assert chosen is not None
    codec, taken = chosen
    slot = parameters.slots.get(media.mid) if media.can_receive else None
    port, connection = _connection(candidates)
    events = _events(media)
    return [
        f"m={media.kind} {port} {media.protocol} {codec.payload_type}{f' {events.payload_type}' if events else ''}",
        connection,
        *_mid(media),
        f"a={_answer_direction(media, sends=slot is not None)}",
        f"a=rtpmap:{codec.payload_type} {taken.name}/{taken.clock_rate}/{taken.channels}",
        f"a=fmtp:{codec.payload_type} {parameters.opus.fmtp()}",
        *parameters.opus.ptime_lines(),
        *_event_lines(events),
        *(_extmap(extension) for extension in _taken_extensions(media)),
        # RFC 9143 wants the transport on the bundle's first m-line alone. Browsers repeat it, and some libraries look
        # for it on each m-line: of the candidates aiortc takes the last m-line's under max-bundle, else the first's.
        "a=rtcp-mux",
        *(["a=rtcp-rsize"] if media.rtcp_rsize else []),
        *(["a=rtcp-xr:rcvr-rtt=all"] if media.rtcp_xr else []),
        f"a=ice-ufrag:{parameters.ice.ufrag}",
        f"a=ice-pwd:{parameters.ice.pwd}",
        f"a=fingerprint:{parameters.fingerprint.algorithm} {parameters.fingerprint.value}",
        f"a=setup:{parameters.setup}",
        *_candidates(candidates),
        *(_stream(slot, parameters.cname) if slot else []),
    ]


def _reject(media: OfferedMedia) -> list[str]:
    """RFC 3264 section 6: port 0 and one of the offered formats."""
    return [
        f"m={media.kind} 0 {media.protocol} {media.formats[0]}",
        "c=IN IP4 0.0.0.0",
        *_mid(media),
        "a=inactive",
    ]


def _mid(media: OfferedMedia) -> list[str]:
    return [f"a=mid:{media.mid}"] if media.named else []


def _extmap(extension: Extension) -> str:
    direction = "" if extension.direction == "sendrecv" else f"/{REVERSED[extension.direction]}"
    return f"a=extmap:{extension.id}{direction} {extension.uri}"


def _candidates(candidates: Sequence[HostCandidate]) -> list[str]:
    """Host candidates, best first (RFC 8445 section 5.1.2.1), and that there are no more (RFC 8840)."""
    lines = [
        f"a=candidate:{order + 1} 1 udp {(126 << 24) + ((65_535 - order) << 8) + 255} {own.address} {own.port} typ host"
        for order, own in enumerate(candidates)
    ]
    return [*lines, "a=end-of-candidates"]


def _stream(slot: SlotStream, cname: str) -> list[str]:
    return [
        f"a=msid:{slot.stream} {slot.track}",
        f"a=ssrc:{slot.ssrc} cname:{cname}",
        f"a=ssrc:{slot.ssrc} msid:{slot.stream} {slot.track}",
    ]
