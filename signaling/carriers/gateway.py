"""The entry to signaling for the composition root: accepts WebSockets and enforces time limits."""

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
"""How often time limits are looked at."""

_log = structlog.get_logger("signaling.carriers.gateway")


def peer_address(request: web.Request) -> str:
    """The address at the other end of the connection, whatever headers say."""
    return request.remote or ""


class Gateway:
    """Signaling as a whole. `observer` is for the media server, so this is made first and told of the media in `start`.

    `client_address` says where a request really comes from; it knows of trusted proxies. `look_up` is awaited with each
    message before the conversation acts on it: it finds what the database, or another issuer, has to say.
    """

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
        self._settings = settings
        self._tokens = tokens
        self._clock = clock
        self._client_address = client_address
        self._records = records
        self.look_up = look_up
        self._conversation: Conversation | None = None
        self._lines: set[asyncio.Task[object]] = set()
        self.http_carriers = HttpCarriers()
        self.whip_resources = WhipResources()
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False
        self.observer = MediaWatch(lambda: self.conversation, clock.now)

    def start(self, media: MediaPort) -> None:
        """Begin with this media server. Needs a running event loop."""
        self._conversation = Conversation(self._settings, self._tokens, media, self._clock.utc, records=self._records)
        self._keeper = asyncio.create_task(self._keep_time(), name="signaling time limits")

    async def close(self) -> None:
        """Tell everybody that the server goes down, close all lines with 1001, and wait until they have ended."""
        self._closing = True
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.wait((self._keeper,))
        self.conversation.shut_down()
        if self._lines:
            _, late = await asyncio.wait(self._lines, timeout=self._settings.close_grace_seconds)
            for line in late:
                line.cancel()
            if late:
                await asyncio.wait(late)

    @property
    def conversation(self) -> Conversation:
        """Rooms, sessions and what may be done to them. Only after `start`."""
        if self._conversation is None:
            raise RuntimeError("the gateway has not started")
        return self._conversation

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """One WebSocket, from its opening to its end. Raises ClientMistake before the opening only."""
        self.check_open()
        conversation = self.conversation
        carrier = WebSocketCarrier(request, self._client_address(request), self._settings, conversation.counters)
        with self.carrying():
            return await carrier.run(conversation, self._clock.now, self.look_up)

    def check_open(self) -> None:
        """Whether new lines are taken. Raises ClientMistake (`server_shutdown`)."""
        if self._closing:
            raise ClientMistake("server_shutdown")

    @contextlib.contextmanager
    def carrying(self) -> Iterator[None]:
        """This task carries messages for as long as the context lasts; closing waits for it."""
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        try:
            yield
        finally:
            self._lines.discard(task)

    async def prepare(self, session: Session, request: Request) -> Request:
        """The same message, with what was looked up for it; between `read` and `act` of whatever carries messages."""
        if self.look_up is None:
            return request
        return await self.look_up.prepare(self.conversation, session, request)

    def counters(self) -> dict[str, int]:
        """What has happened since the start; every value only grows."""
        return dict(self.conversation.counters)

    def gauges(self) -> dict[str, float]:
        """How many there are now."""
        conversation = self.conversation
        return {
            "sockets": float(len(self._lines)),
            "http_carriers": float(len(self.http_carriers)),
            "sessions": float(len(conversation.sessions)),
            "participants": float(conversation.rooms.population),
            "rooms": float(len(conversation.rooms)),
        }

    def advance(self, now: float) -> None:
        """Do what is due at `now`; what goes wrong with one session touches no other."""
        conversation = self.conversation
        for session in conversation.due(now):
            try:
                conversation.expire(session, now)
            except Exception:
                _log.exception("session_failed", session_id=session.id)
                if session.carrier is not None:
                    conversation.fail(session.carrier)
        for line in self.http_carriers.take_over(now):
            if line.ended is not None:
                conversation.counters[f"closed_{line.ended}"] += 1
            conversation.lost(line, now)
        self.whip_resources.advance(conversation, now)
        conversation.clear_up(now)

    async def _keep_time(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self.advance(self._clock.now())
            except Exception:
                # Without it nobody's time would ever be up again.
                _log.exception("time_limits_failed")
