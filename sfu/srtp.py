"""SRTP and SRTCP sessions on libsrtp (RFC 3711; AES-GCM: RFC 7714), made from the keys of a DTLS handshake (RFC 5764).

A repeated sequence number would reuse an AES-GCM nonce: it is an error (`allow_repeat_tx` is off). The raw session
pointers are used by the packet step (`sfu/forward.py`), which protects in place; everything else goes through the
methods, which copy.

The names of `pylibsrtp._binding` used here are kept by a contract test.
"""

from dataclasses import dataclass
from socket import htonl
from typing import Any

from pylibsrtp import Error, Policy
from pylibsrtp._binding import ffi, lib

from sfu.errors import SrtpFailure

REPLAY_WINDOW = 1024
"""Packets that may arrive late and still be taken (RFC 3711 section 3.3.2 asks for 64 at least)."""

RESTING_SSRCS = 64
"""SSRCs without a stream of which libsrtp's state is kept: ended ones, and those that only report."""

STATUS_OK = 0

_TRAILER_ROOM = 4 + 16 + 128
"""SRTCP index, longest tag, longest MKI."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One protection profile of RFC 5764 section 4.1.2 or RFC 7714 section 14.2; lengths in bytes."""

    name: str
    libsrtp_profile: int
    key_length: int
    salt_length: int
    tag_length: int


def _is_built_in(profile: Profile) -> bool:
    """Whether libsrtp was built with it: AES-GCM needs a crypto library."""
    try:
        Policy(srtp_profile=profile.libsrtp_profile)
    except Error:
        return False
    return True


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12, 16),
        Profile("SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12, 16),
        Profile("SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14, 10),
    )
    if _is_built_in(profile)
}
"""By OpenSSL's name, the one that we like best first."""


def _session(profile: Profile, key: bytes, ssrc_type: int) -> Any:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile.libsrtp_profile)
    policy.allow_repeat_tx = False
    policy.window_size = REPLAY_WINDOW
    handle = ffi.new("srtp_t *")
    status = lib.srtp_create(handle, policy._policy)
    if status != STATUS_OK:
        raise SrtpFailure(status)
    return ffi.gc(handle, _dealloc)


def _dealloc(handle: Any) -> None:
    lib.srtp_dealloc(handle[0])


def _process(function: Any, session: Any, packet: bytes, room: int) -> bytes:
    """Run one libsrtp function over a copy of `packet`, and return what it made of it."""
    length = len(packet)
    scratch = ffi.new("unsigned char[]", length + room)
    ffi.memmove(scratch, packet, length)
    size = ffi.new("int *", length)
    status = function(session, scratch, size)
    if status != STATUS_OK:
        raise SrtpFailure(status)
    return bytes(ffi.buffer(scratch, size[0]))


class SrtpContext:
    """Both directions of one endpoint.

    `outbound` and `inbound` are libsrtp's `srtp_t`, for use in place; they live as long as this object.
    """

    __slots__ = ("_inbound", "_outbound", "_resting", "inbound", "outbound", "profile")

    def __init__(self, profile: Profile, send_key: bytes, receive_key: bytes) -> None:
        """Make both sessions. Keys are master key and salt in one, as RFC 5764 section 4.2 derives them."""
        self.profile = profile
        self._resting: dict[int, None] = {}
        self._outbound = _session(profile, send_key, Policy.SSRC_ANY_OUTBOUND)
        self._inbound = _session(profile, receive_key, Policy.SSRC_ANY_INBOUND)
        self.outbound = self._outbound[0]
        self.inbound = self._inbound[0]

    def protect(self, packet: bytes) -> bytes:
        """Protect one RTP packet. Raises `SrtpFailure`, also for a sequence number that was used already."""
        return _process(lib.srtp_protect, self.outbound, packet, _TRAILER_ROOM)

    def unprotect(self, packet: bytes) -> bytes:
        """Verify and decrypt one SRTP packet, or raise `SrtpFailure`."""
        return _process(lib.srtp_unprotect, self.inbound, packet, 0)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect one RTCP packet, compound or not."""
        return _process(lib.srtp_protect_rtcp, self.outbound, packet, _TRAILER_ROOM)

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Verify and decrypt one SRTCP packet, or raise `SrtpFailure`."""
        return _process(lib.srtp_unprotect_rtcp, self.inbound, packet, 0)

    def rest(self, ssrc: int) -> None:
        """No stream has this inbound SSRC, or none any more: what libsrtp holds for it is kept a while, then forgotten.

        Without it a sender that goes on after a pause would be taken for another once its sequence has wrapped
        (RFC 3711 section 3.3.1), and old packets for new ones. But libsrtp begins a list for every SSRC that an
        authentic packet names, and looks through all of them for each packet.
        """
        self._resting.pop(ssrc, None)
        self._resting[ssrc] = None
        if len(self._resting) > RESTING_SSRCS:
            oldest = next(iter(self._resting))
            del self._resting[oldest]
            self.forget(oldest)

    def wake(self, ssrc: int) -> None:
        """A stream has this inbound SSRC now."""
        self._resting.pop(ssrc, None)

    def forget(self, ssrc: int) -> None:
        """Give back what libsrtp holds for an inbound SSRC that has ended."""
        lib.srtp_remove_stream(self.inbound, htonl(ssrc))


protect_in_place = lib.srtp_protect
"""`(srtp_t, void *packet, int *length) -> status`: encrypts where it stands and lengthens by the tag."""

unprotect_in_place = lib.srtp_unprotect
"""`(srtp_t, void *packet, int *length) -> status`: decrypts where it stands and shortens by the tag."""


def derive_keys(material: bytes, profile: Profile, *, server: bool) -> tuple[bytes, bytes]:
    """(send key, receive key) from the exporter's output.

    RFC 5764 section 4.2: client key, server key, client salt, server salt. `server` is our DTLS role.
    """
    key, salt = profile.key_length, profile.salt_length
    client = material[:key] + material[2 * key : 2 * key + salt]
    ours = material[key : 2 * key] + material[2 * key + salt : 2 * (key + salt)]
    return (ours, client) if server else (client, ours)
