"""Bad input over the WebSocket and below HTTP, at a real server: it refuses, says why, and others notice nothing."""

import asyncio
from typing import Any

import aiohttp
import pytest

from signaling.http.app_keys import SPOOL
from signaling.http.routes import Route
from signaling.protocol.client_messages import CLIENT_MESSAGES
from tests.integration.test_bad_input import ROUTES, TEXTS, VALUES, filled, route
from tests.signaling.http.callers import person
from tests.signaling.serving import Served, served
from tests.support.patience import PATIENCE

LIMITS: dict[str, Any] = {"messages_per_second": 10_000, "sockets_per_identity": 20, "failed_auths_per_minute": 10_000}
HEAD = b"GET /api/v1/config HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/v1/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
OTHERWISE_GOOD: dict[str, dict[str, Any]] = {
    "message": {"topic": "chat", "body": "hello"},
    "moderate": {"action": "unban", "target": "nobody"},
}
"""What is put beside a bad field, so that it is the one thing to refuse."""
BELOW_HTTP = {
    "a header bomb": HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n",
    "a long header": HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    "a long target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "NUL in a header": HEAD + b"X: a\x00b\r\n\r\n",
    "a bare line feed in a header": HEAD + b"X: a\nY: b\x01\r\n\r\n",
    "a space before the colon": HEAD + b"X : y\r\n\r\n",
    "a folded header": HEAD + b"X: y\r\n z\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of a negative size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "a chunk of a huge size": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "a chunk shorter than it says": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"Authorization: Bearer x\r\n" * 5 + b"\r\n",
    "a trailer bomb": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: yyyyyyyy\r\n" * 20_000 + b"\r\n",
}


async def talk(server: Served, text: bytes) -> bytes:
    """What comes back until the server has closed, or has answered and waits."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(text)
        async with asyncio.timeout(PATIENCE):
            return await reader.read(1 << 16)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("name", BELOW_HTTP)
async def test_what_is_no_proper_http_is_refused_or_cut_off(tmp_path: Any, name: str) -> None:
    """RFC 9112: lengths that contradict each other, chunks and trailers among them."""
    async with served(tmp_path, read_timeout=1.0) as server:
        answer = await talk(server, BELOW_HTTP[name])
        status = int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0
        assert status == 0 or 400 <= status < 500, (name, answer[:300])
        response, _ = await server.ask("/live")
        assert response.status == 200


@pytest.mark.parametrize("piece", [b"", b"G", HEAD[:-2], HEAD, POST + b"Content-Length: 10\r\n\r\n{"])
async def test_what_is_never_finished_ends_in_time(tmp_path: Any, piece: bytes) -> None:
    """Slowloris: a connection on which a request begins and does not end, while others are served."""
    async with served(tmp_path, read_timeout=0.2) as server:
        lines = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        for _, writer in lines:
            writer.write(piece)
        response, _ = await server.ask("/live")
        assert response.status == 200
        async with asyncio.timeout(PATIENCE):
            for reader, _ in lines:
                answer = await reader.read()
                assert answer == b"" or answer.startswith((b"HTTP/1.1 40", b"HTTP/1.0 40")), answer
        for _, writer in lines:
            writer.transport.abort()


async def test_a_body_that_does_not_come_ends_in_time_on_each_route_that_reads_one(tmp_path: Any) -> None:
    async with served(tmp_path, dev=True, read_timeout=0.3, rate_limit_rpm=10_000, **LIMITS) as server:
        operator = person(server, "ops", "operator", room="den", room_join=True)
        assert await operator.status("POST", "/api/v1/rooms", {"id": "den", "name": "Den"}) == 201
        rows = [row for row in ROUTES if row.body and "{resource}" not in row.path]

        def begun(row: Route) -> bytes:
            kind = row.body if isinstance(row.body, str) else "application/json"
            lines = (
                f"{row.method} {filled(row.path)} HTTP/1.1", f"Host: {server.host}", f"Content-Type: {kind}",
                f"Authorization: Bearer {operator.bearer}", "If-Match: *", "Content-Length: 10", "", "{",
            )  # fmt: skip
            return "\r\n".join(lines).encode()

        answers = await asyncio.gather(*(talk(server, begun(row)) for row in rows))
        assert {route(row): answer[:12] for row, answer in zip(rows, answers, strict=True)} == dict.fromkeys(
            map(route, rows), b"HTTP/1.1 408"
        )


async def open_line(server: Served, token: str) -> aiohttp.ClientWebSocketResponse:
    socket = await server.session.ws_connect(
        f"http://{server.host}/ws",
        protocols=("parley.v1", f"parley.token.{token}"),
        headers={"Origin": f"http://{server.host}"},
    )
    assert (await socket.receive_json(timeout=PATIENCE))["type"] == "welcome"
    return socket


def token_of(server: Served, identity: str) -> str:
    bearer = person(server, identity, "moderator", room="den", room_join=True).bearer
    assert bearer is not None
    return bearer


async def answer_to(socket: aiohttp.ClientWebSocketResponse, id_: str) -> dict[str, Any]:
    """The answer with this id; what comes besides is passed over."""
    while True:
        told: dict[str, Any] = await socket.receive_json(timeout=PATIENCE)
        if told.get("id") == id_:
            return told


async def test_no_field_of_any_message_takes_what_it_should_not(tmp_path: Any) -> None:
    """Each field of each message with each bad value: the session goes on, and all that is to be kept is kept."""
    ends = {"leave", "resume", "auth"}
    async with served(tmp_path, **LIMITS) as server:
        operator = person(server, "ops", "operator")
        await operator.ask("POST", "/api/v1/rooms", {"id": "den", "name": "Den"})
        socket = await open_line(server, token_of(server, "eve"))
        await socket.send_json({"type": "join", "id": "in", "payload": {"room": "den"}})
        assert (await answer_to(socket, "in"))["type"] == "joined"
        asked = 0
        for model in CLIENT_MESSAGES.values():
            if model.type in ends:
                continue
            for name in (*model.model_fields, "unknown"):
                for value in (*TEXTS[:-1], *VALUES[:-2]):
                    asked += 1
                    payload = OTHERWISE_GOOD.get(model.type, {})
                    await socket.send_json({"type": model.type, "id": "bad", "payload": {**payload, name: value}})
                    # Not every message that is taken has an answer.
                    await socket.send_json({"type": "ping", "id": str(asked), "payload": {}})
                    assert (await answer_to(socket, str(asked)))["type"] == "pong"
        await socket.close()
        await server.app[SPOOL].flush()
        assert server.app[SPOOL].counters["refused"] == 0
        assert await operator.status("GET", "/api/v1/rooms/den") == 200


async def test_an_act_or_a_message_that_cannot_be_kept_is_not_done(tmp_path: Any) -> None:
    """PostgreSQL keeps no NUL: what has it is refused before it is done, so that nothing is done without a trace."""
    async with served(tmp_path, **LIMITS) as server:
        order = {"identity": "eve", "reason": "a\0b"}
        operator = person(server, "ops", "operator")
        await operator.ask("POST", "/api/v1/rooms", {"id": "den", "name": "Den"})
        assert await operator.code("POST", "/api/v1/rooms/den/bans", order) == (400, "bad_message")
        assert await operator.code("POST", "/api/v1/rooms/den/moderation", {"action": "ban", **order}) == (
            400,
            "bad_message",
        )
        _, page = await operator.ask("GET", "/api/v1/rooms/den/bans")
        assert page["items"] == []


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "5", "{", "[" * 60_000,
        '{"type":"ping","id":"1","payload":' + '{"a":' * 5000 + "1" + "}" * 5001,
        '{"type":"ping","type":"leave","id":"1"}', '{"type":"ping","id":NaN}', '{"type":"ping","id":1e999}',
        '{"type":"ping","id":' + "9" * 5000 + "}", '{"type":"ping","id":"\\ud800"}', '{"type":false}',
        '{"type":["ping"]}',
        '{"type":"__proto__"}', '{"type":"ping","extra":1}', '{"type":"ping\\u0000"}', '{"type":"ping","payload":"x"}',
    ],
)  # fmt: skip
async def test_what_is_no_message_is_told_so_and_the_session_goes_on(tmp_path: Any, text: str) -> None:
    async with served(tmp_path, **LIMITS) as server:
        socket = await open_line(server, token_of(server, "eve"))
        await socket.send_str(text)
        assert (await socket.receive_json(timeout=PATIENCE))["type"] in ("error", "pong")
        await socket.send_json({"type": "ping", "id": "still", "payload": {}})
        assert (await answer_to(socket, "still"))["type"] == "pong"
        await socket.close()


@pytest.mark.parametrize("path", ["/api/v1/rooms", "/ws"])
async def test_a_token_of_a_megabyte_is_refused(tmp_path: Any, path: str) -> None:
    async with served(tmp_path, **LIMITS) as server:
        text = b"GET " + path.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + b"x" * 1_000_000
        answer = await talk(server, text + b"\r\n\r\n")
        assert answer == b"" or answer.split()[1] in (b"400", b"401", b"431"), answer[:200]
