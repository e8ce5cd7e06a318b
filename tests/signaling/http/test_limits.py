import asyncio
import json
import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from signaling.http.client_address import client_of
from signaling.http.headers import CLIENT
from signaling.http.limits import Buckets, limit_time
from tests.signaling.serving import served, settings_for


def test_a_bucket_holds_a_minute_and_refills():
    buckets = Buckets(60)
    assert [buckets.take("a", 0.0) for _ in range(61)] == [0.0] * 60 + [pytest.approx(1.0)]
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 1.0) == 0.0
    assert buckets.take("a", 1.5) == pytest.approx(0.5)
    assert all(buckets.take("a", 1000.0) == 0.0 for _ in range(60))
    assert buckets.take("a", 1000.0) > 0


def test_addresses_in_memory_are_bounded():
    buckets = Buckets(1)
    for number in range(10_001):
        buckets.take(str(number), 0.0)
    assert buckets.take("0", 0.0) == 0.0
    assert buckets.take("10000", 0.0) > 0.0


async def test_the_api_is_limited_and_pages_and_probes_are_not(tmp_path):
    async with served(tmp_path, rate_limit_rpm=2) as server:
        assert [(await server.ask("/api/v1/config"))[0].status for _ in range(3)] == [200, 200, 429]
        response, body = await server.ask("/api/v1/config")
        assert json.loads(body)["code"] == "rate_limited"
        assert 1 <= int(response.headers["Retry-After"]) <= 30
        assert (await server.ask("/live"))[0].status == 200
        assert (await server.ask("/none"))[0].status == 404


async def test_people_behind_a_trusted_proxy_are_counted_apart(tmp_path):
    async with served(tmp_path, rate_limit_rpm=1, trusted_proxies=["127.0.0.1"]) as server:
        for address in ("198.51.100.1", "198.51.100.2"):
            response, _ = await server.ask("/api/v1/config", headers={"X-Forwarded-For": address})
            assert response.status == 200
        response, _ = await server.ask("/api/v1/config", headers={"X-Forwarded-For": "198.51.100.1"})
        assert response.status == 429


async def test_a_client_that_does_not_take_its_answer_is_cut_off(tmp_path):
    async def large(_request):
        return web.Response(body=b"x" * (64 << 20))

    ended = asyncio.Event()

    @web.middleware
    async def watch(request, handler):
        request[CLIENT] = client_of("127.0.0.1", {}, (), tls=False)
        response = await handler(request)
        ended.set()
        return response

    app = web.Application(middlewares=[watch, limit_time(settings_for(tmp_path, write_timeout=0.1))])
    app.router.add_get("/", large)
    async with TestServer(app) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.port))
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await asyncio.wait_for(ended.wait(), 5)
