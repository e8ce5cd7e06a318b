"""Typed keys under which handlers find the parts of the application, filled once by `app.build_app`."""

import ssl
from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from signaling.call.state import MediaPort
from signaling.carriers.gateway import Gateway
from signaling.carriers.service_keys import ServiceKeys
from signaling.clock import Clock
from signaling.history.writer import HistoryWriter
from signaling.identity.jwks_source import JwksWatcher
from signaling.identity.passwords import Passwords
from signaling.identity.tokens import Tokens
from signaling.operating.metrics import Metrics
from signaling.operating.readiness import Readiness, Watchers
from signaling.settings.settings import Settings
from signaling.storage.database import Database
from signaling.storage.spool import Spool
from signaling.webhooks.courier import Courier
from signaling.webhooks.sender import Sender


class Media(MediaPort, Protocol):
    """The part of the media server that HTTP and the start use, besides that of the gateway."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that media is bound on."""

    @property
    def advertised(self) -> tuple[str, ...]:
        """The addresses that answers name."""

    @property
    def port(self) -> int:
        """The UDP port."""

    async def start(self) -> None:
        """Bind and run."""

    async def close(self) -> None:
        """End all and unbind."""

    def set_advertised(self, addresses: Sequence[str]) -> None:
        """Name these addresses in answers from now on."""


SETTINGS = web.AppKey("settings", Settings)
MEDIA: web.AppKey[Media] = web.AppKey("media")
GATEWAY = web.AppKey("gateway", Gateway)
TOKENS = web.AppKey("tokens", Tokens)
READINESS = web.AppKey("readiness", Readiness)
WATCHERS = web.AppKey("watchers", Watchers)
METRICS = web.AppKey("metrics", Metrics)
CLOCK = web.AppKey("clock", Clock)
DATABASE = web.AppKey("database", Database)
HISTORY = web.AppKey("keeping", HistoryWriter)
SPOOL = web.AppKey("spool", Spool)
SERVICE_KEYS = web.AppKey("service_keys", ServiceKeys)
SENDER = web.AppKey("sender", Sender)
COURIER = web.AppKey("courier", Courier)
PASSWORDS = web.AppKey("passwords", Passwords)
OPENAPI = web.AppKey("openapi", bytes)
KEY_SET = web.AppKey("key_set", JwksWatcher)
"""Only where others issue tokens, by a file or URL that changes."""
TLS = web.AppKey("tls", ssl.SSLContext)
"""Only where HTTPS is served here."""
