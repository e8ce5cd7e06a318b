"""The WebSocket carrier (RFC 6455) on aiohttp: one reader, one writer, and a bounded queue for a slow client.

The conversation has the rules. This module reads and writes frames, and closes connections.
"""

import asyncio
import contextlib
import struct
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

import structlog
from aiohttp import WebSocketError, WSMsgType, web

from signaling.call.conversation import Conversation
from signaling.call.settings import CallSettings
from signaling.call.state import State, within_rate
from signaling.errors import ERRORS, ClientMistake
from signaling.identity.names import clean_user_agent
from signaling.protocol.client_messages import Request
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing, frame
from signaling.protocol.session import Session


class LookUp(Protocol):
    """Look-ups that a message needs before it is handled; see `look_up.DatabaseLookUp`."""

    async def token(self, token: str) -> None:
        """Prepare the check of a token that came with the opening of the connection."""

    async def prepare(self, conversation: State, session: Session, request: Request) -> Request:
        """The request with the results of its look-ups."""


SUBPROTOCOL = "parley.v1"
TOKEN_PREFIX = "parley.token."  # noqa: S105 - the name of an entry, not a token

_CLOSE_TIMEOUT = 2.0
_UNREAD_SECONDS = 1.0
"""The time a flooding client has to read the close frame."""
_UNNAMED_CLOSE = 1011
"""RFC 6455 section 7.4.1, for an error code without a close code."""

_log = structlog.get_logger("signaling.carriers.websocket")


def requested_token(request: web.Request) -> str | None:
    """The token among the offered subprotocols (RFC 6455 section 1.9), None if the client sends it as a message.

    Raises ClientMistake (`bad_message`) where `parley.v1` is not offered, or more than one token is.
    """
    offered = [
        entry.strip() for header in request.headers.getall("Sec-WebSocket-Protocol", []) for entry in header.split(",")
    ]
    if SUBPROTOCOL not in offered:
        raise ClientMistake("bad_message", f"offer the WebSocket subprotocol {SUBPROTOCOL}")
    tokens = [entry.removeprefix(TOKEN_PREFIX) for entry in offered if entry.startswith(TOKEN_PREFIX)]
    if len(tokens) > 1:
        raise ClientMistake("bad_message", "the subprotocols contain more than one token")
    return tokens[0] if tokens else None


async def close_unread(request: web.Request, ws: web.WebSocketResponse, code: int, reason: str) -> None:
    """Close a flooding connection without reading further frames.

    A normal close would read on until the client's close frame: thousands of tiny frames, while other clients wait.
    """
    with contextlib.suppress(ConnectionError):
        await ws.send_frame(struct.pack("!H", code) + reason.encode(), WSMsgType.CLOSE)
        await asyncio.sleep(_UNREAD_SECONDS)
    if request.transport is not None:
        request.transport.abort()


class WebSocketCarrier:
    """One client's WebSocket.

    The queue holds `queue_messages` messages or `queue_bytes` bytes. Past that the client is a slow consumer: the queue
    is dropped and the connection closed with 1013. A connection that is not closed within `close_grace_seconds` is cut,
    so that a client that has stopped reading holds no resources.
    """

    __slots__ = (
        "_closing",
        "_counters",
        "_cut",
        "_frames",
        "_queue",
        "_queued_bytes",
        "_reading",
        "_request",
        "_settings",
        "_wake",
        "_ws",
        "address",
        "session",
        "user_agent",
    )

    def __init__(self, request: web.Request, address: str, settings: CallSettings, counters: Counter[str]) -> None:
        self.session: Session | None = None
        self.address = address
        self.user_agent = clean_user_agent(request.headers.get("User-Agent", ""))
        self._request = request
        self._settings = settings
        self._counters = counters
        self._ws = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            max_msg_size=settings.message_bytes,
            compress=False,
            heartbeat=settings.heartbeat_seconds,
            timeout=_CLOSE_TIMEOUT,
            # Pings count against the rate, so aiohttp must not answer them by itself.
            autoping=False,
        )
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._closing: str | None = None
        self._reading = False
        self._frames = 0
        self._cut: asyncio.TimerHandle | None = None

    def deliver(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        """Queue one message; a queue that is full closes the connection as that of a slow consumer."""
        if self._closing is not None:
            return
        text = frame(message, seq, request_id)
        self._queued_bytes += len(text)
        self._queue.append(text)
        if len(self._queue) > self._settings.queue_messages or self._queued_bytes > self._settings.queue_bytes:
            self._queue.clear()
            self._queued_bytes = 0
            self.close("slow_consumer")
        elif self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def close(self, code: str) -> None:
        """Send what is queued, then close. Later calls do nothing."""
        if self._closing is not None:
            return
        self._closing = code
        self._counters[f"closed_{code}"] += 1
        loop = asyncio.get_running_loop()
        self._cut = loop.call_later(self._settings.close_grace_seconds, self._cut_off)
        self._rouse()

    async def run(
        self, conversation: Conversation, now: Callable[[], float], look_up: LookUp | None = None
    ) -> web.WebSocketResponse:
        """Carry messages until the connection ends. `look_up` is awaited for each token and message.

        Raises ClientMistake for a request that is no WebSocket of this protocol; once it is open, only CancelledError.
        """
        token = requested_token(self._request)
        await self._ws.prepare(self._request)
        writer = asyncio.create_task(self._write(), name="websocket writer")
        try:
            await self._talk(conversation, now, token, look_up)
            if self._closing is not None:
                await asyncio.wait((writer,))
                if self._closing == "rate_limited" and self._frames > self._settings.message_burst:
                    await close_unread(self._request, self._ws, ERRORS[self._closing].close_code or 0, self._closing)
                else:
                    await self._close_connection()
        finally:
            conversation.lost(self, now())
            self._settle()
            writer.cancel()
            await asyncio.wait((writer,))
        return self._ws

    async def _talk(
        self, conversation: Conversation, now: Callable[[], float], token: str | None, look_up: LookUp | None
    ) -> None:
        """Open the session and read. A failure ends this connection only."""
        try:
            if look_up is not None and token is not None:
                await look_up.token(token)
            conversation.open(self, now(), token)
            await self._read(conversation, now, look_up)
        except Exception:
            _log.exception("session_failed", session_id=self.session.id if self.session else None)
            conversation.fail(self)

    async def _read(self, conversation: Conversation, now: Callable[[], float], look_up: LookUp | None) -> None:
        while self._closing is None and await self._take_one(conversation, now, look_up):
            pass

    async def _take_one(self, conversation: Conversation, now: Callable[[], float], look_up: LookUp | None) -> bool:
        """Read one frame and handle it; whether to read another one.

        A call of its own for each frame, so that an idle connection holds no reference to its last message: the offer
        of an idle client would be five kilobytes of text, and as much parsed.
        """
        self._reading = True
        message = await self._ws.receive()
        self._reading = False
        self._frames += 1
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            # RFC 6455 section 5.5.2. Every frame that arrives restarts aiohttp's heartbeat.
            if within_rate(conversation, self, now()) and message.type is WSMsgType.PING:
                await self._ws.pong(message.data)
            return True
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            if isinstance(message.data, WebSocketError) and message.data.code == ERRORS["too_large"].close_code:
                self._counters["closed_too_large"] += 1
            return False
        request = conversation.read(self, message.data if message.type is WSMsgType.TEXT else b"", now())
        if request is not None and look_up is not None and self.session is not None:
            request = await look_up.prepare(conversation, self.session, request)
        if request is not None:
            conversation.act(self, request, now())
        return True

    async def _write(self) -> None:
        """Send the queue; once `close` is called, send the rest and close."""
        try:
            while self._closing is None or self._queue:
                while self._queue:
                    text = self._queue.popleft()
                    self._queued_bytes -= len(text)
                    await self._ws.send_frame(text, WSMsgType.TEXT)
                    self._counters["messages_out"] += 1
                if self._closing is None:
                    self._wake = asyncio.get_running_loop().create_future()
                    await self._wake
            if self._reading:
                await self._close_connection()
        except ConnectionError:
            self._cut_off()
        except Exception:
            _log.exception("writer_failed", session_id=self.session.id if self.session else None)
            self._cut_off()

    async def _close_connection(self) -> None:
        """Send the close frame. The reader calls this when it notices the close first: aiohttp then reads on until the
        client's close frame, so that data in flight does not reset the connection before the client reads the reason.
        """
        assert self._closing is not None
        code = ERRORS[self._closing].close_code
        await self._ws.close(code=code or _UNNAMED_CLOSE, message=self._closing.encode())

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _cut_off(self) -> None:
        """Abort the connection; unsent data is dropped."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    def _settle(self) -> None:
        """Cancel the cut unless data still waits in the transport."""
        transport = self._request.transport
        if self._cut is not None and (transport is None or not transport.get_write_buffer_size()):
            self._cut.cancel()
