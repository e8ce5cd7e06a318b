"""The management interface of a real server, and the commands beside it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.support.client import VoiceClient
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

PARLEY = Path(sys.executable).with_name("parley")


def ask(server: ServerProcess, bearer: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of an answer; of a refusal its code."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    try:
        with urlopen(Request(f"{server.url}/api/v1{path}", data, headers, method=method), timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["code"]


def run(server: ServerProcess, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What a command says, one object a line."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "PYTHON"))}
    ended = subprocess.run(
        [PARLEY, *arguments, "--json"],
        env={**inherited, **server.settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert ended.returncode == code, ended.stderr + ended.stdout
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_service_and_an_operator_at_the_keyboard_run_a_room(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        (key,) = run(server, "apikey", "create", "--name", "game", "--scope", "token.issue", "--scope", "participant.*")
        secret = str(key["key"])
        status, issued = ask(server, secret, "POST", "/tokens", {"identity": "ana", "room": "den"})
        assert status == 201
        token = issued["token"]
        status, joined = ask(server, token, "POST", "/rooms/den/join", {})
        assert status == 200, joined
        ((ana),) = run(server, "room", "participants", "den", "--dev")
        assert (ana["identity"], ana["mute"]) == ("ana", False)
        run(server, "participant", "mute", "ana", "--room", "den", "--for", "5m", "--dev")
        status, page = ask(server, secret, "GET", "/rooms/den/participants")
        assert (status, page["items"][0]["mute"]) == (200, True)
        (ban,) = run(server, "ban", "add", "ana", "--room", "den", "--reason", "noise", "--dev")
        assert run(server, "participant", "list", "den", "--dev") == []
        assert ask(server, token, "GET", "/rooms/den/participants") == (403, "banned")
        server.stop()
        server.start()
        assert ask(server, token, "GET", "/rooms/den/participants")[0] in (401, 403), (
            "neither the ban nor the kick is forgotten"
        )
        (kept,) = run(server, "ban", "list", "--room", "den", "--dev")
        assert kept == ban
        run(server, "ban", "lift", str(ban["id"]), "--room", "den", "--dev")
        status, trail = ask(server, _operator(server), "GET", "/rooms/den/audit")
        acts = [(one["action"], one["actor"]) for one in trail["items"]]
        assert acts == [("participant.unban", "cli"), ("participant.ban", "cli"), ("participant.mute", "cli")]
        status, past = ask(server, secret, "GET", "/rooms/den/participants/history")
        assert [(one["identity"], one["leave_reason"]) for one in past["items"]] == [("ana", "banned")]
        run(server, "apikey", "revoke", str(key["id"]))
        (refused,) = run(server, "participant", "list", "den", "--key", "parley_none", code=2)
        assert set(refused) == {"error", "why", "remedy"}


async def test_a_dashboard_sees_who_speaks_and_what_arrives(parley_server: ServerProcess) -> None:
    (key,) = run(parley_server, "apikey", "create", "--name", "wall", "--scope", "room.watch")
    async with (
        VoiceClient(parley_server.url, name="Ana", frequency=440) as ana,
        VoiceClient(parley_server.url, name="Ben", frequency=700) as ben,
    ):
        await ana.heard(700)
        await ben.heard(440)
        await ben.request("mute")
        await ana.silent(700)
        path = f"/rooms/{ana.room}/live"
        status, view = await asyncio.to_thread(ask, parley_server, str(key["key"]), "GET", path)
        assert status == 200, view
        seen = {one["name"]: one for one in view["participants"]}
        assert [(name, one["muted"], one["speaking"]) for name, one in seen.items()] == [
            ("Ana", False, True),
            ("Ben", True, False),
        ]
        assert 0.1 < seen["Ana"]["level"] < 0.6, view
        assert seen["Ben"]["level"] == 0, view
        assert all(20 < one["packets_per_second"] < 80 for one in seen.values()), view


def _operator(server: ServerProcess) -> str:
    (made,) = run(server, "token", "create", "--dev", "--room", "x", "--identity", "ops", "--role", "operator")
    return str(made["token"])
