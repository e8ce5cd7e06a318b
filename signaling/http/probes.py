"""`/live`, `/ready` with its alias `/health`, and `/metrics`."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from signaling.errors import StorageUnavailable
from signaling.http.app_keys import CLOCK, DATABASE, MEDIA, METRICS, READINESS, SETTINGS
from signaling.http.headers import client_of_request
from signaling.http.limits import lasts
from signaling.http.problems import Handler, refuse
from signaling.http.routes import Endpoint, json_answer
from signaling.operating.metrics import CONTENT_TYPE
from signaling.operating.readiness import CheckState


class Live(BaseModel):
    """The process runs. It depends on nothing else, so that nothing else gets it restarted."""

    model_config = ConfigDict(extra="forbid")
    status: Literal["live"] = "live"


class Check(BaseModel):
    """One thing that must hold before people are sent here."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["ok", "failing"]
    age_seconds: float = Field(description="How long it has been in this state.")
    detail: str


class Ready(BaseModel):
    """All checks, and whether all of them hold."""

    model_config = ConfigDict(extra="forbid")
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
        loop_lag=media.gauges().get("loop_lag_seconds", 0.0),
        database=answers,
        free_bytes=free_bytes(request.app[SETTINGS].data_dir),
    )


def free_bytes(folder: Path) -> int | None:
    """The room on the disk of a folder, which need not be there yet; None where it cannot be looked at."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), None)
    try:
        return None if there is None else shutil.disk_usage(there).free
    except OSError:
        return None


def verdict(states: Mapping[str, CheckState]) -> Ready:
    """What is told of these checks."""
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
        refuse("not_found", "Metrics are switched off (metrics_enabled).")
    if not client_of_request(request).within(settings.metrics_networks):
        refuse("forbidden", "This address may not read metrics; see the setting metrics_networks.")
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


ENDPOINTS = (
    Endpoint("GET", "/live", live, "Is the process alive?", answers={200: Live}),
    Endpoint("GET", "/ready", ready, "May people be sent here?", answers={200: Ready, 503: Ready}),
    Endpoint("GET", "/health", ready, "The same as /ready.", answers={200: Ready, 503: Ready}),
    Endpoint(
        "GET",
        "/metrics",
        metrics,
        "Prometheus metrics.",
        answers={200: CONTENT_TYPE},
        errors=("forbidden", "not_found"),
    ),
)
