"""The WebSocket carrier on a real server and real sockets of this machine."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError, web

from signaling.call.state import State
from signaling.carriers.gateway import CallSettings, Gateway
from signaling.carriers.websocket import LookUp
from signaling.clock import Clock
from signaling.errors import ClientMistake
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens
from signaling.protocol.client_messages import Auth, Request
from signaling.protocol.session import Session
from tests.signaling.fakes import SECRET, FakeMedia
from tests.support.patience import PATIENCE

TOKENS = Tokens(SECRET)


class Site:
    """A running gateway and ways of calling it."""

    def __init__(self, gateway: Gateway, media: FakeMedia, port: int, client: ClientSession) -> None:
        self.gateway = gateway
        self.media = media
        self.port = port
        self.client = client

    async def dial(self, *protocols: str, **options: Any) -> ClientWebSocketResponse:
        offered = protocols or ("parley.v1",)
        return await self.client.ws_connect(f"http://127.0.0.1:{self.port}/ws", protocols=offered, **options)

    async def enter(self, identity: str, **options: Any) -> tuple[ClientWebSocketResponse, dict[str, Any]]:
        """Somebody who has joined the lobby, and the `welcome` with the secret."""
        token = TOKENS.issue(identity, grants=Grants.for_room("lobby"), utc=Clock().utc())
        ws = await self.dial("parley.v1", f"parley.token.{token}", **options)
        welcome = await take(ws, "welcome")
        await say(ws, "join", {"room": "lobby"})
        await take(ws, "joined")
        return ws, welcome


async def say(ws: ClientWebSocketResponse, kind: str, payload: dict[str, Any] | None = None) -> None:
    await ws.send_str(orjson.dumps({"type": kind, "id": 1, "payload": payload or {}}).decode())


async def take(ws: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The payload of the next message of this type; others are passed over."""
    async with asyncio.timeout(PATIENCE):
        while True:
            message = await ws.receive()
            assert message.type is WSMsgType.TEXT, message
            frame = orjson.loads(message.data)
            if frame["type"] == kind:
                payload: dict[str, Any] = frame["payload"]
                return payload


async def closing(ws: ClientWebSocketResponse) -> int | None:
    """Read to the end; the close code."""
    async with asyncio.timeout(PATIENCE):
        while (await ws.receive()).type is WSMsgType.TEXT:
            pass
    return ws.close_code


class Noting:
    """Finds nothing, and remembers the tokens that it was asked about."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def token(self, token: str) -> None:
        self.tokens.append(token)

    async def prepare(self, state: State, session: Session, request: Request) -> Request:
        del state
        if isinstance(request.payload, Auth) and session.state == "opened":
            self.tokens.append(request.payload.token)
        return request


@contextlib.asynccontextmanager
async def running(look_up: LookUp | None = None, **settings: Any) -> AsyncIterator[Site]:
    media = FakeMedia()
    gateway = Gateway(CallSettings(**settings), TOKENS, look_up=look_up)

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await gateway.handle(request)
        except ClientMistake as mistake:
            return web.json_response({"code": mistake.code}, status=mistake.row.status)

    app = web.Application()
    app.router.add_get("/ws", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gateway.start(media)
    try:
        async with ClientSession() as client:
            yield Site(gateway, media, runner.addresses[0][1], client)
    finally:
        await gateway.close()
        await runner.cleanup()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event; it takes a few turns of the loop
            await asyncio.sleep(0)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running() as found:
        yield found


async def test_the_subprotocol_is_chosen_and_the_token_is_not_repeated(site: Site) -> None:
    ws, welcome = await site.enter("ana")
    assert ws.protocol == "parley.v1"
    assert welcome["identity"] == "ana"
    assert ws.compress == 0


@pytest.mark.parametrize(
    "protocols", [("parley.v2",), ("parley.v1", "parley.token.a", "parley.token.b"), ("chat", "parley.token.a")]
)
async def test_what_is_not_this_protocol_is_refused_before_the_upgrade(site: Site, protocols: tuple[str, ...]) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await site.dial(*protocols)
    assert caught.value.status == 400


async def test_a_forged_token_in_the_subprotocol_closes_with_its_code(site: Site) -> None:
    ws = await site.dial("parley.v1", "parley.token.x.y.z")
    assert (await take(ws, "error"))["code"] == "token_invalid"
    assert await closing(ws) == 4405


async def test_a_binary_message_is_refused_and_the_session_goes_on(site: Site) -> None:
    ws, _ = await site.enter("ana")
    await ws.send_bytes(b"\x00")
    assert (await take(ws, "error"))["code"] == "bad_message"
    await say(ws, "ping")
    await take(ws, "pong")


async def test_more_than_64_kib_is_closed_with_1009(site: Site) -> None:
    ws, _ = await site.enter("ana")
    other, _ = await site.enter("ben")
    await ws.send_str("x" * 70_000)
    assert await closing(ws) == 1009
    await say(other, "ping")
    await take(other, "pong")
    await until(lambda: site.gateway.counters().get("closed_too_large") == 1)


async def test_a_flood_is_told_and_closed_with_1008() -> None:
    async with running(message_burst=20) as site:
        ws, _ = await site.enter("ana")
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                await ws.send_str("x")
        assert await closing(ws) == 1008
        assert site.gateway.counters()["errors_rate_limited"] == 2


async def test_rfc_6455_section_5_5_2_a_ping_is_answered(site: Site) -> None:
    ws, _ = await site.enter("ana", autoping=False)
    await ws.ping(b"are you there")
    async with asyncio.timeout(PATIENCE):
        answer = await ws.receive()
    assert (answer.type, answer.data) == (WSMsgType.PONG, b"are you there")
    await ws.pong(b"nobody asked")
    await say(ws, "ping")
    await take(ws, "pong")


@pytest.mark.parametrize("kind", [WSMsgType.PING, WSMsgType.PONG])
async def test_a_flood_of_frames_without_a_message_is_told_and_closed_too(kind: WSMsgType) -> None:
    async with running(message_burst=20) as site:
        ws, _ = await site.enter("ana")
        other, _ = await site.enter("ben")
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                await (ws.ping() if kind is WSMsgType.PING else ws.pong())
        assert await closing(ws) == 1008
        assert site.gateway.counters()["errors_rate_limited"] == 2
        await say(other, "ping")
        await take(other, "pong")


async def test_an_exception_in_one_session_ends_it_and_touches_no_other(site: Site) -> None:
    ws, _ = await site.enter("ana")
    other, _ = await site.enter("ben")
    site.media.fault = ZeroDivisionError()
    await say(ws, "offer", {"sdp": "v=0"})
    assert (await take(ws, "error"))["code"] == "internal"
    assert await closing(ws) == 4500
    updated = await take(other, "participant-updated")
    assert updated["participant"]["state"] == "reconnecting"


async def test_a_killed_connection_resumes_with_what_was_missed(site: Site) -> None:
    ws, welcome = await site.enter("ana")
    other, _ = await site.enter("ben")
    await take(ws, "participant-joined")
    transport = ws._response.connection.transport  # type: ignore[union-attr]
    assert transport is not None
    transport.abort()
    assert (await take(other, "participant-updated"))["participant"]["state"] == "reconnecting"
    await say(other, "message", {"topic": "chat", "body": "while you were out"})
    await take(other, "message")
    again = await site.dial()
    await say(again, "resume", {"session": welcome["session"], "secret": welcome["secret"], "seq_ack": 3})
    resumed = await take(again, "welcome")
    assert (resumed["resumed"], resumed["session"]) == (True, welcome["session"])
    assert (await take(again, "message"))["body"] == "while you were out"
    assert (await take(other, "participant-updated"))["participant"]["state"] == "joined"


async def test_a_resume_closes_the_older_connection_with_session_taken(site: Site) -> None:
    ws, welcome = await site.enter("ana")
    again = await site.dial()
    await say(again, "resume", {"session": welcome["session"], "secret": welcome["secret"], "seq_ack": 2})
    await take(again, "welcome")
    assert await closing(ws) == 4410


async def test_who_does_not_read_is_closed_and_the_others_notice_nothing() -> None:
    async with running(message_burst=100_000, close_grace_seconds=0.3) as site:
        reader, _ = await site.enter("ana")
        await site.enter("ben")
        async with raw_socket(site, "slow") as slow:
            while not site.gateway.counters().get("closed_slow_consumer"):
                await say(reader, "message", {"topic": "t", "body": "x" * 16_000})
                await take(reader, "message")
            await take(reader, "participant-updated")
            assert slow is not None
        assert site.gateway.counters()["closed_slow_consumer"] == 1


async def test_a_slow_reader_that_wakes_in_time_reads_1013() -> None:
    async with running(message_burst=100_000, close_grace_seconds=30.0) as site:
        talker, _ = await site.enter("ana")
        slow, _ = await site.enter("slow")
        connection = slow._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()  # type: ignore[attr-defined]
        while not site.gateway.counters().get("closed_slow_consumer"):
            await say(talker, "message", {"topic": "t", "body": "x" * 16_000})
            await take(talker, "message")
        connection.transport.resume_reading()  # type: ignore[attr-defined]
        assert await closing(slow) == 1013


@contextlib.asynccontextmanager
async def raw_socket(site: Site, identity: str) -> AsyncIterator[socket.socket]:
    """Somebody who joins and then never reads again, with a small receive buffer."""
    token = TOKENS.issue(identity, grants=Grants.for_room("lobby"), utc=Clock().utc())
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plain, ("127.0.0.1", site.port))
    payload = b'{"type":"join","payload":{"room":"lobby"}}'
    upgrade = (
        f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n"
        f"Sec-WebSocket-Protocol: parley.v1, parley.token.{token}\r\n\r\n"
    )
    await loop.sock_sendall(plain, upgrade.encode() + bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
    try:
        yield plain
    finally:
        plain.close()


async def test_going_down_is_told_and_closed_with_1001() -> None:
    async with running() as site:
        ws, _ = await site.enter("ana")
        closed = asyncio.create_task(site.gateway.close())
        assert await take(ws, "reconnect") == {"action": "reconnect", "reason": "server_shutdown"}
        assert await closing(ws) == 1001
        await closed
        with pytest.raises(WSServerHandshakeError) as caught:
            await site.dial()
        assert caught.value.status == 503


async def test_a_client_that_says_goodbye_leaves_nothing_behind(site: Site) -> None:
    ws = await site.dial()
    await ws.close()
    await until(lambda: not site.gateway.gauges()["sockets"])
    assert set(site.gateway.gauges().values()) == {0.0}


async def test_a_line_that_says_nothing_is_closed() -> None:
    async with running(auth_seconds=0.0) as site:
        ws = await site.dial()
        site.gateway.advance(Clock().now() + 1.0)
        assert (await take(ws, "error"))["code"] == "unauthenticated"
        assert await closing(ws) == 4401


@pytest.mark.parametrize("way", ["subprotocol", "auth"])
async def test_the_key_of_a_token_is_asked_for_before_it_is_judged(way: str) -> None:
    look_up = Noting()
    token = TOKENS.issue("ana", grants=Grants.for_room("lobby"), utc=Clock().utc())
    async with running(look_up=look_up) as site:
        if way == "subprotocol":
            ws = await site.dial("parley.v1", f"parley.token.{token}")
        else:
            ws = await site.dial("parley.v1")
            await ws.send_str("nonsense")
            await say(ws, "ping")
            await say(ws, "auth", {"token": token})
        await take(ws, "welcome")
        assert look_up.tokens == [token]
        await say(ws, "auth", {"token": token})
        await take(ws, "error")
        assert look_up.tokens == [token]
        await ws.close()


async def test_what_a_client_says_of_itself_goes_with_its_line(site: Site) -> None:
    await site.enter("ana", headers={"User-Agent": "Tests/1.0\tof " + "x" * 400})
    (session,) = site.gateway.conversation.sessions.values()
    assert session.carrier is not None
    assert session.carrier.user_agent == ("Tests/1.0 of " + "x" * 400)[:256]
