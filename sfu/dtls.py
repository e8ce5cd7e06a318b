"""The DTLS handshake of one endpoint (RFC 5764, RFC 8842), on aiortc's `RTCDtlsTransport`.

aiortc's transport is given what it needs of an ICE transport and nothing more, and only DTLS records of 1 to 1,500
octets. What it leaves open is closed here: the handshake has a time limit, one SSL context serves the whole process,
the keys become SRTP sessions of our own (`sfu/srtp.py`), close_notify is sent on every ending, and whatever it raises
ends this endpoint only. The underscore names of aiortc used here are kept by a contract test.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, cast

from aiortc.rtcdtlstransport import (
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcicetransport import RTCIceTransport
from OpenSSL import SSL

from sfu.dtls_alert import AlertKeys, alert_keys, ends_association
from sfu.srtp import PROFILES, SrtpContext, derive_keys

HANDSHAKE_SECONDS = 15.0
"""A handshake that takes longer has failed."""

SETTLE_SECONDS = 15.0
"""After so long no peer asks for our last flight again (RFC 6347 section 4.2.4)."""

LARGEST_RECORD = 1500
QUEUED_RECORDS = 16
"""DTLS records waiting to be read; more are dropped, and the peer sends its flight again (RFC 6347 section 4.2.4)."""

_SSL_MODE_RELEASE_BUFFERS = 0x10
_EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"


class Certificate(RTCCertificate):
    """The process's certificate, with one SSL context for all handshakes.

    Buffers of idle connections are given back, and sessions are not cached: nobody resumes one, and each would hold
    a peer's certificate.
    """

    _context: Any = None

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> Any:
        if self._context is None:
            context = super()._create_ssl_context(srtp_profiles)
            context.set_mode(_SSL_MODE_RELEASE_BUFFERS)
            context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
            self._context = context
        return self._context

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as in `a=fingerprint` (RFC 8122 section 5), without the name of the hash."""
        return str(next(f.value for f in self.getFingerprints() if f.algorithm == "sha-256"))

    def prepare(self) -> None:
        """Make the SSL context now, so that the first join does not wait for it."""
        self._create_ssl_context(SRTP_PROFILES)


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


class _Transport(RTCDtlsTransport):
    """aiortc's transport with SRTP sessions of our own."""

    context: SrtpContext | None = None

    def _setup_srtp(self) -> None:
        """Make our sessions from the exported keys (RFC 5764 section 4.2); fail without a common profile."""
        connection: Any = self._ssl
        name = connection.get_selected_srtp_profile().decode()
        profile = PROFILES.get(name)
        if profile is None:
            self._set_state(State.FAILED)
            return
        size = 2 * (profile.key_length + profile.salt_length)
        material = connection.export_keying_material(_EXPORTER_LABEL, size)
        self.context = SrtpContext(profile, *derive_keys(material, profile, server=self._role == "server"))


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
        self._ice = _IceSide(send)
        self._transport: _Transport | None = _Transport(cast("RTCIceTransport", self._ice), [certificate])
        self._send = send
        self._connected = connected
        self._ended = ended
        self._tasks: set[asyncio.Future[None]] = set()
        self._settling: asyncio.TimerHandle | None = None
        self._peer_keys: AlertKeys | None = None
        self._goodbye = b""
        self._closed = False

    @property
    def state(self) -> str:
        """The W3C's RTCDtlsTransportState."""
        if self._transport is not None:
            return str(self._transport.state)
        return "closed" if self._closed else "connected"

    def start(self, fingerprints: list[tuple[str, str]], *, server: bool) -> None:
        """Begin the handshake; `fingerprints`: (hash, value) of the offer; `server`: our role (RFC 8842, section 5)."""
        transport = self._transport
        if transport is None:
            return
        transport._set_role("server" if server else "client")
        remote = RTCDtlsParameters([RTCDtlsFingerprint(algorithm=name, value=value) for name, value in fingerprints])
        task = asyncio.get_running_loop().create_task(self._handshake(transport, remote))
        self._own(task)
        task.add_done_callback(partial(self._handshake_done, transport))

    def receive(self, record: bytes) -> None:
        """Take one datagram that begins like DTLS, from an address that a valid check has bound."""
        if not 0 < len(record) <= LARGEST_RECORD:
            return
        if self._transport is not None:
            self._ice.put(record)
        elif self._peer_keys is not None and ends_association(record, self._peer_keys):
            self._end("closed_by_peer")

    def _own(self, task: asyncio.Future[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handshake(self, transport: _Transport, remote: RTCDtlsParameters) -> None:
        """The handshake; then the reading goes on in aiortc's own task.

        Whoever waits for keys is told without a turn of the loop in between: the peer's first packet may be here.
        """
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await transport.start(remote)
        if transport.context is None or transport._task is None:
            return
        self._own(transport._task)
        transport._task.add_done_callback(self._reading_done)
        if not self._closed:
            wait = SETTLE_SECONDS if transport._role == "server" else 0.0
            self._settling = asyncio.get_running_loop().call_later(wait, self.settle)
            self._connected(transport.context)

    def _handshake_done(self, transport: _Transport, task: asyncio.Future[None]) -> None:
        """The handshake has succeeded, failed, or raised: whatever it was concerns only this endpoint."""
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, TimeoutError):
            self._end("dtls_timeout")
        elif error is not None or transport.context is None:
            self._end("dtls_failed")
            if error is not None and transport.context is not None:
                raise error  # not of the handshake, but of whoever was told that it is done

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

    def _give_back(self, transport: _Transport) -> None:
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
    """The record that says goodbye; nothing where nothing was agreed, as there is nobody to tell."""
    try:
        connection.shutdown()
        return bytes(connection.bio_read(LARGEST_RECORD))
    except SSL.Error:
        return b""
