"""The DTLS handshake of one endpoint (RFC 5764, RFC 8842), on aiortc's `RTCDtlsTransport`.

aiortc's transport is given what it needs of an ICE transport and nothing more, and only DTLS records of 1 to 1,500
octets. What it leaves open is closed here: the handshake has a time limit, one SSL context serves the whole process,
the keys become SRTP sessions of our own (`sfu/srtp.py`), close_notify is sent on every ending, and what it raises ends
this endpoint only. aiortc is imported by the first handshake, or by `load_transport` before it.
"""

import asyncio
import datetime as dt
import secrets
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from sfu.dtls_alert import AlertKeys, alert_keys, ends_association
from sfu.errors import DtlsUnavailable
from sfu.srtp import PROFILES, SrtpContext

if TYPE_CHECKING:
    from aiortc.rtcdtlstransport import RTCCertificate
    from aiortc.rtcicetransport import RTCIceTransport

    from sfu.dtls_transport import Transport

HANDSHAKE_SECONDS = 15.0
"""A handshake that takes longer has failed."""

SETTLE_SECONDS = 15.0
"""After so long no peer asks for our last flight again (RFC 6347 section 4.2.4)."""

LARGEST_RECORD = 1500
QUEUED_RECORDS = 16
"""DTLS records waiting to be read; more are dropped, and the peer sends its flight again (RFC 6347 section 4.2.4)."""

_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
_VALID = dt.timedelta(days=30)
_CLOCKS_DIFFER = dt.timedelta(days=1)
_SSL_MODE_RELEASE_BUFFERS = 0x10
_TRANSPORT_MODULE = "sfu.dtls_transport"

IMPORTER = "import of aiortc"
"""How the name of the thread that imports aiortc begins."""

_importing: "asyncio.Future[object] | None" = None


async def load_transport() -> "type[Transport]":
    """The class of aiortc's transport as we use it; where it is not imported yet, one thread imports it.

    The import takes a second on a slow machine, and the event loop goes on meanwhile. Raises `DtlsUnavailable`.
    """
    global _importing  # noqa: PLW0603 - an import is the process's
    module = sys.modules.get(_TRANSPORT_MODULE)
    if module is None or not hasattr(module, "Transport"):
        loop = asyncio.get_running_loop()
        if _importing is None or _importing.get_loop() is not loop:
            executor = ThreadPoolExecutor(1, thread_name_prefix=IMPORTER)
            _importing = loop.run_in_executor(executor, import_module, _TRANSPORT_MODULE)
            executor.shutdown(wait=False)  # its thread ends with the import
        await asyncio.wait([_importing])
        problem = _importing.exception()
        if problem is not None:
            raise DtlsUnavailable(problem) from problem
        module = sys.modules[_TRANSPORT_MODULE]
    return cast("type[Transport]", module.Transport)


async def import_ended() -> None:
    """Wait until no thread imports aiortc for this event loop. A failure is reported by what needs the transport."""
    if _importing is not None and _importing.get_loop() is asyncio.get_running_loop():
        await asyncio.wait([_importing])
        _importing.exception()


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

    def _create_ssl_context(self, srtp_profiles: object) -> SSL.Context:
        """What aiortc's transport asks of an RTCCertificate; the profiles are ours (`sfu.srtp.PROFILES`)."""
        del srtp_profiles
        return self.context

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


class _IceSide:
    """What aiortc's transport needs of an ICE transport: `_recv`, `_send`, `role`."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUED_RECORDS)
        self._deliver = send

    def put(self, record: bytes) -> None:
        if not self._queue.full():
            self._queue.put_nowait(record)

    def take_all(self) -> list[bytes]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self._deliver(data)


class DtlsSession:
    """One handshake and the connection that it makes.

    `connected` is called once with the SRTP sessions; `ended` once with a reason: dtls_failed, dtls_timeout or
    closed_by_peer. Neither is called after `close`.
    """

    def __init__(
        self,
        certificate: Certificate,
        send: Callable[[bytes], None],
        connected: Callable[[SrtpContext], None],
        ended: Callable[[str], None],
    ) -> None:
        """Prepare; nothing is sent until `start`."""
        self._certificate = certificate
        self._ice = _IceSide(send)
        self._transport: Transport | None = None
        self._send = send
        self._connected = connected
        self._ended = ended
        self._tasks: set[asyncio.Future[None]] = set()
        self._started = False
        self._settling: asyncio.TimerHandle | None = None
        self._peer_keys: AlertKeys | None = None
        self._goodbye = b""
        self._closed = False

    @property
    def state(self) -> str:
        """The W3C's RTCDtlsTransportState."""
        if self._closed:
            return "closed"
        if self._transport is not None:
            return str(self._transport.state)
        if self._peer_keys is not None:
            return "connected"
        return "connecting" if self._started else "new"

    def start(self, fingerprints: list[tuple[str, str]], *, server: bool) -> None:
        """Begin the handshake; `fingerprints`: (hash, value) of the offer; `server`: our role (RFC 8842, section 5)."""
        if self._started or self._closed:
            return
        self._started = True
        task = asyncio.get_running_loop().create_task(self._handshake(fingerprints, server=server))
        self._own(task)
        task.add_done_callback(self._handshake_done)

    def receive(self, record: bytes) -> None:
        """Take one datagram that begins like DTLS, from an address that a valid check has bound."""
        if self._closed or not 0 < len(record) <= LARGEST_RECORD:
            return
        if self._peer_keys is None:
            self._ice.put(record)
        elif ends_association(record, self._peer_keys):
            self._end("closed_by_peer")

    def _own(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handshake(self, fingerprints: list[tuple[str, str]], *, server: bool) -> None:
        """Run the handshake; aiortc's own task then goes on reading.

        `connected` is called in the same turn of the loop: the peer's first packet may be here already.
        """
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            make = await load_transport()
            transport = self._transport = make(
                cast("RTCIceTransport", self._ice), [cast("RTCCertificate", self._certificate)]
            )
            await transport.shake_hands(fingerprints, server=server)
        if transport.context is None or transport._task is None:
            return
        self._own(transport._task)
        transport._task.add_done_callback(self._reading_done)
        if not self._closed:
            wait = SETTLE_SECONDS if transport._role == "server" else 0.0
            self._settling = asyncio.get_running_loop().call_later(wait, self.settle)
            self._connected(transport.context)

    def _handshake_done(self, task: asyncio.Future[None]) -> None:
        """The handshake has succeeded, failed, or raised. Each concerns this endpoint only."""
        if task.cancelled():
            return
        error, transport = task.exception(), self._transport
        done = self._peer_keys is not None or (transport is not None and transport.context is not None)
        if isinstance(error, TimeoutError):
            self._end("dtls_timeout")
        elif error is not None or not done:
            self._end("dtls_failed")
            if error is not None and (done or isinstance(error, DtlsUnavailable)):
                raise error  # ours, not the peer's: of `connected`, or of the import

    def _reading_done(self, task: asyncio.Future[None]) -> None:
        """aiortc's reading task has ended, whose end is ours: close_notify of the peer, or something it raised."""
        if not task.cancelled():
            self._end("closed_by_peer" if task.exception() is None else "dtls_failed")

    def settle(self) -> None:
        """The peer has shown that it has the keys, so no flight will be asked for again: give the SSL object back.

        What is kept is the close_notify that we shall send, and the keys to read the peer's. May be called at any time.
        """
        transport = self._transport
        if self._closed or transport is None or transport.context is None:
            return
        connection: Any = transport._ssl
        if connection.get_protocol_version_name() != "DTLSv1.2":
            return
        self._peer_keys = alert_keys(
            connection.get_cipher_name(),
            connection.master_key(),
            connection.client_random(),
            connection.server_random(),
            server=transport._role == "server",
        )
        if self._peer_keys is None:
            return
        self._goodbye = _close_notify(connection)
        self._give_back(transport)
        for record in self._ice.take_all():
            self.receive(record)

    def _give_back(self, transport: "Transport") -> None:
        """Let go of all that a handshake needs; its SSL object at once, not when the garbage collector comes by."""
        self._transport = None
        transport._ssl = None
        if transport._task is not None:
            transport._task.cancel()
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    def _end(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self._ended(reason)

    def close(self) -> None:
        """End the handshake or the connection, telling the peer (RFC 5246 section 7.2.1). May be called again."""
        if self._closed:
            return
        self._closed = True
        transport = self._transport
        if transport is not None:
            if transport._ssl is not None:
                self._goodbye = _close_notify(transport._ssl)
            self._give_back(transport)
        for task in self._tasks:
            task.cancel()
        if self._goodbye:
            self._send(self._goodbye)

    async def wait_closed(self) -> None:
        """Wait until no task of this session is left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _close_notify(connection: Any) -> bytes:
    """The record that says goodbye, or the alert of a failed handshake; nothing where nothing was agreed."""
    with suppress(SSL.Error):
        connection.shutdown()
    try:
        return bytes(connection.bio_read(LARGEST_RECORD))
    except SSL.Error:
        return b""
