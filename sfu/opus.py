"""The encoder settings that a room requests, as an answer states them (RFC 7587 section 6.1). Pure."""

from dataclasses import dataclass
from typing import Final

OPUS_CLOCK: Final = 48_000
"""Hz of the RTP timestamps, whatever the audio bandwidth (RFC 7587 section 4.1)."""

USUAL_PTIME: Final = 20


@dataclass(frozen=True, slots=True)
class OpusWishes:
    """The receiver's side of the Opus parameters: a request, which an encoder may fall short of.

    `bitrate` is bits a second, None to leave it to the client; `ptime` milliseconds of a packet (RFC 8866 section 6.4).
    `dtx`: send next to nothing in pauses. `fec`: put into each packet what repairs the loss of the one before.
    `stereo`: two channels are of use.
    """

    bitrate: int | None = None
    ptime: int = USUAL_PTIME
    dtx: bool = False
    fec: bool = True
    stereo: bool = False

    def fmtp(self) -> str:
        """The parameters of the answer's `a=fmtp`; what is left out has the default of RFC 7587 section 6.1."""
        wishes = ["minptime=10", f"useinbandfec={int(self.fec)}"]
        if self.bitrate is not None:
            wishes.append(f"maxaveragebitrate={self.bitrate}")
        if self.dtx:
            wishes.append("usedtx=1")
        if self.stereo:
            wishes.append("stereo=1")
        return ";".join(wishes)

    def ptime_lines(self) -> list[str]:
        """`a=ptime`, where it is not the usual one."""
        return [] if self.ptime == USUAL_PTIME else [f"a=ptime:{self.ptime}"]


USUAL: Final = OpusWishes()
"""Those of a room that asks for nothing."""
