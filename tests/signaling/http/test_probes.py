import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import WSServerHandshakeError

from signaling.errors import StorageUnavailable
from signaling.http import probes
from signaling.http import probes as module
from signaling.http.app_keys import DATABASE, READINESS
from signaling.operating.readiness import CHECKS, MOST_WATCHERS_OF_ADDRESS, PINGS_AT_ONCE
from tests.signaling.serving import STANDING_CLOCK, Served, served
from tests.support.patience import PATIENCE


async def test_live_depends_on_nothing(tmp_path):
    async with served(tmp_path) as server:
        server.app[READINESS].draining = True
        server.media.addresses = ()
        response, body = await server.ask("/live")
        assert (response.status, json.loads(body)) == (200, {"status": "live"})
        assert response.headers["Cache-Control"] == "no-store"


async def test_ready_says_each_check_with_state_and_age(tmp_path):
    async with served(tmp_path) as server:
        for path in ("/ready", "/health"):
            response, body = await server.ask(path)
            answer = json.loads(body)
            assert (response.status, answer["status"]) == (200, "ready")
            assert set(answer["checks"]) == {"media_socket", "accepting", "loop_lag", "database", "disk"}
            assert all(check["state"] == "ok" and check["age_seconds"] >= 0 for check in answer["checks"].values())


async def test_not_ready_is_503_with_the_same_body(tmp_path):
    async with served(tmp_path) as server:
        server.media.lag = 2.0
        response, body = await server.ask("/ready")
        answer = json.loads(body)
        assert (response.status, answer["status"]) == (503, "not_ready")
        assert answer["checks"]["loop_lag"]["state"] == "failing"
        server.media.lag = 0.0
        server.app[READINESS].draining = True
        _, body = await server.ask("/ready")
        assert json.loads(body)["checks"]["accepting"]["state"] == "failing"


async def test_a_full_disk_is_not_ready_and_a_folder_that_is_not_there_yet_is_on_its_parents(tmp_path, monkeypatch):
    assert probes.free_bytes(tmp_path / "not" / "yet") > 0
    async with served(tmp_path) as server:
        monkeypatch.setattr(probes.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=0))
        response, body = await server.ask("/ready")
        assert (response.status, json.loads(body)["checks"]["disk"]["detail"]) == (503, "0 MiB free")

        def gone(_folder):
            raise OSError("gone")

        monkeypatch.setattr(probes.shutil, "disk_usage", gone)
        assert json.loads((await server.ask("/ready"))[1])["checks"]["disk"]["state"] == "failing"
        assert (await server.ask("/live"))[0].status == 200


async def test_metrics_tell_of_media_signaling_and_http(tmp_path):
    async with served(tmp_path) as server:
        await server.ask("/live")
        await server.ask("/none")
        response, body = await server.ask("/metrics")
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = body.decode()
        assert 'parley_media_packets_total{direction="in"} 3.0' in text
        assert 'parley_signaling_objects{kind="sockets"} 0.0' in text
        assert 'parley_http_requests_total{method="GET",route="/live",status="200"} 1.0' in text
        assert 'parley_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text


async def test_metrics_are_for_the_networks_that_were_chosen(tmp_path):
    async with served(tmp_path, metrics_networks=["10.0.0.0/8"]) as server:
        assert (await server.ask("/metrics"))[0].status == 403
    async with served(tmp_path) as server:
        # A proxy that is not trusted stands before the server: everybody would look like this machine.
        assert (await server.ask("/metrics", headers={"X-Forwarded-For": "8.8.8.8"}))[0].status == 403


async def test_metrics_can_be_switched_off(tmp_path):
    async with served(tmp_path, metrics_enabled=False) as server:
        assert (await server.ask("/metrics"))[0].status == 404


async def test_without_its_database_a_node_is_not_ready_and_says_no_more_of_it(tmp_path, monkeypatch):
    async def away():
        raise StorageUnavailable("no route to db.internal")

    async with served(tmp_path) as server:
        monkeypatch.setattr(server.app[DATABASE], "ping", away)
        response, body = await server.ask("/ready")
        assert response.status == 503
        assert json.loads(body)["checks"]["database"]["detail"] == "does not answer"
        assert (await server.ask("/live"))[0].status == 200


def watching(server: Served, **options: Any) -> Any:
    return server.session.ws_connect(f"http://{server.host}/health/ws", **options)


async def told(ws: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    message: dict[str, Any] = await ws.receive_json(timeout=PATIENCE)
    assert message["type"] == "health"
    return message


async def ask(server: Served, *names: object, **options: Any) -> tuple[int, dict[str, Any]]:
    response, body = await server.ask("/health/batch", "POST", json={"checks": names}, **options)
    return response.status, json.loads(body)


async def test_the_checks_that_are_named_come_in_one_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        status, answer = await ask(server, "database", "accepting")
        assert (status, answer["status"], set(answer["checks"])) == (200, "ready", {"database", "accepting"})
        server.app[READINESS].draining = True
        status, answer = await ask(server, "accepting", "database")
        assert (status, answer["status"], answer["checks"]["database"]["state"]) == (503, "not_ready", "ok")
        assert (await ask(server, "database"))[0] == 200
        assert set((await ask(server, *CHECKS))[1]["checks"]) == set(CHECKS)


async def test_a_batch_names_checks_that_there_are_and_no_more(tmp_path: Path) -> None:
    async with served(tmp_path, clock=STANDING_CLOCK, rate_limit_rpm=6) as server:
        for names in ((), ("weather",), (1,), CHECKS * 2):
            status, problem = await ask(server, *names)
            assert (status, problem["code"]) == (400, "bad_message")
        assert (await server.ask("/health/batch", "POST", data=b"{}"))[0].status == 415
        assert (await ask(server, "database"))[0] == 200
        assert (await ask(server, "database"))[0] == 429
        assert (await server.ask("/health"))[0].status == 200, "balancers ask as often as they like"


async def test_a_watcher_is_told_at_first_on_change_and_when_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    async with served(tmp_path) as server, watching(server) as ws:
        assert (await told(ws))["payload"]["status"] == "ready"
        server.media.lag = 2.0
        change = await told(ws)
        assert (change["seq"], change["payload"]["checks"]["loop_lag"]["state"]) == (2, "failing")
        await ws.send_str('{"type":"ping","id":"p"}')
        answer = await told(ws)
        assert (answer["id"], answer["payload"]["status"]) == ("p", "not_ready")
        server.app[READINESS].draining = True
        assert (await told(ws))["payload"]["checks"]["accepting"]["state"] == "failing"
        assert (await ws.receive(timeout=PATIENCE)).data == 1001


async def test_whoever_says_something_else_or_asks_too_often_is_closed(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for texts in (["hello"], ['{"type":"ping"}'] * (PINGS_AT_ONCE + 1)):
            async with watching(server) as ws:
                for text in texts:
                    await ws.send_str(text)
                while (message := await ws.receive(timeout=PATIENCE)).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert message.data == 1008
        for flood in ("ping", "pong"):
            async with watching(server) as ws:
                await told(ws)
                for _ in range(PINGS_AT_ONCE + 1):
                    await getattr(ws, flood)()
                assert (await ws.receive(timeout=PATIENCE)).data == 1008
        async with watching(server, autoping=False) as ws:
            await told(ws)
            await ws.ping(b"are you there")
            assert (await ws.receive(timeout=PATIENCE)).data == b"are you there"
        async with watching(server) as ws:
            await told(ws)
            await ws.send_str("x" * 2000)
            assert (await ws.receive(timeout=PATIENCE)).data == 1009


async def test_watchers_are_few_and_foreign_pages_are_none(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        sockets = [await watching(server) for _ in range(MOST_WATCHERS_OF_ADDRESS)]
        with pytest.raises(WSServerHandshakeError) as caught:
            await watching(server)
        assert caught.value.status == 429
        await sockets.pop().close()
        for socket in sockets:
            await told(socket)
        with pytest.raises(WSServerHandshakeError) as caught:
            await watching(server, headers={"Origin": "https://evil.example"})
        assert caught.value.status == 403
        async with watching(server, headers={"Origin": f"http://{server.host}"}) as ws:
            await told(ws)
        for socket in sockets:
            await socket.close()


async def test_what_is_no_websocket_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        response, body = await server.ask("/health/ws")
        assert (response.status, json.loads(body)["code"]) == (400, "bad_message")
