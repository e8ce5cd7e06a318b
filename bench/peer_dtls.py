"""The peer's DTLS on pyOpenSSL, without I/O: records in, records out. It shares no code with the server."""

import datetime as dt
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from pylibsrtp import Policy, Session

LARGEST_DATAGRAM = 1200
_RECORD_HEADER = 13
_EXPORTER = b"EXTRACTOR-dtls_srtp"

PROFILES = {
    "SRTP_AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    "SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    "SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}
"""Name: (libsrtp's number, bytes of key, bytes of salt)."""

ALL_PROFILES = tuple(PROFILES)


class Identity:
    """A self-signed certificate, and its SSL contexts, one for each list of profiles."""

    def __init__(self) -> None:
        """Make a fresh P-256 key."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, os.urandom(8).hex())])
        now = dt.datetime.now(tz=dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .sign(self.key, hashes.SHA256())
        )
        self.fingerprint = fingerprint_of(self.certificate)
        self._contexts: dict[tuple[str, ...], SSL.Context] = {}

    def context(self, profiles: tuple[str, ...]) -> SSL.Context:
        """The SSL context that offers or takes these SRTP profiles."""
        if profiles not in self._contexts:
            context = SSL.Context(SSL.DTLS_METHOD)
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
            context.use_certificate(self.certificate)
            context.use_privatekey(self.key)
            context.set_tlsext_use_srtp(":".join(profiles).encode())
            self._contexts[profiles] = context
        return self._contexts[profiles]


@cache
def shared_identity() -> Identity:
    """One for all peers of a process that do not care."""
    return Identity()


def fingerprint_of(certificate: x509.Certificate) -> str:
    """The SHA-256 fingerprint as SDP writes it."""
    return ":".join(f"{octet:02X}" for octet in certificate.fingerprint(hashes.SHA256()))


class DtlsEnd:
    """One end of a DTLS association.

    `state` is new, connecting, connected, closed (the other end said close_notify) or failed. `out` holds datagrams to
    be sent; whoever drives it takes them after every call.
    """

    def __init__(self, identity: Identity, profiles: Sequence[str], fingerprint: str, *, client: bool) -> None:
        """Prepare; `fingerprint` is the other end's."""
        self.state = "new"
        self.out: list[bytes] = []
        self.profile: str | None = None
        self.sending: Session | None = None
        self.receiving: Session | None = None
        self._client = client
        self._fingerprint = fingerprint
        self._ssl: Any = SSL.Connection(identity.context(tuple(profiles)), None)
        if client:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    def start(self) -> None:
        """Begin; a client sends its ClientHello."""
        self.state = "connecting"
        self._handshake()

    def receive(self, records: bytes) -> None:
        """Take one datagram."""
        if self.state in ("new", "closed", "failed"):
            return
        self._ssl.bio_write(records)
        if self.state == "connecting":
            self._handshake()
        if self.state == "connected":
            self._read()

    def timeout(self) -> float | None:
        """Seconds until the flight is to be sent again; None when nothing is awaited."""
        left: float | None = self._ssl.DTLSv1_get_timeout() if self.state == "connecting" else None
        return left

    def retransmit(self) -> None:
        """Send the flight again when its time has come."""
        self._ssl.DTLSv1_handle_timeout()
        self._flush()

    def say_goodbye(self) -> None:
        """Send close_notify."""
        if self.state in ("connecting", "connected"):
            try:
                self._ssl.shutdown()
            except SSL.Error:
                return
            finally:
                self.state = "closed"
            self._flush()

    def _handshake(self) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._flush()
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            self.state = "failed"
            self._flush()
        else:
            self._flush()
            self._finish()

    def _finish(self) -> None:
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        self.profile = self._ssl.get_selected_srtp_profile().decode() or None
        if fingerprint_of(certificate) != self._fingerprint or self.profile is None:
            self.state = "failed"
            return
        number, key, salt = PROFILES[self.profile]
        material = self._ssl.export_keying_material(_EXPORTER, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        ours, theirs = (client, server) if self._client else (server, client)
        self.sending = Session(_policy(ours, Policy.SSRC_ANY_OUTBOUND, number))
        self.receiving = Session(_policy(theirs, Policy.SSRC_ANY_INBOUND, number))
        self.state = "connected"

    def _read(self) -> None:
        try:
            self._ssl.recv(LARGEST_DATAGRAM)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            self.state = "failed"
        self._flush()

    def _flush(self) -> None:
        """Take what OpenSSL has written, in datagrams of whole records."""
        data = b""
        while True:
            try:
                data += self._ssl.bio_read(65536)
            except SSL.Error:
                break
        datagram = b""
        while data:
            size = _RECORD_HEADER + int.from_bytes(data[11:13], "big")
            if datagram and len(datagram) + size > LARGEST_DATAGRAM:
                self.out.append(datagram)
                datagram = b""
            datagram, data = datagram + data[:size], data[size:]
        if datagram:
            self.out.append(datagram)


def _policy(key: bytes, kind: int, profile: int) -> Policy:
    policy = Policy(key=key, ssrc_type=kind, srtp_profile=profile)
    # A peer that misbehaves on request sends one number twice; an honest one never does.
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return policy
