"""Signaling over plain HTTP by nothing but curl, on a real server; media by a client that shares no code with ours."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.client import VoiceClient
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

MANUAL = Path(__file__).parents[2] / "docs" / "protocol.md"
JSON = "Content-Type: application/json"


class CurlClient(VoiceClient):
    """A person whose signaling is curl's. `last` is the number of the last event read, `numbers` has them all."""

    def __init__(self, url: str, name: str, **options: Any) -> None:
        super().__init__(url, name=name, **options)
        self.api = f"{url}/api/v1/rooms/{self.room}"
        self.header = ""
        self.last = 0
        self.numbers: list[int] = []
        self.statuses: list[int] = []

    async def curl(self, url: str, *options: str, body: object = None) -> dict[str, Any]:
        """The JSON of an answer; its status is the last of `statuses`."""
        sent = [] if body is None else ["-H", JSON, "-d", json.dumps(body)]
        command = ["curl", "-sS", "-w", "\n%{http_code}", *options, *sent, url]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        text = (await process.communicate())[0].decode()
        answer, _, status = text.rpartition("\n")
        self.statuses.append(int(status))
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    async def request(self, type_: str, **payload: object) -> dict[str, Any]:
        """Send a message, and give the payload of its answer."""
        given = {key: value for key, value in payload.items() if value is not None}
        if type_ == "join":
            del given["room"]
            answer = await self.curl(f"{self.api}/join", "-H", f"Authorization: Bearer {self.token}", body=given)
            self.header = f"Parley-Session: {answer['session']}.{answer['secret']}"
            self.last = answer["seq"]
            self.received.append(("joined", answer["joined"]))
            return dict(answer["joined"])
        if type_ == "leave":
            answer = await self.curl(f"{self.api}/leave", "-X", "POST", "-H", self.header)
        else:
            answer = await self.curl(f"{self.api}/signal", "-H", self.header, body={"type": type_, "payload": given})
        return dict(answer.get("payload", answer))

    @asynccontextmanager
    async def events(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """The stream, from where the one before it ended."""
        command = ["curl", "-sSN", "-H", self.header, "-H", f"Last-Event-ID: {self.last}", f"{self.api}/events"]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        reader = asyncio.create_task(self._read_events(process))
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reader

    async def _read_events(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(b"data: "):
                envelope = json.loads(line.removeprefix(b"data: "))
                self.last = envelope["seq"]
                self.numbers.append(self.last)
                self.received.append((envelope["type"], envelope["payload"]))
                self._changed.set()

    async def _open_socket(self) -> None:
        answer = await self.curl(f"{self.url}/dev/token", body={"name": self.name, "room": self.room})
        self.token = answer["token"]

    def bodies(self) -> list[str]:
        """The chat messages that came, in order."""
        return [payload["body"] for type_, payload in self.received if type_ == "message"]


async def test_a_whole_life_by_curl_alone(parley_server: ServerProcess, require: Callable[[str], Path]) -> None:
    require("curl")
    url = parley_server.url
    async with VoiceClient(url, name="Ben", frequency=700) as ben, CurlClient(url, "Ana", frequency=440) as ana:
        async with ana.events() as stream:
            await asyncio.gather(ana.heard(700), ben.heard(440))
            await ana.until(lambda: ana.participants()["Ana"]["state"] == "active", "Ana is told that she is active")
            await ben.request("message", topic="chat", body="one")
            await ana.until(lambda: ana.bodies() == ["one"], "a message came")
            stream.kill()
            await stream.wait()
        for body in ("two", "three"):
            await ben.request("message", topic="chat", body=body)
        async with ana.events() as stream:
            await ana.until(lambda: ana.bodies() == ["one", "two", "three"], "what was missed came, in order and once")
            kept = sorted(set(ana.numbers))
            assert ana.numbers == kept
            assert (await ana.request("mute"))["participant"]["self_mute"] is True
            await ben.silent(440)
            await ben.until(lambda: ben.participants()["Ana"]["self_mute"], "Ana is seen muted")
            await ana.request("unmute")
            await ben.heard(440)
            assert (await ana.request("message", topic="chat", body="four"))["from"] == ana.id
            assert (await ana.request("dance"))["code"] == "unknown_type"
            assert ana.statuses[-1] == 400
            assert (await ana.request("ping", seq_ack=ana.last))["seq_ack"] is not None
            assert (await ana.request("leave"))["reason"] == "client_initiated"
            async with asyncio.timeout(PATIENCE):
                assert await stream.wait() == 0, "the server ended the stream"
        await ben.until(lambda: "Ana" not in ben.participants(), "Ana has gone")
        await ben.silent(440)
        assert (await ana.request("ping"))["code"] == "unauthenticated"
        assert ana.statuses[-1] == 401


def test_the_lines_of_the_manual_work_when_pasted(
    parley_server: ServerProcess, require: Callable[[str], Path], tmp_path: Path
) -> None:
    require("curl")
    shell = shutil.which("sh")
    assert shell is not None
    section = MANUAL.read_text(encoding="utf-8").split("## Over plain HTTP")[1]
    lines = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0]
    assert lines.startswith("PARLEY=http://127.0.0.1:8080\n")
    script = "set -e\n" + lines.replace("http://127.0.0.1:8080", parley_server.url)
    done = subprocess.run(
        [shell, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stderr == ""
    signs = ('"type":"message"', '"self_mute":true', '"type":"pong"', '"reason":"client_initiated"', "event: message")
    assert [sign for sign in signs if sign not in done.stdout] == [], done.stdout
