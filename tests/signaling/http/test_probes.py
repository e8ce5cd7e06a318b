import json
from types import SimpleNamespace

from signaling.errors import StorageUnavailable
from signaling.http import probes
from signaling.http.app_keys import DATABASE, READINESS
from tests.signaling.serving import served


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
