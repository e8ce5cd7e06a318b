"""SDP fragments: the ICE parts of a session description (RFC 8840 section 9), read, and made of an answer. Pure.

WHIP and WHEP send them where a whole offer and answer would repeat what cannot change (RFC 9725 section 4.3).
"""

import re
from dataclasses import dataclass

from sfu.errors import BadOffer
from sfu.offer import MAX_CANDIDATES, IceParameters
from sfu.sdp import parse_candidate
from signaling.errors import ClientMistake

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
        raise _bad("ice-ufrag and ice-pwd go together, and are the same throughout")
    if not _UFRAG.fullmatch(ufrags[0]) or not _PASSWORD.fullmatch(passwords[0]):
        raise _bad("ice-ufrag and ice-pwd are not as RFC 8839 section 5.4 has them")
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
    return ClientMistake("bad_sdp", f"the SDP fragment cannot be understood: {why}")
