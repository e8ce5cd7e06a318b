"""The DTLS handshake of one endpoint (RFC 5764, RFC 8842), on aiortc's `RTCDtlsTransport`.

aiortc's transport is given what it needs of an ICE transport and nothing more, and only DTLS records of 1 to 1,500
octets. What it leaves open is closed here: the handshake has a time limit, one SSL context serves the whole process,
the keys become SRTP sessions of our own (`sfu/srtp.py`), close_notify is sent on every ending, and whatever it raises
ends this endpoint only. The underscore names of aiortc used here are kept by a contract test.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property
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

from sfu.srtp import PROFILES, SrtpContext, derive_keys

HANDSHAKE_SECONDS = 15.0
"""A handshake that takes longer has failed."""

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
        self._transport = _Transport(cast(RTCIceTransport, self._ice), [certificate])
        self._send = send
        self._connected = connected
        self._ended = ended
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def state(self) -> str:
        """The W3C's RTCDtlsTransportState."""
        return str(self._transport.state)

    def start(self, fingerprints: list[tuple[str, str]], *, server: bool) -> None:
        """Begin the handshake; `fingerprints`: (hash, value) of the offer; `server`: our role (RFC 8842, section 5)."""
        self._transport._set_role("server" if server else "client")
        remote = RTCDtlsParameters([RTCDtlsFingerprint(algorithm=name, value=value) for name, value in fingerprints])
        self._task = asyncio.get_running_loop().create_task(self._handshake(remote))
        self._task.add_done_callback(self._handshake_done)

    def receive(self, record: bytes) -> None:
        """Take one datagram that begins like DTLS, from an address that a valid check has bound."""
        if 0 < len(record) <= LARGEST_RECORD:
            self._ice.put(record)

    async def _handshake(self, remote: RTCDtlsParameters) -> None:
        """The handshake; then the reading goes on in aiortc's own task."""
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await self._transport.start(remote)

    def _handshake_done(self, task: asyncio.Task[None]) -> None:
        """The handshake has succeeded, failed, or raised: whatever it was concerns only this endpoint."""
        if task.cancelled():
            return
        transport, error = self._transport, task.exception()
        if isinstance(error, TimeoutError):
            self._end("dtls_timeout")
        elif error is not None or transport.context is None or transport._task is None:
            self._end("dtls_failed")
        else:
            transport._task.add_done_callback(self._reading_done)
            if not self._closed:
                self._connected(transport.context)

    def _reading_done(self, task: asyncio.Future[None]) -> None:
        """aiortc's reading task has ended, whose end is ours: close_notify of the peer, or something it raised."""
        if not task.cancelled():
            self._end("closed_by_peer" if task.exception() is None else "dtls_failed")

    def _end(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self._ended(reason)

    def close(self) -> None:
        """End the handshake or the connection, telling the peer (RFC 5246 section 7.2.1). May be called again."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        transport = self._transport
        if transport._task is not None:
            transport._task.cancel()
        if transport._ssl is not None:
            self._say_goodbye(transport._ssl)

    def _say_goodbye(self, connection: Any) -> None:
        try:
            connection.shutdown()
            data = connection.bio_read(LARGEST_RECORD)
        except SSL.Error:
            return  # nothing was agreed yet: there is nobody to tell
        if data:
            self._send(data)

    async def wait_closed(self) -> None:
        """Wait until no task of this session is left."""
        tasks = [task for task in (self._task, self._transport._task) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
