"""Rooms of a real server, over plain HTTP, through a restart."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

PARLEY = Path(sys.executable).with_name("parley")


def ask(server: ServerProcess, token: str, method: str, path: str, body: object = None) -> tuple[int, object]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        with urlopen(
            Request(f"{server.url}/api/v1/rooms{path}", data, headers, method=method), timeout=PATIENCE
        ) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["code"]


def test_a_room_with_a_password_outlasts_a_restart(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        command = [PARLEY, "token", "create", "--dev", "--room", "den", "--identity", "ana", "--role", "operator"]
        environment = {**os.environ, **server.settings}
        token = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        status, made = ask(server, token, "POST", "", {"id": "den", "name": "The den", "password": "sesame"})
        assert status == 201
        assert "sesame" not in json.dumps(made)
        server.stop()
        server.start()
        assert ask(server, token, "GET", "/den") == (200, made)
        assert ask(server, token, "DELETE", "/den") == (204, None)
        assert ask(server, token, "GET", "/den") == (404, "not_found")
