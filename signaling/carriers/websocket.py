"""The WebSocket carrier (RFC 6455) on aiohttp: one reader, one writer, and a bounded queue for a slow client.

The rules are in the conversation; here are only bytes and the ways in which a connection ends.
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
from signaling.protocol.session import Session


class LookUp(Protocol):
    """What has to be found out before a message can be judged; see `doorkeeper.DatabaseLookUp`."""

    async def token(self, token: str) -> None:
        """For a token that came with the opening."""

    async def prepare(self, conversation: State, session: Session, request: Request) -> Request:
        """For a message; the same one is given back, with what was found."""


SUBPROTOCOL = "parley.v1"
TOKEN_PREFIX = "parley.token."  # noqa: S105 - the name of an entry, not a token

_CLOSE_TIMEOUT = 2.0
_UNREAD_SECONDS = 1.0
"""How long whoever floods has for reading why they are closed."""
_UNNAMED_CLOSE = 1011
"""RFC 6455 section 7.4.1, for a reason that should not have ended a connection."""

_log = structlog.get_logger("signaling.carriers.websocket")


def requested_token(request: web.Request) -> str | None:
    """The token among the offered subprotocols (RFC 6455 section 1.9), None where it is to come as a message.

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
    """End the connection of whoever floods: say why, and read no more, so that the flood stays in the network.

    To close as others are closed means to read all that comes, thousands of tiny frames before anybody else's turn.
    """
    with contextlib.suppress(ConnectionError):
        await ws.send_frame(struct.pack("!H", code) + reason.encode(), WSMsgType.CLOSE)
        await asyncio.sleep(_UNREAD_SECONDS)
    if request.transport is not None:
        request.transport.abort()


class WebSocketCarrier:
    """One client's WebSocket.

    The queue takes `queue_messages` messages or `queue_bytes` bytes; past that the client is a slow consumer: the queue
    is dropped and the connection closed with 1013. Whatever the reason, a connection that is not closed within
    `close_grace_seconds` is cut, so that nobody who has stopped reading can hold anything here.
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
            # Pings count as messages do: aiohttp would answer as many as come.
            autoping=False,
        )
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake: asyncio.Future[None] | None = None
        self._closing: str | None = None
        self._reading = False
        self._frames = 0
        self._cut: asyncio.TimerHandle | None = None

    def deliver(self, frame: bytes) -> None:
        """Queue one message; too much queued, and the connection closes as that of a slow consumer."""
        if self._closing is not None:
            return
        self._queued_bytes += len(frame)
        self._queue.append(frame)
        if len(self._queue) > self._settings.queue_messages or self._queued_bytes > self._settings.queue_bytes:
            self._queue.clear()
            self._queued_bytes = 0
            self.close("slow_consumer")
        else:
            self._rouse()

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
        """Carry messages until the connection ends. Nothing that goes wrong later leaves, but cancellation.

        `look_up` is awaited with each token and message before the conversation acts on it.

        Raises ClientMistake for a request that cannot become a WebSocket of this protocol.
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
        """Open the session and read. The root of whatever a client can cause: it ends this line, and no other."""
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
        """Read one frame and act on it; whether more may come. Whoever waits for the next holds nothing of this one:
        the offer of an idle client would be five kilobytes of text, and as much read.
        """
        self._reading = True
        message = await self._ws.receive()
        self._reading = False
        self._frames += 1
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            # RFC 6455 section 5.5.2; heartbeats are aiohttp's, and know of every frame that comes.
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
        """Send the queue as it fills; once `close` was called, send the rest and close."""
        try:
            while self._closing is None or self._queue:
                while self._queue:
                    frame = self._queue.popleft()
                    self._queued_bytes -= len(frame)
                    await self._ws.send_frame(frame, WSMsgType.TEXT)
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
        """Say why. The reader calls this where it was the first to know: aiohttp then reads on until the client's close
        frame, so that data still on its way does not reset the connection before the client has read the reason.
        """
        assert self._closing is not None
        code = ERRORS[self._closing].close_code
        await self._ws.close(code=code or _UNNAMED_CLOSE, message=self._closing.encode())

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _cut_off(self) -> None:
        """End the connection without a word; what is unsent is dropped."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    def _settle(self) -> None:
        """Leave the cut running only where the kernel has not yet taken all that was sent."""
        transport = self._request.transport
        if self._cut is not None and (transport is None or not transport.get_write_buffer_size()):
            self._cut.cancel()
