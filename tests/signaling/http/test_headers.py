import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.http.headers import content_security_policy
from signaling.http.origin import is_loopback_host, is_own_origin, is_valid_host, may_connect
from tests.signaling.serving import served


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.8.8.8", "[::1]:80", "a.localhost"])
def test_names_of_this_machine(host):
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::1", "notlocalhost"]
)
def test_other_names_are_not_however_they_resolve(host):
    assert not is_loopback_host(host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://voice.example.org", "voice.example.org"),
        ("https://voice.example.org", "voice.example.org:443"),
        ("http://localhost:8080", "localhost:8080"),
        ("https://Voice.example.org:8443", "voice.example.org:8443"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_own_origins(origin, host):
    assert is_own_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "voice.example.org"),
        ("https://voice.example.org:444", "voice.example.org"),
        ("https://voice.example.org.evil.example", "voice.example.org"),
        ("null", "voice.example.org"),
        ("https://voice.example.org/x", "voice.example.org"),
        ("ftp://voice.example.org", "voice.example.org"),
        ("https://voice.example.org:x", "voice.example.org"),
        ("https://a", "a b"),
    ],
)
def test_other_origins(origin, host):
    assert not is_own_origin(origin, host)


def test_a_browser_may_connect_from_our_page_and_from_allowed_ones():
    allowed = ("https://game.example",)
    assert may_connect("https://v.example", "v.example", (), has_token=False)
    assert may_connect("https://GAME.example", "v.example", allowed, has_token=False)
    assert not may_connect("https://evil.example", "v.example", allowed, has_token=True)


def test_without_origin_the_token_must_come_along():
    assert may_connect(None, "v.example", (), has_token=True)
    assert not may_connect(None, "v.example", (), has_token=False)


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_text_raises(origin, host):
    is_own_origin(origin, host)
    is_loopback_host(host)
    if is_valid_host(host):
        assert not set(host) & set(" ;,'\"\r\n")


OWN = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OTAxMjM0NQ==",
    "Sec-WebSocket-Protocol": "parley.v1",
}


async def test_every_answer_has_the_security_headers(tmp_path):
    async with served(tmp_path) as server:
        for path in ("/live", "/none", "/", "/admin", "/docs", "/api/v1/rooms", "/parley.js"):
            response, _ = await server.ask(path)
            headers = response.headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert "microphone=(self)" in headers["Permissions-Policy"]
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert len(headers["X-Request-Id"]) == 16
            assert "Access-Control-Allow-Origin" not in headers
            assert "Strict-Transport-Security" not in headers
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert f"ws://{server.host}" in headers["Content-Security-Policy"]


def test_a_host_that_could_change_the_policy_is_not_put_into_it():
    assert "evil" not in content_security_policy("evil.example; script-src *")


async def test_hsts_behind_a_trusted_proxy_that_serves_https(tmp_path):
    headers = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "Host": "voice.example"}
    async with served(tmp_path, trusted_proxies=["127.0.0.1"]) as server:
        response, _ = await server.ask("/live", headers={**headers, "X-Request-Id": "from-the-proxy"})
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert response.headers["X-Request-Id"] == "from-the-proxy"
    async with served(tmp_path) as server:
        response, _ = await server.ask("/live", headers={**headers, "X-Request-Id": "from-a-stranger"})
        assert "Strict-Transport-Security" not in response.headers
        assert response.headers["X-Request-Id"] != "from-a-stranger"


async def test_dev_answers_to_the_names_of_this_machine_only(tmp_path):
    async with served(tmp_path, dev=True) as server:
        response, body = await server.ask("/", headers={"Host": f"evil.example:{server.port}"})
        assert response.status == 421
        assert json.loads(body)["code"] == "misdirected"
        assert (await server.ask("/live", headers={"Host": "localhost"}))[0].status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({}, 403),
        ({"Origin": "null", "Authorization": "Bearer x"}, 403),
        ({"Origin": "own"}, 101),
        ({"Origin": "https://game.example"}, 101),
        ({"Sec-WebSocket-Protocol": "parley.v1, parley.token.x"}, 101),
        ({"Authorization": "Bearer x"}, 101),
    ],
)
async def test_who_may_open_a_websocket(tmp_path, headers, status):
    async with served(tmp_path, allowed_origins=["https://game.example"]) as server:
        if headers.get("Origin") == "own":
            headers = {"Origin": f"http://{server.host}"}
        response, _ = await first_line(server, {**OWN, **headers})
        assert response == status


async def first_line(server, headers):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        f"GET /ws HTTP/1.1\r\nHost: {server.host}\r\n",
        *(f"{name}: {value}\r\n" for name, value in headers.items()),
    ]
    writer.write(("".join(lines) + "\r\n").encode())
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1]), line


@pytest.mark.parametrize("path", ["/api/v1/rooms/a%00b", "/api/v1/rooms?search=%00", "/%00", "/live?%00=1"])
async def test_an_address_with_nul_goes_nowhere(tmp_path, path):
    async with served(tmp_path) as server:
        response, body = await server.ask(path)
        assert (response.status, b'"bad_message"' in body) == (400, True)


@pytest.mark.parametrize("path", ["/", "/api/v1/config", "/api/v1/rooms", "/auth/token", "/health/batch", "/metrics"])
async def test_cors_is_closed_by_default(tmp_path, path):
    async with served(tmp_path) as server:
        asked = {"Origin": "https://game.example", "Access-Control-Request-Method": "POST"}
        for method in ("OPTIONS", "GET"):
            response, _ = await server.ask(path, method, headers=asked)
            assert not [name for name in response.headers if name.startswith("Access-Control-")]
            assert response.status != 204


async def test_cors_is_closed_but_for_allowed_origins(tmp_path):
    allowed = "https://game.example"
    async with served(tmp_path, allowed_origins=[allowed]) as server:
        response, _ = await server.ask("/api/v1/config", headers={"Origin": allowed})
        assert response.headers["Access-Control-Allow-Origin"] == allowed
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert response.headers["Vary"] == "Origin"
        preflight, _ = await server.ask("/api/v1/config", "OPTIONS", headers={"Origin": allowed})
        assert preflight.status == 204
        for other in ("https://evil.example", "null"):
            response, _ = await server.ask("/api/v1/config", headers={"Origin": other})
            assert "Access-Control-Allow-Origin" not in response.headers
            response, _ = await server.ask("/api/v1/config", "OPTIONS", headers={"Origin": other})
            assert response.status == 405
