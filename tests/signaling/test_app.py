import asyncio
import os
import signal
import socket
import sqlite3
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from sfu.errors import PortUnavailable
from signaling import app as composition
from signaling.app import BODY_LIMIT, build_app, run, serve
from signaling.cli import database
from signaling.errors import ClientMistake, PortTaken, Refusal
from signaling.history import room_sweeper
from signaling.http.app_keys import DATABASE, MEDIA, READINESS, TOKENS
from signaling.operating import token_keys
from tests.signaling.certificates import make_certificate
from tests.signaling.http.callers import person
from tests.signaling.identity.forging import NOW, claims, sign_ed, sign_rsa
from tests.signaling.identity.test_jwks import ED_JWK, RSA_JWK, document
from tests.signaling.serving import RememberingMedia, answering, served, settings_for
from tests.support.house import eventually
from tests.support.patience import PATIENCE


async def test_what_is_opened_is_closed_in_reverse(tmp_path):
    async with served(tmp_path) as server:
        assert (server.media.started, server.media.closed) == (1, 0)
        assert not server.app[READINESS].draining
    assert server.media.closed == 1
    assert server.app[READINESS].draining


async def test_the_public_address_is_advertised_first(tmp_path):
    async with served(tmp_path, public_address="198.51.100.7") as server:
        assert server.app[MEDIA].advertised == ("198.51.100.7", "127.0.0.1", "::1")


async def test_the_public_address_is_asked_for(tmp_path, monkeypatch):
    async def found(servers):
        return "198.51.100.8" if servers == ("stun:192.0.2.1:3478",) else None

    monkeypatch.setattr(composition, "query", found)
    async with served(tmp_path, public_address="auto", stun_servers=["192.0.2.1"]) as server:
        assert server.app[MEDIA].advertised[0] == "198.51.100.8"


async def test_a_public_address_not_found_is_asked_for_again(tmp_path, monkeypatch):
    answers = iter([None, None, "198.51.100.9"])

    async def later(_servers):
        return next(answers)

    monkeypatch.setattr(composition, "query", later)
    monkeypatch.setattr(composition, "_PUBLIC_ADDRESS_RETRY", 0.001)
    async with served(tmp_path, public_address="auto", stun_servers=["192.0.2.1"]) as server:
        await asyncio.wait_for(server.media.told.wait(), PATIENCE)
        assert server.app[MEDIA].advertised[0] == "198.51.100.9"


async def test_a_task_that_died_is_said_when_it_is_taken():
    async def broken():
        raise RuntimeError("broken")

    task = asyncio.create_task(broken(), name="some-work")
    await asyncio.wait([task])
    with capture_logs() as lines:
        await composition._end(task)
    assert lines[0]["event"] == "task_failed"
    assert lines[0]["task"] == "some-work"


async def test_a_taken_media_port_is_a_refusal_with_a_remedy(tmp_path):
    media = RememberingMedia()
    media.fails = PortUnavailable("port_unavailable", "another process uses this port")
    app = build_app(settings_for(tmp_path), make_media=lambda _settings, _observer: media)
    with pytest.raises(PortTaken) as caught:
        await serve(app, lambda _app, _port: None)
    assert "UDP port 7882" in caught.value.what
    assert "ss -lunp" in caught.value.remedy


async def test_a_taken_http_port_is_a_refusal_and_opens_nothing(tmp_path):
    media = RememberingMedia()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_for(tmp_path, port=taken.getsockname()[1])
        app = build_app(settings, make_media=lambda _settings, _observer: media)
        with pytest.raises(PortTaken):
            await serve(app, lambda _app, _port: None)
    assert media.started == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_until_it_is_told_to_stop(tmp_path, number):
    media = RememberingMedia()
    app = build_app(settings_for(tmp_path), make_media=lambda _settings, _observer: media)
    ports = []

    def announce(_app, port):
        ports.append(port)
        os.kill(os.getpid(), number)

    run(app, announce)
    assert ports[0] > 0
    assert media.closed == 1


async def test_https_is_served_with_the_certificate(tmp_path):
    make_certificate(tmp_path / "c.pem", tmp_path / "k.pem", "localhost")
    settings = settings_for(tmp_path, tls_certificate=tmp_path / "c.pem", tls_key=tmp_path / "k.pem")
    media = RememberingMedia()
    app = build_app(settings, make_media=lambda _settings, _observer: media)
    ports: asyncio.Queue[int] = asyncio.Queue()
    serving = asyncio.create_task(serve(app, lambda _app, port: ports.put_nowait(port)))
    port = await ports.get()
    trust = ssl.create_default_context(cafile=tmp_path / "c.pem")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"https://localhost:{port}/live", ssl=trust, headers={"Host": "voice.example"}) as response,
    ):
        assert response.status == 200
        assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    os.kill(os.getpid(), signal.SIGTERM)
    await serving


async def test_a_key_set_is_read_at_the_start_and_kept_up_to_date(tmp_path, monkeypatch):
    monkeypatch.setattr(token_keys, "FILE_POLL_SECONDS", 0.001)
    file = tmp_path / "keys.json"
    file.write_bytes(document(ED_JWK))
    async with served(tmp_path, jwks_file=file) as server:
        tokens = server.app[TOKENS]
        assert tokens.verify(sign_ed({"alg": "EdDSA", "kid": "e1"}, claims()), NOW).identity == "ana"
        replacement = tmp_path / "new.json"
        replacement.write_bytes(document(RSA_JWK))
        replacement.replace(file)
        rotated = sign_rsa({"alg": "RS256", "kid": "r1"}, claims())
        await eventually(lambda: _taken(tokens, rotated))
        assert not _taken(tokens, sign_ed({"alg": "EdDSA", "kid": "e1"}, claims()))


def _taken(tokens, token):
    try:
        return tokens.verify(token, NOW)
    except ClientMistake:
        return None


async def test_a_key_that_the_issuer_has_changed_is_fetched_with_the_first_token_that_names_it(tmp_path):
    published = [document(ED_JWK)]

    async def key_set(_request):
        return web.Response(body=published[0], content_type="application/json")

    issuer = web.Application()
    issuer.router.add_get("/keys", key_set)
    async with (
        answering(issuer) as port,
        served(tmp_path, jwks_url=f"http://127.0.0.1:{port}/keys", jwks_least_interval=0.001) as server,
    ):
        now = int(datetime.now(UTC).timestamp())
        said = claims(exp=now + 600, iat=now, nbf=now, video={"room": "den", "roomJoin": True})
        first, second = sign_ed({"alg": "EdDSA", "kid": "e1"}, said), sign_rsa({"alg": "RS256", "kid": "r1"}, said)

        async def told(token):
            headers = {"Authorization": f"Bearer {token}"}
            return (await server.ask("/api/v1/rooms/den/participants", headers=headers))[0].status

        async def welcomed(token):
            protocols = ("parley.v1", f"parley.token.{token}")
            async with server.session.ws_connect(f"http://{server.host}/ws", protocols=protocols) as line:
                return (await line.receive_json(timeout=PATIENCE))["type"]

        assert [await told(first), await told(second)] == [200, 401]
        published[0] = document(RSA_JWK)
        assert await welcomed(second) == "welcome"
        assert [await told(first), await told(second)] == [401, 200]
        published[0] = document(ED_JWK)
        assert [await told(first), await told(second), await welcomed(second)] == [200, 401, "error"]


async def test_a_key_set_that_cannot_be_fetched_does_not_stop_the_start(tmp_path):
    async with served(tmp_path, jwks_url="http://127.0.0.1:1/keys") as server:
        response, _ = await server.ask("/live")
        assert response.status == 200


async def test_a_body_over_the_limit_is_refused(tmp_path):
    async with served(tmp_path, dev=True) as server:
        body = b'{"name": "' + b"x" * BODY_LIMIT + b'"}'
        response, answer = await server.ask(
            "/dev/token", "POST", data=body, headers={"Content-Type": "application/json"}
        )
        assert response.status == 413
        assert b'"too_large"' in answer


async def test_headers_that_do_not_come_in_time_end_the_connection(tmp_path):
    async with served(tmp_path, read_timeout=0.1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        await writer.wait_closed()


def test_the_real_media_server_is_built_from_the_settings(tmp_path):
    app = build_app(settings_for(tmp_path, media_port=0))
    assert app[MEDIA].addresses == ()


async def test_the_first_start_makes_the_database_and_the_next_one_finds_it(tmp_path):
    for _ in range(2):
        media = RememberingMedia()
        app = build_app(settings_for(tmp_path / "data"), make_media=lambda _settings, _observer, media=media: media)
        runner = composition.make_runner(app)
        await runner.setup()
        await app[DATABASE].ping()
        await runner.cleanup()
    told = await asyncio.to_thread(database.look, settings_for(tmp_path / "data"))
    assert told["state"] == "current"


async def test_a_newer_database_is_a_refusal_and_opens_nothing(tmp_path):
    settings, media = settings_for(tmp_path), RememberingMedia()
    await asyncio.to_thread(database.upgrade, settings)
    with sqlite3.connect(tmp_path / "parley.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    app = build_app(settings, make_media=lambda _settings, _observer: media)
    with pytest.raises(Refusal, match="newer than this version"):
        await serve(app, lambda _app, _port: None)
    assert media.started == 0


async def test_a_damaged_database_is_a_refusal_and_opens_nothing(tmp_path):
    (tmp_path / "parley.db").write_bytes(b"This is a letter, and no database at all. " * 100)
    media = RememberingMedia()
    app = build_app(settings_for(tmp_path), make_media=lambda _settings, _observer: media)
    with pytest.raises(Refusal, match="damaged"):
        await serve(app, lambda _app, _port: None)
    assert media.started == 0


async def test_a_temporary_room_is_deleted_by_the_running_server(tmp_path, monkeypatch):
    monkeypatch.setattr(room_sweeper, "SWEEP_SECONDS", 0.01)
    async with served(tmp_path, rate_limit_rpm=1_000_000) as server:
        operator = person(server, role="operator")
        for name, temporary in (("gone", True), ("stays", False)):
            order = {"name": name, "id": name, "is_temporary": temporary, "empty_timeout": 0}
            assert await operator.status("POST", "/api/v1/rooms", order) == 201
        async with asyncio.timeout(PATIENCE):
            while await operator.status("GET", "/api/v1/rooms/gone") != 404:
                pass
        assert await operator.status("GET", "/api/v1/rooms/stays") == 200
