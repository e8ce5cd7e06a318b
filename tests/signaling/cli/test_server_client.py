import asyncio
import socket
from typing import get_args

import pytest

from signaling.cli.server_client import (
    ACTS,
    ServerClient,
    ban_line,
    bans_path,
    check_url,
    client_for,
    participant_line,
    refusal_of,
    room_path,
    unreachable,
)
from signaling.errors import BadSettings, Refusal
from signaling.protocol.client_messages import ModerateAction
from tests.signaling.http.callers import enter, person, service
from tests.signaling.serving import SECRET, served, settings_for

URL = "http://localhost:8080"


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://host", "http://", "http://host?x=1", "http://a:b@host"])
def test_what_is_no_address_of_a_server(url: str) -> None:
    with pytest.raises(BadSettings, match="not the address"):
        check_url(url)


def test_an_address_may_have_a_path() -> None:
    assert check_url("https://host/parley/") == "https://host/parley"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "bad_message", 2),
        (401, "token_invalid", 2),
        (403, "forbidden", 2),
        (404, "no_such_participant", 2),
        (409, "room_full", 2),
        (429, "rate_limited", 1),
        (503, "storage_unavailable", 1),
    ],
)
def test_a_refusal_says_what_why_and_what_next(status: int, code: str, exit_code: int) -> None:
    refusal = refusal_of(status, {"code": code, "title": "T", "detail": "because", "request_id": "r1"}, URL)
    assert (refusal.why, refusal.exit_code) == ("because", exit_code)
    assert code in refusal.what or str(status) in refusal.what
    assert refusal.remedy


def test_what_is_no_parley_server_is_said() -> None:
    refusal = refusal_of(404, {}, URL)
    assert (refusal.exit_code, "Parley server" in refusal.remedy) == (1, True)
    assert unreachable(URL, "refused").exit_code == 1


def test_names_of_rooms_stay_in_their_place_of_the_path() -> None:
    assert room_path("../bans?x") == "/api/v1/rooms/..%2Fbans%3Fx"
    assert (bans_path(None), bans_path("den")) == ("/api/v1/bans", "/api/v1/rooms/den/bans")


def test_each_act_of_the_protocol_is_a_command() -> None:
    assert ACTS.keys() | {"move"} == set(get_args(ModerateAction))


def test_lines_for_people() -> None:
    person = dict.fromkeys(("self_mute", "mute", "deaf", "suppressed"), False)
    named = {"id": "p", "identity": "ana", "name": "Ana", "role": "member", **person}
    assert participant_line(named | {"mute": True}) == "p  ana  Ana  member  mute"
    ban = {"id": "b", "identity": "ana", "expires_at": None, "created_by": "mod", "reason": ""}
    assert ban_line(ban) == "b  ana  for good  by mod"


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
    with pytest.raises(Refusal, match="no credentials") as caught:
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
