"""Rules of WHIP and WHEP: offers, entity tags, link headers, and SDP fragments (RFC 8840 section 9). Pure.

WHIP and WHEP send them where a whole offer and answer would repeat what cannot change (RFC 9725 section 4.3).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sfu.answer import choose_setup, negotiate
from sfu.errors import BadOffer
from sfu.offer import MAX_CANDIDATES, Direction, IceParameters
from sfu.sdp import parse_candidate, parse_offer
from signaling.errors import ClientMistake, code_for_media

MEDIA_TYPE = "application/trickle-ice-sdpfrag"
MOST_BYTES = 65_536

_LINE = re.compile(r"[am]=[^\x00\r\n]+")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_ICE_OF_SESSION = ("a=ice-lite", "a=ice-options:", "a=group:BUNDLE")
_ICE_OF_MEDIA = ("a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a client sends: its ICE parameters, None where it does not state them, and candidates as they came."""

    ice: IceParameters | None
    candidates: tuple[str, ...]

    def restarts(self, ufrag: str) -> bool:
        """Whether it begins another ICE session than the one of this client's username fragment.

        A restart changes fragment and password (RFC 8839 section 4.4.1.1.1). RFC 9725 section 4.3.3: whoever sends new
        ones asks for a restart.
        """
        return self.ice is not None and self.ice.ufrag != ufrag


def parse_fragment(body: bytes) -> Fragment:
    """Read a fragment. Raises ClientMistake (`bad_sdp`, `too_large`), and nothing else.

    Attributes that are not ICE's are passed over, and so are candidates past the first 30.
    """
    if len(body) > MOST_BYTES:
        raise ClientMistake("too_large")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8") from None
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    for number, line in enumerate(lines, 1):
        if not _LINE.fullmatch(line):
            raise _bad(f"line {number} is neither a=<text> nor m=<text>")
    return Fragment(_ice(lines), _candidates(lines))


def restarted(offer: str, ice: IceParameters) -> str:
    """The offer as it would stand with these ICE parameters, and no candidates: what has not changed still applies."""
    lines = [line for line in offer.splitlines() if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
    named = {"a=ice-ufrag": ice.ufrag, "a=ice-pwd": ice.pwd}
    changed = [f"{name}:{named[name]}" if (name := line.partition(":")[0]) in named else line for line in lines]
    return "\r\n".join(changed) + "\r\n"


def fragment_of(answer: str) -> str:
    """What an answer of ours says of ICE: of the session, and of the first m-line that it accepts."""
    head, *sections = re.split(r"(?m)^(?=m=)", answer)
    lines = [line for line in head.splitlines() if line.startswith(_ICE_OF_SESSION)]
    for section in sections:
        media, *rest = section.splitlines()
        if media.split()[1] != "0":
            lines += [media, *(line for line in rest if line.startswith(_ICE_OF_MEDIA))]
            break
    return "\r\n".join(lines) + "\r\n"


def username_of(description: str) -> str:
    """The first ICE username fragment of a description: it names the ICE session; empty where there is none."""
    found = re.search(r"(?m)^a=ice-ufrag:(\S+)", description)
    return found[1] if found else ""


def _ice(lines: list[str]) -> IceParameters | None:
    """The parameters of the one ICE session: with BUNDLE all m-lines share it (RFC 9725 section 4.3.2)."""
    ufrags = _values(lines, "ice-ufrag")
    passwords = _values(lines, "ice-pwd")
    if not ufrags and not passwords:
        return None
    if len(ufrags) != 1 or len(passwords) != 1:
        raise _bad("ice-ufrag and ice-pwd must appear together, and be the same in all sections")
    if not _UFRAG.fullmatch(ufrags[0]) or not _PASSWORD.fullmatch(passwords[0]):
        raise _bad("ice-ufrag and ice-pwd do not follow RFC 8839 section 5.4")
    return IceParameters(ufrags[0], passwords[0])


def _candidates(lines: list[str]) -> tuple[str, ...]:
    found = [f"candidate:{value}" for value in _values(lines, "candidate") if value][:MAX_CANDIDATES]
    for candidate in found:
        try:
            parse_candidate(candidate)
        except BadOffer as error:
            raise _bad(error.message) from None
    return tuple(found)


def _values(lines: list[str], name: str) -> list[str]:
    """What stands behind this attribute, each value once."""
    begin = f"a={name}:"
    return list(dict.fromkeys(line[len(begin) :].strip() for line in lines if line.startswith(begin)))


def _bad(why: str) -> ClientMistake:
    return ClientMistake("bad_sdp", f"the server cannot read the SDP fragment: {why}")


SDP_TYPE = "application/sdp"
"""Octets of an offer. As a message it has to be no longer, either: see `envelope.MOST_BYTES`."""

_DIRECTION = re.compile(r"a=(sendrecv|sendonly|recvonly|inactive)\s*")
_BARE_OPUS = re.compile(r"(?mi)^(a=rtpmap:\d{1,3} opus/48000)[ \t]*(?=\r?$)")
_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*')


@dataclass(frozen=True, slots=True)
class Way:
    """Which way the sound goes.

    `direction` is what an offer says on its audio lines (`sendrecv` is taken for it), `action` what the token must
    allow, `hush` the message by which the client, which only speaks or only listens, says so to the others.
    """

    name: str
    direction: Direction
    action: str
    hush: str


WHIP = Way("whip", "sendonly", "audio.publish", "deafen")
WHEP = Way("whep", "recvonly", "audio.subscribe", "mute")


def one_way_offer(body: bytes, way: Way) -> str:
    """The offer, with this way and no other on all its lines, so that the answer has the one that the standard wants.

    RFC 9725 section 4.2: `sendrecv` is allowed, the other way and `inactive` are not; section 4.4.2: one audio track is
    published. GStreamer's webrtcbin says OPUS/48000 where its caps filter names no channels: taken for opus/48000/2
    (RFC 7587 section 7). Raises ClientMistake: `too_large`, `bad_sdp`, `no_audio`, `no_codec`.
    """
    if len(body) > MOST_BYTES:
        raise ClientMistake("too_large")
    try:
        text = _BARE_OPUS.sub(r"\1/2", body.decode())
    except UnicodeDecodeError:
        raise ClientMistake("bad_sdp", "the offer is not UTF-8 text") from None
    try:
        offer = parse_offer(text)
        negotiate(offer)
        choose_setup(offer)
    except BadOffer as error:
        raise ClientMistake(code_for_media(error.code), error.message, {"reason": error.code}) from None
    for line in offer.audio:
        if line.direction not in (way.direction, "sendrecv"):
            raise ClientMistake("bad_sdp", f"an audio m-line is {line.direction}: {way.name} needs {way.direction}")
    if way is WHIP and len(offer.audio) > 1:
        raise ClientMistake("bad_sdp", "more than one audio m-line: WHIP publishes one voice")
    return _turned(text, way.direction)


def finished(answer: str, offer: str) -> str:
    """The answer, which states `rtcp-mux-only` where the offer did (RFC 9725 section 4.4.1, RFC 8858 section 3)."""
    if "a=rtcp-mux-only" not in offer:
        return answer
    return answer.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")


def entity_tag(answer: str) -> str:
    """The strong entity tag of the ICE session that an answer begins (RFC 9725 section 4.3.1), quotes included.

    Our username fragment is another one in each ICE session, and is no secret.
    """
    return f'"{username_of(answer)}"'


def check_match(header: str | None, tag: str) -> None:
    """Whether a PATCH means this ICE session, or says that it does not matter which (`*`), by its If-Match.

    RFC 9725 section 4.3.1. Raises ClientMistake: `precondition_required` without one (RFC 6585 section 3), `stale` for
    another (RFC 9110 section 13.1.1). The quoted `"*"` of the RFC's own example is taken for `*`.
    """
    if header is None:
        raise ClientMistake("precondition_required", 'Send If-Match: the ETag of the ICE session, or "*".')
    if header.strip() in ("*", '"*"'):
        return
    tags = [_TAG.fullmatch(one) for one in header.split(",")]
    # The comparison is the strong one: a weak tag matches nothing.
    if not any(one and not one[1] and f'"{one[2]}"' == tag for one in tags):
        raise ClientMistake("stale", "That ICE session has ended: a newer one has replaced it.")


def link_headers(servers: Iterable[Mapping[str, object]]) -> list[str]:
    """A Link header for each STUN or TURN server (RFC 9725 section 4.6, RFC 8288)."""
    found: list[str] = []
    for server in servers:
        urls = server["urls"]
        assert isinstance(urls, Sequence)
        for url in [urls] if isinstance(urls, str) else urls:
            named = {"username": server.get("username"), "credential": server.get("credential")}
            secret = [f"{name}={_quoted(str(value))}" for name, value in named.items() if value is not None]
            credentials = [*secret, 'credential-type="password"'] if secret else []
            found.append("; ".join([f"<{url}>", 'rel="ice-server"', *credentials]))
    return found


def _quoted(text: str) -> str:
    """A quoted-string (RFC 9110 section 5.6.4)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _turned(text: str, direction: Direction) -> str:
    """The same description with this direction on every m-line, whatever it said before."""
    sections = re.split(r"\n(?=m=)", text.replace("\r\n", "\n"))
    turned: list[str] = []
    for number, section in enumerate(sections):
        turned += [line for line in section.split("\n") if line and not _DIRECTION.fullmatch(line)]
        if number:
            turned.append(f"a={direction}")
    return "\r\n".join(turned) + "\r\n"
