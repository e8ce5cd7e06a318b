import asyncio
import json
import socket

from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request

from signaling.http.client_address import client_of
from signaling.http.headers import CLIENT
from signaling.http.limits import limit_time
from tests.signaling.http.callers import Caller, person, service
from tests.signaling.serving import STANDING_CLOCK, served, settings_for
from tests.support.patience import PATIENCE


async def test_the_api_is_limited_and_pages_and_probes_are_not(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=2) as server:
        assert [(await server.ask("/api/v1/config"))[0].status for _ in range(3)] == [200, 200, 429]
        response, body = await server.ask("/api/v1/config")
        assert json.loads(body)["code"] == "rate_limited"
        assert 1 <= int(response.headers["Retry-After"]) <= 30
        own_page = {"Origin": f"http://{server.host}"}
        assert (await server.ask("/ws", headers=own_page))[0].status == 429, "new WebSockets count too"
        assert (await server.ask("/live"))[0].status == 200
        assert (await server.ask("/none"))[0].status == 404


async def test_people_behind_a_trusted_proxy_are_counted_apart(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=1, trusted_proxies=["127.0.0.1"]) as server:
        for address in ("198.51.100.1", "198.51.100.2"):
            response, _ = await server.ask("/api/v1/config", headers={"X-Forwarded-For": address})
            assert response.status == 200
        response, _ = await server.ask("/api/v1/config", headers={"X-Forwarded-For": "198.51.100.1"})
        assert response.status == 429


async def test_whoever_can_be_made_out_is_counted_apart_from_their_address(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=2) as server:
        nobody, ana, ben = Caller(server, None), person(server), person(server, "ben")
        game = await service(server, "room.read")
        for who in (nobody, ana, ben, game):
            found = [await who.status("GET", "/api/v1/config") for _ in range(3)]
            assert found == [200, 200, 429]
        response, told = await ana.ask("GET", "/api/v1/config")
        assert (told["code"], 1 <= int(response.headers["Retry-After"]) <= 30) == ("rate_limited", True)


async def test_who_is_refused_is_counted_by_address(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=2) as server:
        forged = Caller(server, "x.y.z")
        assert [await forged.status("GET", "/api/v1/config") for _ in range(3)] == [200, 200, 429]
        assert await Caller(server, None).status("GET", "/api/v1/config") == 429


async def test_a_route_may_have_a_limit_of_its_own(tmp_path):
    async with served(tmp_path, clock=STANDING_CLOCK) as server:
        ana, ben = person(server), person(server, "ben")
        order = {"identity": "eve"}
        found = [await ana.status("POST", "/api/v1/tokens", order) for _ in range(121)]
        assert found == [403] * 120 + [429]
        response, _ = await ana.ask("POST", "/api/v1/tokens", order)
        assert response.headers["Retry-After"] == "1"
        assert await ben.status("POST", "/api/v1/tokens", order) == 403
        assert await ana.status("GET", "/api/v1/config") == 200


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
            await asyncio.wait_for(ended.wait(), PATIENCE)


async def test_a_client_that_has_gone_before_its_answer_is_nobodys_mistake(tmp_path, monkeypatch):
    async def gone(*_):
        raise ConnectionResetError("Cannot write to closing transport")

    answer = web.Response(text="too late")
    monkeypatch.setattr(answer, "prepare", gone)

    async def handler(_):
        return answer

    request = make_mocked_request("GET", "/ready")
    assert await limit_time(settings_for(tmp_path))(request, handler) is answer
