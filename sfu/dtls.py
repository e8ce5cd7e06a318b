"""The DTLS handshake of one endpoint (RFC 6347, RFC 5764, RFC 8842), on pyOpenSSL.

A session takes DTLS records of 1 to 1,500 octets and sends its own through a callback; OpenSSL sees memory only. It
keeps the time limit of the handshake, sends a lost flight again, derives the SRTP sessions (`sfu/srtp.py`), sends
close_notify on every ending, and gives the SSL object back as soon as the peer can ask for nothing more of it. What a
peer does wrong ends its session and no other.
"""

import asyncio
import datetime as dt
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from sfu.dtls_alert import AlertKeys, alert_keys, ends_association
from sfu.srtp import PROFILES, SrtpContext, derive_keys

HANDSHAKE_SECONDS = 15.0
"""A handshake that takes longer has failed."""

SETTLE_SECONDS = 15.0
"""After so long no peer asks for our last flight again (RFC 6347 section 4.2.4)."""

LARGEST_RECORD = 1500
LARGEST_DATAGRAM = 1200
"""Octets of a datagram of ours: several records share one, up to here."""

QUEUED_RECORDS = 16
"""DTLS records waiting to be read; more are dropped, and the peer sends its flight again (RFC 6347 section 4.2.4)."""

HASHES: Final = ("sha-256", "sha-384", "sha-512")
"""Hash functions of fingerprints that are looked at (RFC 8122 section 5)."""

_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
_VALID = dt.timedelta(days=30)
_CLOCKS_DIFFER = dt.timedelta(days=1)
_RECORD_HEADER = 13
_SSL_MODE_RELEASE_BUFFERS = 0x10
_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"


class Certificate:
    """The process's self-signed certificate of a fresh P-256 key, with one SSL context for all handshakes."""

    def __init__(self) -> None:
        """Make the key and the certificate."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(16))])
        now = dt.datetime.now(tz=dt.UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCKS_DIFFER)
            .not_valid_after(now + _VALID)
            .sign(self._key, hashes.SHA256())
        )

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as in `a=fingerprint` (RFC 8122 section 5), without the name of the hash."""
        return self._certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @cached_property
    def context(self) -> SSL.Context:
        """The SSL context of every handshake.

        Buffers of idle connections are given back. Sessions are not cached: nobody resumes one, and each would hold a
        peer's certificate. Certificates are checked against the fingerprints of the offer, not by OpenSSL.
        """
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.use_certificate(self._certificate)
        context.use_privatekey(self._key)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(":".join(PROFILES).encode())
        context.set_mode(_SSL_MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        return context

    def prepare(self) -> None:
        """Make the SSL context now, so that the first join does not wait for it."""
        _ = self.context


class DtlsSession:
    """One handshake and the connection that it makes.

    `connected` is called once with the SRTP sessions; `ended` once with a reason: dtls_failed, dtls_timeout or
    closed_by_peer. Neither is called after `close`. Records are read in the next turn of the loop, so that the crypto
    of a handshake does not hold up the packets that came with it.
    """

    def __init__(
        self,
        certificate: Certificate,
        send: Callable[[bytes], None],
        connected: Callable[[SrtpContext], None],
        ended: Callable[[str], None],
    ) -> None:
        """Prepare; nothing is sent until `start`."""
        self.state = "new"
        """new, connecting, connected or closed: the W3C's RTCDtlsTransportState."""
        self._certificate = certificate
        self._send = send
        self._connected = connected
        self._ended = ended
        self._queue: deque[bytes] = deque()
        self._ssl: Any = None
        self._server = False
        self._fingerprints: list[tuple[str, str]] = []
        self._reading: asyncio.Handle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._flight: asyncio.TimerHandle | None = None
        self._peer_keys: AlertKeys | None = None
        self._goodbye = b""

    def start(self, fingerprints: list[tuple[str, str]], *, server: bool) -> None:
        """Begin the handshake; `fingerprints`: (hash, value) of the offer; `server`: our role (RFC 8842, section 5)."""
        if self.state != "new":
            return
        self.state = "connecting"
        self._fingerprints = fingerprints
        self._server = server
        self._ssl = SSL.Connection(self._certificate.context, None)
        if server:
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()
        self._limit = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._end, "dtls_timeout")
        self._wake()

    def receive(self, record: bytes) -> None:
        """Take one datagram that begins like DTLS, from an address that a valid check has bound."""
        if not 0 < len(record) <= LARGEST_RECORD or self.state == "closed":
            return
        if self._peer_keys is not None:
            if ends_association(record, self._peer_keys):
                self._end("closed_by_peer")
        elif len(self._queue) < QUEUED_RECORDS:
            self._queue.append(record)
            if self._ssl is not None:
                self._wake()

    def settle(self) -> None:
        """The peer has shown that it has the keys, so no flight will be asked for again: give the SSL object back.

        What is kept is the close_notify that we shall send, and the keys to read the peer's. May be called at any time.
        """
        connection = self._ssl
        if self.state != "connected" or connection is None:
            return
        if connection.get_protocol_version_name() != "DTLSv1.2":
            return
        self._peer_keys = alert_keys(
            connection.get_cipher_name(),
            connection.master_key(),
            connection.client_random(),
            connection.server_random(),
            server=self._server,
        )
        if self._peer_keys is None:
            return
        self._goodbye = _close_notify(connection)
        self._give_back()
        while self._queue:
            self.receive(self._queue.popleft())

    def close(self) -> None:
        """End the handshake or the connection, telling the peer (RFC 5246 section 7.2.1). May be called again."""
        if self.state == "closed":
            return
        self.state = "closed"
        self._queue.clear()
        if self._ssl is not None:
            self._goodbye = _close_notify(self._ssl)
        self._give_back()
        if self._goodbye:
            self._send(self._goodbye)

    def _wake(self) -> None:
        """Read what waits in the next turn of the loop."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().call_soon(self._read)

    def _read(self) -> None:
        """Take the records that wait; without one, begin the handshake. Whatever is raised ends this session only."""
        self._reading = None
        try:
            self._advance(None)
            while self._queue and self._ssl is not None:
                self._advance(self._queue.popleft())
        except SSL.Error:
            self._end("dtls_failed")
        except Exception:
            self._end("dtls_failed")
            raise

    def _advance(self, record: bytes | None) -> None:
        """Give OpenSSL one datagram, and carry out what comes of it. Raises SSL.Error for a handshake that failed."""
        connection = self._ssl
        if record is not None:
            connection.bio_write(record)
        if self.state == "connecting":
            self._shake_hands(connection)
        elif record is not None:
            self._listen(connection)

    def _shake_hands(self, connection: Any) -> None:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            self._flush(connection)
            return
        self._flush(connection)
        if not _matches(connection, self._fingerprints):
            self._end("dtls_failed")
            return
        profile = PROFILES.get(connection.get_selected_srtp_profile().decode())
        if profile is None:
            self._end("dtls_failed")
            return
        # RFC 5764 section 4.2.
        material = connection.export_keying_material(_EXPORTER_LABEL, 2 * (profile.key_length + profile.salt_length))
        context = SrtpContext(profile, *derive_keys(material, profile, server=self._server))
        self.state = "connected"
        self._settle_later()
        self._connected(context)

    def _listen(self, connection: Any) -> None:
        """Read a datagram after the handshake: close_notify, a flight that the peer sends again, or junk."""
        try:
            while True:
                connection.recv(LARGEST_RECORD)
        except SSL.ZeroReturnError:
            self._end("closed_by_peer")
        except SSL.Error:  # WantReadError, once all of it is read
            self._flush(connection)

    def _flush(self, connection: Any) -> None:
        """Send what OpenSSL has written, and be back when it may have to be sent again (RFC 6347 section 4.2.4)."""
        for datagram in _written(connection):
            self._send(datagram)
        if self._flight is not None:
            self._flight.cancel()
            self._flight = None
        wait = connection.DTLSv1_get_timeout()
        if wait is not None:
            self._flight = asyncio.get_running_loop().call_later(wait, self._resend)

    def _resend(self) -> None:
        self._flight = None
        try:
            self._ssl.DTLSv1_handle_timeout()
            self._flush(self._ssl)
        except SSL.Error:
            self._end("dtls_failed")

    def _settle_later(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        wait = SETTLE_SECONDS if self._server else 0.0
        self._limit = asyncio.get_running_loop().call_later(wait, self.settle)

    def _give_back(self) -> None:
        """Let go of all that a handshake needs; its SSL object at once, not when the garbage collector comes by."""
        self._ssl = None
        for handle in (self._reading, self._limit, self._flight):
            if handle is not None:
                handle.cancel()
        self._reading = self._limit = self._flight = None

    def _end(self, reason: str) -> None:
        if self.state != "closed":
            self.close()
            self._ended(reason)


def _matches(connection: Any, fingerprints: list[tuple[str, str]]) -> bool:
    """Whether the peer's certificate has all fingerprints of the offer whose hash is known, and there is one."""
    certificate = connection.get_peer_certificate()
    known = [(name.lower(), value.upper()) for name, value in fingerprints if name.lower() in HASHES]
    found = {name: certificate.digest(name.replace("-", "")).decode() for name, _ in known}
    return bool(known) and all(found[name] == value for name, value in known)


def _written(connection: Any) -> Iterator[bytes]:
    """What OpenSSL has written, as datagrams of whole records."""
    data = b""
    try:
        while True:
            data += connection.bio_read(1 << 16)
    except SSL.WantReadError:
        pass
    start = end = 0
    while end < len(data):
        size = _RECORD_HEADER + int.from_bytes(data[end + 11 : end + 13], "big")
        if end > start and end + size - start > LARGEST_DATAGRAM:
            yield data[start:end]
            start = end
        end += size
    if data:
        yield data[start:end]


def _close_notify(connection: Any) -> bytes:
    """The record that says goodbye, or the alert of a handshake that failed; nothing where nothing was agreed yet."""
    with suppress(SSL.Error):
        connection.shutdown()
    return b"".join(_written(connection))
