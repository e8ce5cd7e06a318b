"""Reads an SDP offer: text in, the dataclasses of `sfu.offer` out.

RFC 8866 grammar (CRLF or LF), with JSEP (RFC 9429, RFC 8829), BUNDLE (RFC 9143), rtcp-mux (RFC 5761), ICE (RFC 8839),
DTLS (RFC 8122, RFC 8842), header extensions (RFC 8285), RFC 3611 and RFC 5506 attributes. An attribute that we do
not know is skipped. One that we know and cannot read is the peer's mistake. `parse_offer` and `parse_candidate`
raise only `BadOffer`. What is taken, and in which codec, is decided in `sfu.answer`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, cast, get_args

from sfu.errors import BadOffer
from sfu.offer import (
    MAX_CANDIDATES,
    Candidate,
    CandidateType,
    Codec,
    Direction,
    Extension,
    Fingerprint,
    IceParameters,
    Offer,
    OfferedMedia,
    OfferedSetup,
)

MAX_BYTES: Final = 65_536
MAX_MEDIA: Final = 64
MAX_MID: Final = 64
AUDIO_PROFILES: Final = frozenset({"UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF"})

_DIRECTIONS: Final[tuple[Direction, ...]] = ("sendrecv", "sendonly", "recvonly", "inactive")
_SETUPS: Final = frozenset({"actpass", "active", "passive", "holdconn"})
_HASH_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}

_WORD: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+"
_LINE: Final = re.compile(r"([a-z])=([^\x00-\x08\x0a-\x1f\x7f]*)")
_MEDIA: Final = re.compile(rf"({_WORD}) ([0-9]{{1,5}})(?:/[0-9]{{1,5}})? ({_WORD}(?:/{_WORD})*)((?: {_WORD})+) *")
_RTPMAP: Final = re.compile(rf"([0-9]{{1,3}}) +({_WORD})/([0-9]{{1,9}})(?:/([0-9]{{1,3}}))? *")
_FMTP: Final = re.compile(r"([0-9]{1,3}) +(.*)")
_EXTMAP: Final = re.compile(r"([0-9]{1,4})(?:/(sendrecv|sendonly|recvonly|inactive))? +([!-~]+)(?: .*)?")
_SSRC: Final = re.compile(r"([0-9]{1,10})(?: .*)?")
_FINGERPRINT: Final = re.compile(rf"({_WORD}) +((?:[0-9A-Fa-f]{{2}}:)*[0-9A-Fa-f]{{2}}) *")
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_CANDIDATE: Final = re.compile(
    r"(?:a=)?candidate:([A-Za-z0-9+/]{1,32}) +([0-9]{1,3}) +([A-Za-z-]{1,16}) +([0-9]{1,10})"
    rf" +([0-9A-Za-z.:%_-]{{1,255}}) +([0-9]{{1,5}}) +typ +({'|'.join(get_args(CandidateType))})(?: .*)?"
)


class _Attributes:
    """The `a=` lines of one section by name, with the session's lines behind them where both levels are allowed."""

    def __init__(self, session: "_Attributes | None" = None) -> None:
        self._values: dict[str, list[str]] = {}
        self._session = session

    def add(self, line: str) -> None:
        name, _, value = line.partition(":")
        self._values.setdefault(name, []).append(value)

    def has(self, name: str) -> bool:
        return name in self._values

    def own(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def either(self, name: str) -> list[str]:
        """The values of this level, or of the session where this level has none."""
        return self.own(name) or (self._session.own(name) if self._session else [])

    def both(self, name: str) -> list[str]:
        return (self._session.own(name) if self._session else []) + self.own(name)


def parse_offer(text: str) -> Offer:
    """Read an offer. Raises `BadOffer` with code `bad_sdp`, `bad_fingerprint` or `no_audio`, and nothing else."""
    session, sections = _split(text)
    groups = [value.split()[1:] for value in session.own("group") if value.split()[:1] == ["BUNDLE"]]
    mids = _name_sections([attributes for _, attributes in sections])
    media: list[OfferedMedia] = []
    left = MAX_CANDIDATES
    for index, (line, attributes) in enumerate(sections):
        media.append(_read_media(index, line, mids[index], attributes, left))
        left -= len(media[-1].candidates)
    bundle, audio = _choose(media, groups)
    _check_shared_numbers(audio)
    carriers = _carriers(media, bundle, audio)
    ice = next((line.ice for line in carriers if line.ice), None)
    if ice is None:
        raise _bad("the offer has no ice-ufrag and ice-pwd")
    return Offer(
        media=tuple(media),
        bundle=bundle,
        audio=audio,
        ice=ice,
        ice_lite=session.has("ice-lite"),
        fingerprints=_one_identity(carriers),
        setup=next((line.setup for line in carriers if line.setup), "active"),  # RFC 4145 section 4: the default
    )


def parse_candidate(text: str) -> Candidate:
    """Read one candidate attribute, with or without `a=`. Raises `BadOffer` (`bad_sdp`)."""
    match = _CANDIDATE.fullmatch(text)
    if match is None:
        raise _bad("a candidate does not follow RFC 8839 section 5.1")
    foundation, component, transport, priority, address, port, kind = match.groups()
    return Candidate(
        foundation=foundation,
        component=_number(component, 1, 256, "candidate component"),
        transport=transport.lower(),
        priority=_number(priority, 0, 2**32 - 1, "candidate priority"),
        address=address,
        port=_number(port, 0, 65_535, "candidate port"),
        kind=cast(CandidateType, kind),
    )


def _bad(message: str, code: str = "bad_sdp") -> BadOffer:
    return BadOffer(code, message)


def _number(digits: str, low: int, high: int, what: str) -> int:
    value = int(digits)
    if not low <= value <= high:
        raise _bad(f"{what} {value} is not within {low}-{high}")
    return value


def _split(text: str) -> tuple[_Attributes, list[tuple[str, _Attributes]]]:
    """The session's attributes, and for each m-line its value and attributes."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise _bad("the offer is not UTF-8 text") from error
    if size > MAX_BYTES:
        raise _bad(f"the offer is longer than {MAX_BYTES} bytes")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if not lines or lines[0] != "v=0":
        raise _bad("the first line of an offer must be v=0")
    session = current = _Attributes()
    sections: list[tuple[str, _Attributes]] = []
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise _bad(f"line {number} is not <letter>=<text>")
        letter, value = match.groups()
        if letter == "m":
            current = _Attributes(session)
            sections.append((value, current))
        elif letter == "a":
            current.add(value)
    if len(sections) > MAX_MEDIA:
        raise _bad(f"the offer has more than {MAX_MEDIA} m-lines")
    return session, sections


def _name_sections(sections: Sequence[_Attributes]) -> list[tuple[str, bool]]:
    """The mid of each m-line, else its index, and whether the offer gave it (RFC 5888 section 4)."""
    given = [attributes.own("mid")[0].strip() if attributes.has("mid") else None for attributes in sections]
    taken: set[str] = set()
    for mid in given:
        if mid is None:
            continue
        if len(mid) > MAX_MID or not re.fullmatch(_WORD, mid):
            raise _bad(f"a mid is not a token of at most {MAX_MID} characters")
        if mid in taken:
            raise _bad(f"two m-lines have the mid {mid}")
        taken.add(mid)
    names: list[tuple[str, bool]] = []
    for index, mid in enumerate(given):
        if mid is not None:
            names.append((mid, True))
            continue
        name = str(index)
        while name in taken:
            name += "_"
        names.append((name, False))
    return names


def _read_media(index: int, line: str, name: tuple[str, bool], attributes: _Attributes, left: int) -> OfferedMedia:
    match = _MEDIA.fullmatch(line)
    if match is None:
        raise _bad(f"m-line {index} does not follow RFC 8866 section 5.14")
    kind, port, protocol, rest = match.groups()
    formats = tuple(rest.split())
    return OfferedMedia(
        index=index,
        kind=kind,
        protocol=protocol,
        formats=formats,
        port=_number(port, 0, 65_535, "port"),
        mid=name[0],
        named=name[1],
        direction=_direction(attributes),
        bundle_only=attributes.has("bundle-only"),
        codecs=_codecs(formats, attributes) if kind in {"audio", "video"} else (),
        extensions=_extensions(attributes),
        msid=next(iter(attributes.own("msid")), None),
        ssrcs=_ssrcs(attributes),
        ice=_ice(attributes),
        fingerprints=_fingerprints(attributes.either("fingerprint")),
        setup=_setup(attributes),
        rtcp_mux=attributes.has("rtcp-mux"),
        rtcp_rsize=attributes.has("rtcp-rsize"),
        rtcp_xr=any(part.startswith("rcvr-rtt=") for value in attributes.either("rtcp-xr") for part in value.split()),
        candidates=tuple(parse_candidate(f"candidate:{value}") for value in attributes.own("candidate")[:left]),
    )


def _direction(attributes: _Attributes) -> Direction:
    """RFC 8866 section 6.7: the m-line's own, else the session's, else sendrecv."""
    for level in (attributes.own, attributes.either):
        for direction in _DIRECTIONS:
            if level(direction):
                return direction
    return "sendrecv"


def _codecs(formats: Iterable[str], attributes: _Attributes) -> tuple[Codec, ...]:
    matches = [_FMTP.fullmatch(value) for value in attributes.own("fmtp")]
    parameters = {match[1]: match[2].strip() for match in matches if match}
    codecs: dict[str, Codec] = {}
    for value in attributes.own("rtpmap"):
        match = _RTPMAP.fullmatch(value)
        if match is None:
            raise _bad("an rtpmap does not follow RFC 8866 section 6.6")
        payload_type, name, clock_rate, channels = match.groups()
        codec = Codec(
            payload_type=_number(payload_type, 0, 127, "payload type"),
            name=name,
            clock_rate=int(clock_rate),
            channels=int(channels or 1),
            parameters=parameters.get(payload_type, ""),
        )
        codecs.setdefault(payload_type, codec)
    return tuple(codecs[payload_type] for payload_type in dict.fromkeys(formats) if payload_type in codecs)


def _extensions(attributes: _Attributes) -> tuple[Extension, ...]:
    found: dict[int, Extension] = {}
    for value in attributes.both("extmap"):
        match = _EXTMAP.fullmatch(value)
        if match is None:
            raise _bad("an extmap does not follow RFC 8285 section 8")
        number, direction, uri = match.groups()
        extension = Extension(_number(number, 1, 4351, "extmap id"), uri, cast("Direction", direction or "sendrecv"))
        if found.setdefault(extension.id, extension).uri != uri:
            raise _bad(f"the extmap id {extension.id} stands for two things")
    return tuple(found.values())


def _ssrcs(attributes: _Attributes) -> tuple[int, ...]:
    """RFC 5576 section 4.1: each SSRC once, in order."""
    found: dict[int, None] = {}
    for value in attributes.own("ssrc"):
        match = _SSRC.fullmatch(value)
        if match is None:
            raise _bad("an ssrc does not follow RFC 5576 section 4.1")
        found[_number(match[1], 0, 2**32 - 1, "ssrc")] = None
    return tuple(found)


def _ice(attributes: _Attributes) -> IceParameters | None:
    ufrags, passwords = attributes.either("ice-ufrag"), attributes.either("ice-pwd")
    if not ufrags and not passwords:
        return None
    if not ufrags or not passwords or not _UFRAG.fullmatch(ufrags[0]) or not _PASSWORD.fullmatch(passwords[0]):
        raise _bad("ice-ufrag and ice-pwd do not follow RFC 8839 section 5.4")
    return IceParameters(ufrags[0], passwords[0])


def _fingerprints(values: Iterable[str]) -> tuple[Fingerprint, ...]:
    """The hashes that we trust. A list of nothing but weaker ones is refused, not taken for an absent one."""
    found: dict[Fingerprint, None] = {}
    weak = False
    for value in values:
        match = _FINGERPRINT.fullmatch(value)
        if match is None:
            raise _bad("a fingerprint does not follow RFC 8122 section 5", "bad_fingerprint")
        algorithm, digest = match[1].lower(), match[2].upper()
        if algorithm not in _HASH_BYTES:
            weak = True
            continue
        if len(digest) != _HASH_BYTES[algorithm] * 3 - 1:
            raise _bad(f"a {algorithm} fingerprint has the wrong length", "bad_fingerprint")
        found[Fingerprint(algorithm, digest)] = None
    if weak and not found:
        raise _bad("a fingerprint must be sha-256, sha-384 or sha-512", "bad_fingerprint")
    return tuple(found)


def _setup(attributes: _Attributes) -> OfferedSetup | None:
    values = attributes.either("setup")
    if not values:
        return None
    if values[0] not in _SETUPS:
        raise _bad("the setup attribute does not follow RFC 4145 section 4")
    return cast("OfferedSetup", values[0])


def _choose(
    media: Sequence[OfferedMedia], groups: Iterable[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[OfferedMedia, ...]]:
    """The bundle to take and the audio m-lines in it, else the first audio m-line alone."""
    usable = [line for line in media if line.kind == "audio" and not line.rejected and line.protocol in AUDIO_PROFILES]
    known = {line.mid for line in media if line.named}
    bundled: set[str] = set()
    for group in groups:
        mids = tuple(mid for mid in dict.fromkeys(group) if mid in known)
        bundled.update(mids)
        # rtcp-mux belongs to the transport (RFC 8859): bundle-only lines need not repeat it.
        muxed = any(line.rtcp_mux for line in media if line.mid in mids)
        audio = tuple(line for line in usable if line.mid in mids)
        if muxed and audio:
            return mids, audio
    for line in usable:
        if line.mid not in bundled and line.port != 0 and line.rtcp_mux:
            return (), (line,)
    raise _bad("the offer has no usable audio m-line (it needs DTLS-SRTP and rtcp-mux)", "no_audio")


def _carriers(
    media: Sequence[OfferedMedia], bundle: Iterable[str], audio: Sequence[OfferedMedia]
) -> tuple[OfferedMedia, ...]:
    """The m-lines that may state the transport, the one that counts first (RFC 9143 section 7.3.1).

    That is the first of the group that we accept. Later offers may state it on the group's first m-line only.
    """
    by_mid = {line.mid: line for line in media if line.named and not line.rejected}
    group = [by_mid[mid] for mid in bundle if mid in by_mid]
    accepted = {line.index for line in audio}
    return tuple(sorted(group, key=lambda line: line.index not in accepted)) or tuple(audio)


def _one_identity(carriers: Iterable[OfferedMedia]) -> tuple[Fingerprint, ...]:
    """All m-lines of one transport have the same certificate (RFC 8842, RFC 8122 section 5)."""
    stated = [line.fingerprints for line in carriers if line.fingerprints]
    if not stated:
        raise _bad("the offer has no fingerprint", "bad_fingerprint")
    if any(set(prints) != set(stated[0]) for prints in stated):
        raise _bad("the m-lines of one bundle have different fingerprints", "bad_fingerprint")
    return stated[0]


def _check_shared_numbers(audio: Iterable[OfferedMedia]) -> None:
    """In a bundle a payload type or extension id means the same on every m-line (RFC 9143 sections 9.1.1 and 12)."""
    formats: dict[int, tuple[str, int, int]] = {}
    extensions: dict[int, str] = {}
    for line in audio:
        for codec in line.codecs:
            meaning = (codec.name.lower(), codec.clock_rate, codec.channels)
            if formats.setdefault(codec.payload_type, meaning) != meaning:
                raise _bad(f"the payload type {codec.payload_type} stands for two codecs")
        for extension in line.extensions:
            if extensions.setdefault(extension.id, extension.uri) != extension.uri:
                raise _bad(f"the extmap id {extension.id} stands for two things")
