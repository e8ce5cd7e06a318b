import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from signaling.errors import BadKey
from signaling.identity import jwks_source
from signaling.identity.jwks_source import FileSource, JwksWatcher, UrlSource
from signaling.identity.keys import KeyRing
from tests.signaling.certificates import make_certificate
from tests.signaling.identity.forging import b64, claims, sign_ed, sign_rsa
from tests.signaling.identity.test_jwks import ED_JWK, RSA_JWK, document

FIRST, SECOND = document(ED_JWK), document(ED_JWK, RSA_JWK)
OF_R1 = sign_rsa({"alg": "RS256", "kid": "r1"}, claims())
OF_E1 = sign_ed({"alg": "EdDSA", "kid": "e1"}, claims())


class FakeSource:
    """Gives what it holds; raises it where that is an error."""

    name = "fake"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.read_times = 0
        self.gate: asyncio.Event | None = None
        self.begun: asyncio.Queue[int] = asyncio.Queue()

    async def read(self) -> bytes | None:
        self.read_times += 1
        self.begun.put_nowait(self.read_times)
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def kept(
    source: Any, time: Time | None = None, interval: float = 3600.0
) -> AsyncIterator[tuple[JwksWatcher, KeyRing]]:
    """A watcher that has looked once and runs."""
    ring = KeyRing()
    watcher = JwksWatcher(ring, source, time or Time(), interval=interval, least_interval=30.0)
    await watcher.look()
    task = asyncio.create_task(watcher.run())
    await asyncio.sleep(0)
    yield watcher, ring
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_unknown_kid_is_looked_for_once_and_not_again_too_soon() -> None:
    time, source = Time(), FakeSource(FIRST, SECOND)
    async with kept(source, time) as (watcher, ring):
        await watcher.prepare(OF_R1)
        assert (source.read_times, ring.current.knows("r1")) == (1, False)
        time.now += 30
        await watcher.prepare(OF_R1)
        assert (source.read_times, ring.current.knows("r1")) == (2, True)
        time.now += 29
        await watcher.prepare(sign_rsa({"alg": "RS256", "kid": "made up"}, claims()))
        assert source.read_times == 2


@pytest.mark.parametrize(
    "token", [OF_E1, sign_ed({"alg": "EdDSA"}, claims()), "nonsense", f"{b64({'alg': 'none'})}.a.b"]
)
async def test_a_token_that_names_no_unknown_key_asks_for_nothing(token: str) -> None:
    time, source = Time(), FakeSource(FIRST)
    async with kept(source, time) as (watcher, _):
        time.now += 3600
        await watcher.prepare(token)
        assert source.read_times == 1


async def test_all_who_wait_share_one_look_and_who_needs_none_does_not_wait() -> None:
    time, source = Time(), FakeSource(FIRST, SECOND)
    async with kept(source, time) as (watcher, ring):
        time.now += 60
        source.gate = asyncio.Event()
        waiting = [asyncio.create_task(watcher.prepare(OF_R1)) for _ in range(5)]
        assert [await source.begun.get(), await source.begun.get()] == [1, 2]
        await watcher.prepare(OF_E1)
        assert not any(task.done() for task in waiting)
        source.gate.set()
        await asyncio.gather(*waiting)
        assert (source.read_times, ring.current.knows("r1")) == (2, True)


async def test_who_waits_does_so_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks_source, "TIME_LIMIT", 0.001)
    time, source = Time(), FakeSource(FIRST)
    async with kept(source, time) as (watcher, _):
        time.now += 60
        source.gate = asyncio.Event()
        await watcher.prepare(OF_R1)
        assert source.read_times == 2


async def test_it_looks_again_by_itself() -> None:
    source = FakeSource(FIRST, SECOND)
    async with kept(source, interval=0.001) as (_, ring):
        assert [await source.begun.get() for _ in range(3)] == [1, 2, 3]
        assert ring.current.knows("r1")


@pytest.mark.parametrize(
    "failure",
    [
        BadKey("broken"),
        OSError("gone"),
        aiohttp.ClientError("refused"),
        TimeoutError(),
        b"nonsense",
        document(),
        document({"kty": "oct", "k": "AAAA"}),
    ],
)
async def test_a_source_that_fails_leaves_the_last_good_set_in_force_and_is_said(failure: object) -> None:
    ring = KeyRing()
    watcher = JwksWatcher(ring, FakeSource(SECOND, failure, FIRST), Time(), interval=1.0, least_interval=1.0)
    assert await watcher.look()
    with capture_logs() as lines:
        assert not await watcher.look()
    assert (lines[0]["event"], lines[0]["source"]) == ("key_set_not_read", "fake")
    assert lines[0]["reason"]
    assert ring.current.knows("r1")
    assert await watcher.look()
    assert not ring.current.knows("r1")


async def test_what_has_not_changed_is_not_read() -> None:
    watcher = JwksWatcher(KeyRing(), FakeSource(FIRST, None), Time(), interval=1.0, least_interval=1.0)
    with capture_logs() as lines:
        assert [await watcher.look(), await watcher.look()] == [True, False]
    assert [line["event"] for line in lines] == ["key_set_read"]


async def test_a_file_is_read_where_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(FIRST)
    source = FileSource(file)
    assert [await source.read(), await source.read()] == [FIRST, None]
    replacement = tmp_path / "new.json"
    replacement.write_bytes(SECOND)
    replacement.replace(file)
    assert await source.read() == SECOND
    file.unlink()
    with pytest.raises(OSError, match=r"keys\.json"):
        await source.read()


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(tls: ssl.SSLContext | None = None, **handlers: Handler) -> AsyncIterator[str]:
    """A web server with a handler for each path."""
    app = web.Application()
    for path, handler in handlers.items():
        app.router.add_get(f"/{path}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def good(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=FIRST, content_type="application/json")


def redirect(location: str) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": location})

    return handler


async def test_a_url_is_fetched_over_https(tmp_path: Path) -> None:
    make_certificate(tmp_path / "c.pem", tmp_path / "k.pem", "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    async with answering(tls, keys=good) as base:
        trust = ssl.create_default_context(cafile=tmp_path / "c.pem")
        assert await UrlSource(f"{base}/keys", trust).read() == FIRST
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await UrlSource(f"{base}/keys").read()


async def test_a_redirect_on_the_same_host_is_followed() -> None:
    async with answering(a=redirect("/b"), b=redirect("keys"), keys=good) as base:
        assert await UrlSource(f"{base}/a").read() == FIRST


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/keys",
        "https://localhost/keys",
        "http://evil.example/keys",
        "//evil.example/keys",
        "file:///etc/passwd",
        "http://[broken",
        "http://localhost:99999/",
    ],
)
async def test_a_redirect_to_anywhere_else_is_not(location: str) -> None:
    async with answering(a=redirect(location)) as base:
        with pytest.raises(BadKey) as caught:
            await UrlSource(f"{base}/a").read()
        assert "another host" in caught.value.message


async def test_redirects_end() -> None:
    async with answering(a=redirect("/a")) as base:
        with pytest.raises(BadKey):
            await UrlSource(f"{base}/a").read()


async def huge(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b" " * 65_536)
    except ConnectionError:
        return response


async def missing(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=404, body=FIRST)


async def packed(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(("handler", "says"), [(huge, "bytes"), (missing, "404"), (packed, "compressed")])
async def test_an_answer_that_is_none_is_refused(handler: Handler, says: str) -> None:
    async with answering(a=handler) as base:
        with pytest.raises(BadKey) as caught:
            await UrlSource(f"{base}/a").read()
        assert says in caught.value.message


async def test_a_host_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks_source, "TIME_LIMIT", 0.05)
    stuck = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        await stuck.wait()
        return web.Response()

    async with answering(a=never) as base:
        with pytest.raises(TimeoutError):
            await UrlSource(f"{base}/a").read()
        stuck.set()


async def test_nothing_of_the_environment_decides_where_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with answering(keys=good) as base:
        assert json.loads(await UrlSource(f"{base}/keys").read() or b"") == json.loads(FIRST)
