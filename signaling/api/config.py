"""The configuration of the page, and development tokens with `--dev`."""

import secrets
from typing import Literal, Self

from aiohttp import web
from pydantic import Field, model_validator

from signaling.http.app_keys import CLOCK, OPENAPI, SETTINGS, TOKENS
from signaling.http.headers import client_of_request, is_own_page
from signaling.http.origin import is_loopback_host
from signaling.http.problems import read_body, refuse
from signaling.http.routes import Route, json_answer
from signaling.identity.grants import Grants
from signaling.identity.names import clean_name
from signaling.models import Model
from signaling.version import VERSION

_DEV_OPERATOR = "dev-operator"
"""One name, so that a trail reads as one person's."""


class Config(Model):
    """What a page needs before it authenticates."""

    dev: bool = Field(description="Whether the page may request a token from POST /dev/token.")
    version: str
    slots: int = Field(description="Maximum number of voices that a participant hears at once.")


class DevTokenRequest(Model):
    """A request for a development token: for a participant of a room, or for an operator."""

    name: str = Field("", max_length=256, description="The name shown to other participants.")
    room: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="The room to join; not needed for an operator."
    )
    role: Literal["member", "operator"] = Field(
        "member", description="The role; an operator has all permissions, as on /admin."
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.room is None and self.role == "member":
            raise ValueError("name the room to join")
        return self


class DevToken(Model):
    """A token, and the WebSocket to use it on."""

    token: str
    url: str


async def config(request: web.Request) -> web.StreamResponse:
    """The configuration for a page without a token."""
    settings = request.app[SETTINGS]
    return json_answer(Config(dev=settings.dev, version=VERSION, slots=settings.slots))


async def dev_token(request: web.Request) -> web.StreamResponse:
    """A token for a client on this machine; foreign pages, hosts and machines get none. Only with `--dev`."""
    settings = request.app[SETTINGS]
    if not client_of_request(request).on_this_machine or not is_loopback_host(request.host):
        refuse("forbidden", "This route answers requests from this machine only.")
    if not is_own_page(request):
        refuse("forbidden", "This route answers the server's own page only.")
    wanted = await read_body(request, DevTokenRequest, settings.read_timeout)
    token = request.app[TOKENS].issue(
        _DEV_OPERATOR if wanted.role == "operator" else f"dev-{secrets.token_hex(8)}",
        grants=Grants() if wanted.room is None else Grants.for_room(wanted.room),
        utc=request.app[CLOCK].utc(),
        name=clean_name(wanted.name) or None,
        role=wanted.role,
    )
    scheme = "wss" if client_of_request(request).secure else "ws"
    return json_answer(DevToken(token=token, url=f"{scheme}://{request.host}/ws"))


async def openapi(request: web.Request) -> web.StreamResponse:
    """This API as OpenAPI 3.1."""
    return web.Response(
        body=request.app[OPENAPI], content_type="application/json", headers={"Cache-Control": "no-cache"}
    )


ROUTES = (
    Route("GET", "/api/v1/config", config, "Get the configuration of the page.", answers={200: Config}),
    Route("GET", "/openapi.json", openapi, "Get this document.", answers={200: "application/json"}),
)
DEV_ROUTES = (
    Route(
        "POST",
        "/dev/token",
        dev_token,
        "Get a token. Only with --dev, and only from this machine.",
        answers={200: DevToken},
        body=DevTokenRequest,
        errors=("forbidden", "timeout", "too_large", "unsupported_media_type"),
    ),
)
