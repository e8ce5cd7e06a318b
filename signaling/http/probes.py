"""`/live`, `/ready` with its alias `/health`, and `/metrics`."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import Field

from signaling.carriers.websocket import close_unread
from signaling.errors import ClientMistake, StorageUnavailable
from signaling.http.app_keys import CLOCK, DATABASE, GATEWAY, MEDIA, METRICS, READINESS, SETTINGS, WATCHERS
from signaling.http.headers import client_address, client_of_request
from signaling.http.limits import lasts
from signaling.http.problems import Handler, read_body, refuse
from signaling.http.routes import Route, json_answer
from signaling.limits import address_key
from signaling.models import Model
from signaling.operating.metrics import CONTENT_TYPE
from signaling.operating.readiness import CHECKS, CheckState, HealthWatch


class Live(Model):
    """The process runs. This probe checks nothing else, so that no other fault restarts the process."""

    status: Literal["live"] = "live"


class Check(Model):
    """The state of one readiness check."""

    state: Literal["ok", "failing"]
    age_seconds: float = Field(description="Seconds since this state began.")
    detail: str


class Ready(Model):
    """All checks, and whether all of them pass."""

    status: Literal["ready", "not_ready"]
    checks: dict[str, Check]


async def live(_request: web.Request) -> web.StreamResponse:
    """The process answers."""
    return json_answer(Live())


async def ready(request: web.Request) -> web.StreamResponse:
    """Whether people may be sent to this node: 200 or 503, with the same body."""
    answer = verdict(await look(request))
    return json_answer(answer, status=200 if answer.status == "ready" else 503)


async def look(request: web.Request) -> Mapping[str, CheckState]:
    """All checks, now."""
    media = request.app[MEDIA]
    try:
        await request.app[DATABASE].ping()
    except StorageUnavailable:
        answers = False
    else:
        answers = True
    return request.app[READINESS].look(
        request.app[CLOCK].now(),
        media_addresses=len(media.addresses),
        loop_lag=media.observation.gauges().get("loop_lag_seconds", 0.0),
        database=answers,
        free_bytes=free_bytes(request.app[SETTINGS].data_dir),
    )


def free_bytes(folder: Path) -> int | None:
    """The free bytes on the disk of a folder, which may not exist yet; None where they cannot be read."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None


def verdict(states: Mapping[str, CheckState]) -> Ready:
    """The body for these checks."""
    fine = all(state.ok for state in states.values())
    checks = {
        name: Check(state="ok" if state.ok else "failing", age_seconds=round(state.age, 3), detail=state.detail)
        for name, state in states.items()
    }
    return Ready(status="ready" if fine else "not_ready", checks=checks)


async def metrics(request: web.Request) -> web.StreamResponse:
    """Prometheus metrics, for the networks of the setting `metrics_networks`."""
    settings = request.app[SETTINGS]
    if not settings.metrics_enabled:
        refuse("not_found", "Metrics are disabled by the setting metrics_enabled.")
    if not client_of_request(request).within(settings.metrics_networks):
        refuse("forbidden", "This address must not read metrics; see the setting metrics_networks.")
    return web.Response(body=request.app[METRICS].exposition(), headers={"Content-Type": CONTENT_TYPE})


@web.middleware
async def count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The middleware that feeds the two HTTP metrics."""
    clock = request.app[CLOCK].now
    began = clock()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "unmatched"
    seconds = None if lasts(response) else clock() - began
    request.app[METRICS].request_answered(request.method, route, response.status, seconds)
    return response


LOOK_SECONDS = 1.0
_MOST_BYTES = 1024
_CLOSE_SECONDS = 2.0


class Chosen(Model):
    """The checks of `/ready` to run."""

    checks: Annotated[list[str], Field(min_length=1, max_length=len(CHECKS))] = Field(
        json_schema_extra={"items": {"type": "string", "enum": list(CHECKS)}}
    )


async def batch(request: web.Request) -> web.StreamResponse:
    """Run the named checks: 200 if all of them pass, else 503, with the same body."""
    chosen = (await read_body(request, Chosen, request.app[SETTINGS].read_timeout)).checks
    for name in chosen:
        if name not in CHECKS:
            refuse("bad_message", f"There is no check {name[:64]!r}.")
    states = await look(request)
    answer = verdict({name: states[name] for name in chosen})
    return json_answer(answer, status=200 if answer.status == "ready" else 503)


async def watch(request: web.Request) -> web.StreamResponse:
    """A WebSocket that sends the state of the node at first, on each change, and after each `ping`."""
    request.app[GATEWAY].check_open()
    address, watchers = address_key(client_address(request)), request.app[WATCHERS]
    socket = web.WebSocketResponse(
        max_msg_size=_MOST_BYTES,
        compress=False,
        heartbeat=request.app[GATEWAY].settings.heartbeat_seconds,
        timeout=_CLOSE_SECONDS,
        autoping=False,
    )
    watchers.enter(address)
    try:
        await socket.prepare(request)
        with request.app[GATEWAY].carrying():
            await _send_states(request, socket)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    finally:
        watchers.leave(address)
    return socket


async def _send_states(request: web.Request, socket: web.WebSocketResponse) -> None:
    """Run the checks, send changes, and wait `LOOK_SECONDS` for a ping, until either side closes."""
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


ROUTES = (
    Route("GET", "/live", live, "Check whether the process is alive.", answers={200: Live}),
    Route("GET", "/ready", ready, "Check whether the server accepts participants.", answers={200: Ready, 503: Ready}),
    Route("GET", "/health", ready, "Same as /ready.", answers={200: Ready, 503: Ready}),
    Route(
        "GET",
        "/metrics",
        metrics,
        "Read the metrics, in the text format of Prometheus.",
        answers={200: CONTENT_TYPE},
        errors=("forbidden", "not_found"),
    ),
    Route(
        "POST",
        "/health/batch",
        batch,
        "Run the named checks.",
        answers={200: Ready, 503: Ready},
        body=Chosen,
        errors=("timeout", "too_large", "unsupported_media_type"),
    ),
    Route(
        "GET",
        "/health/ws",
        watch,
        "Open a WebSocket that sends the state of the node on each change and after each ping.",
        answers={101: ""},
        errors=("forbidden", "rate_limited", "server_shutdown"),
    ),
)
