"""What an SDP offer says, as frozen dataclasses. `sfu.sdp` fills them, `sfu.answer` and the endpoint read them."""

from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
CandidateType = Literal["host", "srflx", "prflx", "relay"]
OfferedSetup = Literal["actpass", "active", "passive", "holdconn"]

MAX_CANDIDATES: Final = 30
"""How many of a client's candidates are looked at; they are not needed, as addresses are learned from its checks."""


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload format of an m-line (RFC 8866 section 6.6). `parameters` is the fmtp text as it came."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """One RTP header extension (RFC 8285 section 5). `direction` is as seen by the offerer."""

    id: int
    uri: str
    direction: Direction = "sendrecv"


@dataclass(frozen=True, slots=True)
class IceParameters:
    """ICE username fragment and password of one side (RFC 8839 section 5.4). The password is never printed."""

    ufrag: str
    pwd: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Hash of a DTLS certificate (RFC 8122 section 5): lower-case name, upper-case hex pairs with colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One ICE candidate (RFC 8839 section 5.1). Kept for diagnosis: no name in it is ever looked up."""

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    kind: CandidateType


@dataclass(frozen=True, slots=True)
class OfferedMedia:
    """One m-line of an offer, with what it inherits from the session level.

    `named` is false where the offer gave no mid, and `mid` is then the index. `rtcp_xr` means that receiver RTT reports
    (RFC 3611) are offered.
    """

    index: int
    kind: str
    protocol: str
    formats: tuple[str, ...]
    port: int
    mid: str
    named: bool
    direction: Direction
    bundle_only: bool
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[Extension, ...] = ()
    msid: str | None = None
    ssrcs: tuple[int, ...] = ()
    ice: IceParameters | None = None
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: OfferedSetup | None = None
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    rtcp_xr: bool = False
    candidates: tuple[Candidate, ...] = ()

    @property
    def rejected(self) -> bool:
        """Port 0 says no, unless bundle-only explains it (RFC 9143 section 6)."""
        return self.port == 0 and not self.bundle_only

    @property
    def can_send(self) -> bool:
        """The client may send to us."""
        return self.direction in {"sendonly", "sendrecv"}

    @property
    def can_receive(self) -> bool:
        """The client may receive from us: a slot."""
        return self.direction in {"recvonly", "sendrecv"}


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole offer. `ice`, `fingerprints` and `setup` are those of the one transport that we would take.

    `bundle` is the group that holds the audio, in the offer's order, or empty. `audio` are the m-lines that share the
    transport and can be accepted, in m-line order, never none. Without a bundle that is one line, as each further line
    would want a transport of its own.
    """

    media: tuple[OfferedMedia, ...]
    bundle: tuple[str, ...]
    audio: tuple[OfferedMedia, ...]
    ice: IceParameters
    ice_lite: bool
    fingerprints: tuple[Fingerprint, ...]
    setup: OfferedSetup

    @property
    def senders(self) -> tuple[OfferedMedia, ...]:
        """The audio m-lines on which the client may send to us."""
        return tuple(media for media in self.audio if media.can_send)

    @property
    def receivers(self) -> tuple[OfferedMedia, ...]:
        """The audio m-lines on which the client may receive: the slots, in m-line order."""
        return tuple(media for media in self.audio if media.can_receive)
