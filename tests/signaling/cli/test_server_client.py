import asyncio
import socket

import pytest

from signaling.cli.server_client import ServerClient, client_for
from signaling.refusals import Refusal
from tests.signaling.http.callers import enter, person, service
from tests.signaling.serving import SECRET, served, settings_for


async def asked(client, *order, **options):
    return await asyncio.to_thread(client.ask, *order, **options)


async def test_the_own_secret_is_enough_on_the_machine_of_the_server(tmp_path):
    async with served(tmp_path) as server:
        enter(server, "ana")
        client = client_for(settings_for(tmp_path, port=server.port), None, None)
        assert client.url == f"http://localhost:{server.port}"
        (ana,) = await asyncio.to_thread(client.pages, "/api/v1/rooms/den/participants")
        assert ana["identity"] == "ana"
        _, trail = await person(server, role="operator").ask("GET", "/api/v1/rooms/den/audit")
        assert trail["items"] == []
        await asked(client, "POST", "/api/v1/rooms/den/moderation", {"action": "mute", "identity": "ana"})
        _, trail = await person(server, role="operator").ask("GET", "/api/v1/rooms/den/audit")
        assert [(one["actor"], one["actor_role"]) for one in trail["items"]] == [("cli", "operator")]


async def test_a_key_from_a_flag_goes_before_one_from_the_settings(tmp_path):
    async with served(tmp_path) as server:
        good, weak = await service(server, "room.list"), await service(server, "room.read")
        settings = settings_for(tmp_path, server_url=f"http://{server.host}/", api_key=weak.bearer)
        assert (await asked(client_for(settings, None, good.bearer), "GET", "/api/v1/rooms"))["items"] == []
        with pytest.raises(Refusal, match="forbidden") as caught:
            await asked(client_for(settings, None, None), "GET", "/api/v1/rooms")
        assert caught.value.exit_code == 2


async def test_all_pages_are_read(tmp_path):
    async with served(tmp_path) as server:
        operator = person(server, role="operator")
        for number in range(3):
            await operator.ask("POST", "/api/v1/rooms", {"name": str(number)})
        client = client_for(settings_for(tmp_path), f"http://{server.host}", operator.bearer)
        assert len(await asyncio.to_thread(client.pages, "/api/v1/rooms", {"limit": "1"})) == 3


def test_without_a_key_and_without_a_secret_there_is_nothing_to_show(tmp_path):
    with pytest.raises(Refusal, match="nothing to show") as caught:
        client_for(settings_for(tmp_path, jwt_secret=""), None, None)
    assert (caught.value.exit_code, "--key" in caught.value.remedy) == (2, True)
    assert client_for(settings_for(tmp_path, jwt_secret="", dev=True), None, None).url == "http://127.0.0.1:0"
    assert (tmp_path / "dev_secret").exists()


def test_a_server_that_is_not_there_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = ServerClient(f"http://127.0.0.1:{taken.getsockname()[1]}", SECRET)
        with pytest.raises(Refusal, match="does not answer") as caught:
            client.ask("GET", "/")
    assert (caught.value.exit_code, "parley serve" in caught.value.remedy) == (1, True)


def test_what_speaks_no_http_is_said():
    with socket.create_server(("127.0.0.1", 0)) as other:
        client = ServerClient(f"http://127.0.0.1:{other.getsockname()[1]}", SECRET)

        def hang_up():
            line, _ = other.accept()
            line.recv(1024)
            line.sendall(b"220 mail\r\n\r\n")
            line.close()

        import threading

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Refusal, match="does not answer"):
            client.ask("GET", "/")
        thread.join()
