"""The tasks of signaling: accepts WebSockets, runs the time limits, and closes all carriers at shutdown."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import structlog
from aiohttp import web

from signaling.call.conversation import Conversation
from signaling.call.media import MediaWatch
from signaling.call.settings import CallSettings
from signaling.call.state import MediaPort, Records
from signaling.carriers.http_carrier import HttpCarriers
from signaling.carriers.websocket import LookUp, WebSocketCarrier
from signaling.carriers.whip_carrier import WhipResources
from signaling.clock import SYSTEM_CLOCK, Clock
from signaling.errors import ClientMistake
from signaling.identity.tokens import Tokens
from signaling.protocol.client_messages import Request
from signaling.protocol.session import Session

__all__ = ["CallSettings", "Gateway"]

TICK_SECONDS = 0.5
"""The interval at which time limits are checked."""

_log = structlog.get_logger("signaling.carriers.gateway")


def peer_address(request: web.Request) -> str:
    """The address of the connection's peer, without regard to headers."""
    return request.remote or ""


class Gateway:
    """Signaling as one object. `observer` is for the media server, which is created after the gateway.

    `conversation` exists from `start` on. `client_address` is the address of a request, behind trusted proxies that of
    the client. `look_up` is awaited for each message before it is handled.
    """

    conversation: Conversation

    def __init__(
        self,
        settings: CallSettings,
        tokens: Tokens,
        *,
        clock: Clock = SYSTEM_CLOCK,
        client_address: Callable[[web.Request], str] = peer_address,
        records: Records | None = None,
        look_up: LookUp | None = None,
    ) -> None:
        self.settings = settings
        self._tokens = tokens
        self._clock = clock
        self._client_address = client_address
        self._records = records
        self.look_up = look_up
        self._carrying: set[asyncio.Task[object]] = set()
        self.http_carriers = HttpCarriers()
        self.whip_resources = WhipResources()
        self._timer: asyncio.Task[None] | None = None
        self._closing = False
        self.observer = MediaWatch(lambda: self.conversation, clock.now)

    def start(self, media: MediaPort) -> None:
        """Create the conversation with this media server, and start the time limits. Needs a running event loop."""
        self.conversation = Conversation(self.settings, self._tokens, media, self._clock.utc, records=self._records)
        self._timer = asyncio.create_task(self._keep_time(), name="signaling time limits")

    async def close(self) -> None:
        """Announce the shutdown, close all carriers with 1001, and wait for their tasks."""
        self._closing = True
        if self._timer is None:
            return
        self._timer.cancel()
        await asyncio.wait((self._timer,))
        self.conversation.shut_down()
        if self._carrying:
            _, late = await asyncio.wait(self._carrying, timeout=self.settings.close_grace_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Carry one WebSocket until it ends. Raises ClientMistake before it is open only."""
        self.check_open()
        conversation = self.conversation
        carrier = WebSocketCarrier(request, self._client_address(request), self.settings, conversation.counters)
        with self.carrying():
            return await carrier.run(conversation, self._clock.now, self.look_up)

    def check_open(self) -> None:
        """Raise ClientMistake (`server_shutdown`) while the server shuts down."""
        if self._closing:
            raise ClientMistake("server_shutdown")

    @contextlib.contextmanager
    def carrying(self) -> Iterator[None]:
        """A context in which the current task carries messages; `close` waits for its end."""
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            yield
        finally:
            self._carrying.discard(task)

    async def prepare(self, session: Session, request: Request) -> Request:
        """The request with the results of its look-ups. Carriers call this between `read` and `act`."""
        if self.look_up is None:
            return request
        return await self.look_up.prepare(self.conversation, session, request)

    def counters(self) -> dict[str, int]:
        """Counts since the start; they only grow."""
        return dict(self.conversation.counters)

    def gauges(self) -> dict[str, float]:
        """The current numbers of carriers, sessions, participants and rooms."""
        return {
            "sockets": float(len(self._carrying)),
            "http_carriers": float(len(self.http_carriers)),
            **self.conversation.gauges(),
        }

    def advance(self, now: float) -> None:
        """Apply the time limits at `now`. A failure with one session does not affect the others."""
        conversation = self.conversation
        for session in conversation.due(now):
            try:
                conversation.expire(session, now)
            except Exception:
                _log.exception("session_failed", session_id=session.id)
                if session.carrier is not None:
                    conversation.fail(session.carrier)
        for carrier in self.http_carriers.take_over(now):
            if carrier.ended is not None:
                conversation.counters[f"closed_{carrier.ended}"] += 1
            conversation.lost(carrier, now)
        self.whip_resources.advance(conversation, now)
        conversation.clear_up(now)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self.advance(self._clock.now())
            except Exception:
                # The task must go on: no time limit would be applied without it.
                _log.exception("time_limits_failed")
