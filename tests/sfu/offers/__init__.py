"""Offers of real clients, stored with LF: Chromium and aiortc as captured, Firefox by its shape."""

from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.sdp"))


def read(name: str) -> str:
    """The offer as it comes over the wire, with CRLF."""
    return (FOLDER / f"{name}.sdp").read_text().replace("\n", "\r\n")


def one_line(*attributes: str, port: int = 9, direction: str = "sendrecv", bundle: bool = True) -> str:
    """The smallest offer that is answered: one audio m-line, and whatever is added to it."""
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *(["a=group:BUNDLE 0"] if bundle else [])]
    lines += [f"m=audio {port} UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", f"a={direction}"]
    lines += [*(["a=mid:0"] if bundle else []), *TRANSPORT, "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", *attributes]
    return "\r\n".join(lines) + "\r\n"


FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
TRANSPORT = ("a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", f"a=fingerprint:{FINGERPRINT}", "a=setup:actpass")
