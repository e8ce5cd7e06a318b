"""The composition root: creates the parts of the server, opens them in order, and closes them in reverse."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from signaling.api import openapi
from signaling.call.state import Records
from signaling.carriers.gateway import Gateway
from signaling.carriers.look_up import DatabaseLookUp
from signaling.carriers.service_keys import ServiceKeys
from signaling.clock import SYSTEM_CHANCE, SYSTEM_CLOCK, Clock
from signaling.history.room_sweeper import RoomSweeper
from signaling.history.writer import HistoryWriter
from signaling.http import app_keys
from signaling.http import files as http_files
from signaling.http import probes as http_probes
from signaling.http.app_keys import (
    CLOCK,
    COURIER,
    GATEWAY,
    MEDIA,
    METRICS,
    OPENAPI,
    READINESS,
    SENDER,
    SETTINGS,
    TOKENS,
    Media,
)
from signaling.http.headers import check_origin, client_address, identify, security_headers
from signaling.http.idempotency import KeptAnswers
from signaling.http.limits import limit_rate, limit_time
from signaling.http.problems import problems
from signaling.http.routes import KEPT_ANSWERS, add_routes
from signaling.identity.jwks_source import JwksWatcher
from signaling.identity.passwords import Passwords
from signaling.models import unbuilt
from signaling.operating.listening import bind_http, close_all, media_refusal
from signaling.operating.metrics import Metrics
from signaling.operating.public_address import advertise, query
from signaling.operating.readiness import Readiness, Watchers
from signaling.operating.tls import CertificateWatcher, make_context
from signaling.operating.token_keys import make_ring, make_tokens, make_watcher
from signaling.protocol.client_messages import ClientPayload
from signaling.settings.parts import call_settings, database_settings
from signaling.settings.settings import Settings
from signaling.storage import webhooks
from signaling.storage.database import Database
from signaling.storage.migrate import prepare
from signaling.webhooks.courier import Courier
from signaling.webhooks.sender import Sender

if TYPE_CHECKING:
    from sfu.observer import MediaObserver

BODY_LIMIT = 256 * 1024
_PUBLIC_ADDRESS_RETRY = 30.0
_BETWEEN_MODELS = 0.01
"""Seconds between two model builds, left to calls and requests."""

_log = structlog.get_logger("signaling.app")
MediaFactory = Callable[[Settings, "MediaObserver"], Media]
Announce = Callable[[web.Application, int], None]


def build_app(
    settings: Settings, *, make_media: MediaFactory | None = None, clock: Clock = SYSTEM_CLOCK
) -> web.Application:
    """Create the application. Its `cleanup_ctx` opens the parts. `make_media` replaces the media server.

    Raises Refusal for unusable settings.
    """
    ring = make_ring(settings)
    tokens = make_tokens(settings, ring)
    watcher = make_watcher(settings, ring, clock.now)
    database, passwords = Database(database_settings(settings), clock.now), Passwords()
    history = HistoryWriter(database, settings.data_dir, settings.node_name, clock, SYSTEM_CHANCE)
    gateway = Gateway(
        call_settings(settings),
        tokens,
        client_address=client_address,
        records=Records(history.deny_list, history.chronicle),
        look_up=DatabaseLookUp(database, passwords, watcher, clock),
        clock=clock,
    )
    media = (make_media or _media_server)(settings, gateway.observer)
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=_middlewares(settings))
    app[SETTINGS] = settings
    app[TOKENS] = tokens
    app[GATEWAY] = gateway
    app[MEDIA] = media
    app[CLOCK] = clock
    app[app_keys.DATABASE] = database
    app[app_keys.HISTORY], app[app_keys.SPOOL] = history, history.spool
    app[app_keys.SERVICE_KEYS] = ServiceKeys(database, clock)
    app[KEPT_ANSWERS], app[app_keys.WATCHERS] = KeptAnswers(), Watchers()
    app[app_keys.PASSWORDS] = passwords
    app[READINESS] = Readiness(clock.now())
    _add_courier(app)
    _add_metrics(app)
    _add_routes(app)
    app.on_response_prepare.append(security_headers(settings))
    app.on_shutdown.append(_drain)
    app.cleanup_ctx.extend([_database, _history, _passwords, _media, _gateway])
    app.cleanup_ctx.extend([_public_address, _webhooks, _room_sweeper, _models])
    _add_key_set(app, watcher)
    _add_tls(app)
    return app


def _middlewares(settings: Settings) -> list[Middleware]:
    """Return the middlewares, outermost first."""
    return [
        identify(settings),
        limit_time(settings),
        http_probes.count_requests,
        problems,
        check_origin(settings),
        limit_rate(settings),
    ]


async def serve(app: web.Application, announce: Announce) -> None:
    """Open the ports, call `announce` with the HTTP port when joins are possible, and run until SIGTERM or SIGINT.

    Raises Refusal if a port cannot be bound.
    """
    settings = app[SETTINGS]
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sockets = bind_http(settings.http_hosts, settings.port)
    runner = make_runner(app)
    try:
        await runner.setup()
        for one in sockets:
            await web.SockSite(runner, one, ssl_context=app.get(app_keys.TLS)).start()
        announce(app, sockets[0].getsockname()[1])
        await stop.wait()
        _log.info("stopping", seconds=settings.shutdown_timeout)
    finally:
        await runner.cleanup()
        close_all(sockets)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def make_runner(app: web.Application) -> web.AppRunner:
    """aiohttp's runner with our time limits: headers must be complete `read_timeout` after the connection opens."""
    settings = app[SETTINGS]
    return web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=settings.read_timeout,
        lingering_time=min(settings.read_timeout, 2.0),
        shutdown_timeout=settings.shutdown_timeout,
    )


def run(app: web.Application, announce: Announce) -> None:
    """Run `serve` on its own event loop, uvloop if available."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(app, announce))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _add_routes(app: web.Application) -> None:
    app[OPENAPI] = openapi.PATH.read_bytes()
    add_routes(app, openapi.all_routes(dev=app[SETTINGS].dev))
    app.router.add_get("/ws", app[GATEWAY].handle)
    http_files.add_files(app, http_files.read_files())


def _media_server(settings: Settings, observer: "MediaObserver") -> Media:
    from sfu.server import MediaServer  # noqa: PLC0415 - heavy: only where media is really served
    from sfu.settings import MediaSettings  # noqa: PLC0415

    return MediaServer(
        MediaSettings(
            port=settings.media_port,
            bind=settings.media_bind,
            advertise=settings.media_advertise,
            loopback=settings.loopback_only,
            slots=settings.slots,
        ),
        observer,
    )


async def _database(app: web.Application) -> AsyncIterator[None]:
    """Open the database with the tables of this version, before all else. Raises Refusal if it is unusable."""
    database = app[app_keys.DATABASE]
    try:
        await prepare(database)
        yield
    finally:
        await database.close()


async def _history(app: web.Application) -> AsyncIterator[None]:
    """Open the history before the first join, and close it after the last participant has left."""
    try:
        await app[app_keys.HISTORY].open()
        yield
    finally:
        await app[app_keys.HISTORY].close(app[SETTINGS].shutdown_timeout)


def _add_key_set(app: web.Application, watcher: JwksWatcher | None) -> None:
    if watcher is not None:
        app[app_keys.KEY_SET] = watcher
        app.cleanup_ctx.append(_key_set)


def _add_tls(app: web.Application) -> None:
    settings = app[SETTINGS]
    if settings.tls_certificate and settings.tls_key:
        app[app_keys.TLS] = make_context(settings.tls_certificate, settings.tls_key)
        app.cleanup_ctx.append(_certificate_watcher)


def _add_metrics(app: web.Application) -> None:
    parts = (app[MEDIA].observation, app[GATEWAY], app[app_keys.HISTORY], app[COURIER])
    app[METRICS] = Metrics(*((part.counters, part.gauges) for part in parts))


def _add_courier(app: web.Application) -> None:
    settings = app[SETTINGS]
    app[SENDER] = Sender(seconds=settings.webhook_timeout, allow_private=settings.webhook_allow_private)
    keep = timedelta(days=settings.event_retention_days)
    app[COURIER] = Courier(app[app_keys.DATABASE], app[SENDER], app[CLOCK], SYSTEM_CHANCE, keep=keep)


async def _webhooks(app: web.Application) -> AsyncIterator[None]:
    """Deliver events to webhooks. The next start repeats an attempt that the shutdown interrupted."""
    url, secret = app[SETTINGS].webhook_url, app[SETTINGS].webhook_secret.get_secret_value()
    async with app[app_keys.DATABASE].transaction() as connection:
        await webhooks.keep_settings(connection, url, secret, app[CLOCK].utc())
    async with app[SENDER]:
        task = asyncio.create_task(app[COURIER].run(), name="webhooks")
        yield
        await _end(task)


async def _passwords(app: web.Application) -> AsyncIterator[None]:
    yield
    app[app_keys.PASSWORDS].close()


async def _media(app: web.Application) -> AsyncIterator[None]:
    from sfu.errors import PortUnavailable  # noqa: PLC0415

    try:
        await app[MEDIA].start()
    except PortUnavailable as error:
        raise media_refusal(app[SETTINGS].media_port, error.message) from error
    yield
    await app[MEDIA].close()


async def _gateway(app: web.Application) -> AsyncIterator[None]:
    app[GATEWAY].start(app[MEDIA])
    yield
    await app[GATEWAY].close()


async def _drain(app: web.Application) -> None:
    """Notify load balancers and participants first, while the server still answers."""
    app[READINESS].draining = True
    await app[GATEWAY].close()


async def _public_address(app: web.Application) -> AsyncIterator[None]:
    """Advertise the public address. If STUN gives no answer, retry in the background."""
    settings, media = app[SETTINGS], app[MEDIA]
    local = media.advertised
    asking: asyncio.Task[None] | None = None
    if settings.public_address == "auto":
        if found := await query(settings.stun_servers):
            media.set_advertised(advertise(found, local))
        else:
            asking = asyncio.create_task(_ask_until_found(app, local), name="public-address")
    elif settings.public_address:
        media.set_advertised(advertise(settings.public_address, local))
    yield
    if asking:
        await _end(asking)


async def _ask_until_found(app: web.Application, local: tuple[str, ...]) -> None:
    while True:
        await asyncio.sleep(_PUBLIC_ADDRESS_RETRY)
        if found := await query(app[SETTINGS].stun_servers):
            app[MEDIA].set_advertised(advertise(found, local))
            _log.info("public_address_found", public=found)
            return


async def _room_sweeper(app: web.Application) -> AsyncIterator[None]:
    """Run the sweeper of temporary rooms."""
    sweeper = RoomSweeper(app[app_keys.DATABASE], app[GATEWAY], app[CLOCK], SYSTEM_CHANCE, app[COURIER].wake)
    task = asyncio.create_task(sweeper.run(), name="room-keeper")
    yield
    await _end(task)


async def _models(app: web.Application) -> AsyncIterator[None]:
    """Build the models that the start has deferred, one by one in the background."""
    task = asyncio.create_task(_build_models(), name="models")
    yield
    await _end(task)


async def _build_models() -> None:
    for model in list(unbuilt(ClientPayload)) + list(unbuilt()):
        await asyncio.sleep(_BETWEEN_MODELS)
        model.model_rebuild()


async def _key_set(app: web.Application) -> AsyncIterator[None]:
    """Read the key set of the other token issuer, and keep it up to date. A failed source delays nothing else."""
    watcher = app[app_keys.KEY_SET]
    await watcher.look()
    task = asyncio.create_task(watcher.run(), name="key-set")
    yield
    await _end(task)


async def _certificate_watcher(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    assert settings.tls_certificate is not None
    assert settings.tls_key is not None
    watcher = CertificateWatcher(app[app_keys.TLS], settings.tls_certificate, settings.tls_key)
    task = asyncio.create_task(watcher.run(), name="certificate-watcher")
    yield
    await _end(task)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel an owned task and await it. Its failure is logged."""
    task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    if isinstance(outcome, Exception):
        _log.error("task_failed", task=task.get_name(), exc_info=outcome)
