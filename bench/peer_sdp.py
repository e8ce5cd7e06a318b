"""The peer's SDP: offers as a browser shapes them, and what it needs of an answer.

An offer is made of `Line`s, so that a test can stop, add or reverse one; ids and payload
types are the peer's to choose.
"""

from dataclasses import dataclass, field, replace

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


@dataclass(frozen=True, slots=True)
class Line:
    """One audio m-line. A stopped one has port 0 and is in no bundle (RFC 3264 section 8.2)."""

    mid: str
    direction: str
    stopped: bool = False


def browser_lines(slots: int = 8) -> tuple[Line, ...]:
    """The microphone, and `slots` lines to hear others on."""
    return (Line("0", "sendonly"), *(Line(str(number), "recvonly") for number in range(1, slots + 1)))


@dataclass(frozen=True, slots=True)
class Shape:
    """What the peer offers. `level_id` and `mid_id` None: without that extension. `fingerprint`: another than its own.

    `setup` decides who opens the DTLS association; with `actpass` the server chooses. `event_clock` is the clock rate
    of telephone events, whose payload type is the one before the voice's; None: without them. `extras` are further
    attributes of every line.
    """

    lines: tuple[Line, ...] = field(default_factory=browser_lines)
    payload_type: int = 111
    level_id: int | None = 1
    mid_id: int | None = 4
    setup: str = "actpass"
    fingerprint: str | None = None
    event_clock: int | None = 8000
    extras: tuple[str, ...] = ()

    def with_line(self, mid: str, direction: str, *, stopped: bool = False) -> "Shape":
        """The same with one line changed, or added at the end."""
        line = Line(mid, direction, stopped)
        if any(one.mid == mid for one in self.lines):
            return replace(self, lines=tuple(line if one.mid == mid else one for one in self.lines))
        return replace(self, lines=(*self.lines, line))


@dataclass(frozen=True, slots=True)
class Credentials:
    """One side's ICE username fragment and password, and the fingerprint of its certificate (SHA-256)."""

    ufrag: str
    pwd: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AnsweredLine:
    """One m-line of an answer; `ssrc` is what the server sends on it, `extensions` maps URIs to ids."""

    mid: str
    port: int
    direction: str
    payload_type: int
    ssrc: int | None
    extensions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer says. `lines` by mid; `candidates` in order, the preferred first."""

    text: str
    lines: dict[str, AnsweredLine]
    credentials: Credentials
    setup: str
    candidates: tuple[tuple[str, int], ...]

    def mid_of(self, ssrc: int) -> str | None:
        """The m-line on which the server sends this SSRC."""
        return next((mid for mid, line in self.lines.items() if line.ssrc == ssrc), None)


def write_offer(shape: Shape, own: Credentials, ssrc: int, version: int) -> str:
    """The offer of `shape` as a browser writes it."""
    bundled = [line.mid for line in shape.lines if not line.stopped]
    lines = [
        "v=0",
        f"o=- 4611731400430051336 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(bundled)}",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS",
    ]
    for line in shape.lines:
        lines += _line(shape, line, own, ssrc)
    return "\r\n".join(lines) + "\r\n"


def _line(shape: Shape, line: Line, own: Credentials, ssrc: int) -> list[str]:
    number = shape.payload_type
    extensions = [(shape.level_id, LEVEL), (shape.mid_id, MID)]
    return [
        f"m=audio {0 if line.stopped else 9} UDP/TLS/RTP/SAVPF {number} {number - 1}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{own.ufrag}",
        f"a=ice-pwd:{own.pwd}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {shape.fingerprint or own.fingerprint}",
        f"a=setup:{shape.setup}",
        f"a=mid:{line.mid}",
        *(f"a=extmap:{identifier} {uri}" for identifier, uri in extensions if identifier is not None),
        f"a={line.direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        f"a=rtpmap:{number} opus/48000/2",
        f"a=fmtp:{number} minptime=10;useinbandfec=1",
        *([f"a=rtpmap:{number - 1} telephone-event/{shape.event_clock}"] if shape.event_clock else []),
        *shape.extras,
        *([f"a=ssrc:{ssrc} cname:peer"] if line.direction in ("sendonly", "sendrecv") else []),
    ]


def read_answer(text: str) -> Answer:
    """Take an answer apart. Raises ValueError or LookupError where something that a client needs is missing."""
    session, *sections = [part.splitlines() for part in text.split("\r\nm=")]
    lines: dict[str, AnsweredLine] = {}
    transport: list[str] = []
    for section in sections:
        line = _answered(section)
        lines[line.mid] = line
        if line.port and not transport:
            transport = section
    found = _attributes([*session, *transport])
    algorithm, _, fingerprint = found["fingerprint"][0].partition(" ")
    if algorithm != "sha-256":
        raise ValueError(f"the answer's fingerprint is {algorithm}")
    candidates = [value.split() for value in found.get("candidate", [])]
    return Answer(
        text,
        lines,
        Credentials(found["ice-ufrag"][0], found["ice-pwd"][0], fingerprint),
        found["setup"][0],
        tuple((words[4], int(words[5])) for words in candidates),
    )


def _answered(section: list[str]) -> AnsweredLine:
    _, port, _, number, *_ = section[0].split()
    found = _attributes(section)
    direction = next(name for name in ("sendrecv", "sendonly", "recvonly", "inactive") if name in found)
    maps = [value.split() for value in found.get("extmap", [])]
    return AnsweredLine(
        found["mid"][0],
        int(port),
        direction,
        int(number),
        int(found["ssrc"][0].split()[0]) if "ssrc" in found else None,
        {uri: int(identifier.partition("/")[0]) for identifier, uri, *_ in maps},
    )


def _attributes(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("a="):
            name, _, value = line[2:].partition(":")
            found.setdefault(name, []).append(value)
    return found
