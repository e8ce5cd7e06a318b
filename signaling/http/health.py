"""How the node is, for those who want more than `/ready`: chosen checks in one answer, and a WebSocket that tells."""

import asyncio
from typing import Annotated

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import BaseModel, ConfigDict, Field

from signaling.carriers.websocket import close_unread
from signaling.errors import ClientMistake
from signaling.http.app_keys import CLOCK, GATEWAY, READINESS, SETTINGS, WATCHERS
from signaling.http.headers import client_address
from signaling.http.probes import Ready, look, verdict
from signaling.http.problems import read_body, refuse
from signaling.http.routes import Endpoint, json_answer
from signaling.limits import address_key
from signaling.operating.health_watch import HealthWatch
from signaling.operating.readiness import CHECKS

LOOK_SECONDS = 1.0
_MOST_BYTES = 1024
_CLOSE_SECONDS = 2.0


class Chosen(BaseModel):
    """Which checks of `/ready` matter."""

    model_config = ConfigDict(extra="forbid")
    checks: Annotated[list[str], Field(min_length=1, max_length=len(CHECKS))] = Field(
        json_schema_extra={"items": {"type": "string", "enum": list(CHECKS)}}
    )


async def batch(request: web.Request) -> web.StreamResponse:
    """The checks that are named: 200 where all of them hold, else 503, with the same body."""
    chosen = (await read_body(request, Chosen, request.app[SETTINGS].read_timeout)).checks
    for name in chosen:
        if name not in CHECKS:
            refuse("bad_message", f"There is no check {name[:64]!r}.")
    states = await look(request)
    answer = verdict({name: states[name] for name in chosen})
    return json_answer(answer, status=200 if answer.status == "ready" else 503)


async def watch(request: web.Request) -> web.StreamResponse:
    """A WebSocket that says how the node is: at first, on each change, and after each `ping`."""
    request.app[GATEWAY].check_open()
    address, watchers = address_key(client_address(request)), request.app[WATCHERS]
    socket = web.WebSocketResponse(
        max_msg_size=_MOST_BYTES,
        compress=False,
        heartbeat=request.app[GATEWAY].conversation.settings.heartbeat_seconds,
        timeout=_CLOSE_SECONDS,
        autoping=False,
    )
    watchers.enter(address)
    try:
        await socket.prepare(request)
        with request.app[GATEWAY].carrying():
            await _tell(request, socket)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    finally:
        watchers.leave(address)
    return socket


async def _tell(request: web.Request, socket: web.WebSocketResponse) -> None:
    """Look, tell what is new, and wait a moment for a question; until either side goes."""
    now = request.app[CLOCK].now
    one, asked, request_id = HealthWatch(now()), False, None
    while True:
        states = await look(request)
        if asked or one.has_news(states):
            async with asyncio.timeout(request.app[SETTINGS].write_timeout):
                await socket.send_str(one.tell(states, verdict(states).model_dump(), request_id))
        if request.app[READINESS].draining:
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"server_shutdown")
            return
        asked, request_id = False, None
        try:
            message = await socket.receive(timeout=LOOK_SECONDS)
        except TimeoutError:
            continue
        if message.type not in (WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG):
            await socket.close()
            return
        try:
            if message.type is WSMsgType.TEXT:
                asked, request_id = True, one.read(message.data, now())
                continue
            one.count(now())
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
        except ClientMistake as mistake:
            await close_unread(request, socket, WSCloseCode.POLICY_VIOLATION, mistake.code)
            return


ENDPOINTS = (
    Endpoint(
        "POST",
        "/health/batch",
        batch,
        "Do the checks that are named hold?",
        answers={200: Ready, 503: Ready},
        body=Chosen,
        errors=("timeout", "too_large", "unsupported_media_type"),
    ),
    Endpoint(
        "GET",
        "/health/ws",
        watch,
        "A WebSocket that says how the node is, on each change and after each ping.",
        answers={101: ""},
        errors=("forbidden", "rate_limited", "server_shutdown"),
    ),
)
