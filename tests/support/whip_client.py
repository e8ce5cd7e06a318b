"""Clients of WHIP and WHEP that share nothing with ours: aiohttp for the offer, aiortc for media; GStreamer; FFmpeg."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from tests.signaling.certificates import make_certificate
from tests.support.client import CONVINCED, Payload, VoiceClient
from tests.support.patience import PATIENCE
from tests.support.tones import TOLERANCE, loudest_tone

GSTREAMER = Path(__file__).with_name("gst_whip.py")
FFMPEG = Path(__file__).with_name("ffmpeg_whip.py")
RATE = 48_000
WINDOW_OCTETS = 4096
FRAGMENT = "application/trickle-ice-sdpfrag"


class WhipClient(VoiceClient):
    """One resource, for the length of a context: with a voice it publishes, without one it listens by `slots` lines.

    `headers` are those of the answer to the offer.
    """

    def __init__(self, url: str, name: str, *, frequency: float = 0.0, slots: int = 1) -> None:
        super().__init__(url, name=name, frequency=frequency, slots=0 if frequency else slots)
        self.endpoint = f"{url}/api/v1/rooms/{self.room}/{'whip' if frequency else 'whep'}"
        self.headers: Any = {}
        self.offer = ""

    async def open(self) -> None:
        """Have a token."""
        self._http = aiohttp.ClientSession()
        if self.token is None:
            self.token = await dev_token(self._http, self.url, self.name, self.room)

    async def _enter(self) -> Payload:
        return {"participant": {"id": ""}}

    async def request(self, type_: str, **payload: object) -> Payload:
        """`offer` by POST, `leave` by DELETE; there is nothing else to say."""
        if type_ == "offer":
            self.offer = str(payload["sdp"])
            status, self.headers, text = await self.ask("POST", self.endpoint, self.offer, "application/sdp")
            assert status == 201, text
            return {"sdp": text}
        assert type_ == "leave"
        status, _, text = await self.ask("DELETE", self.resource)
        assert status == 200, text
        return {}

    async def restart(self, ufrag: str, password: str) -> str:
        """Ask for an ICE restart with these parameters; the fragment that answers it."""
        body = f"m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n"
        status, _, text = await self.ask("PATCH", self.resource, body, FRAGMENT, If_Match="*")
        assert status == 200, text
        return text

    async def ask(self, method: str, url: str, body: str = "", kind: str = "", **more: str) -> tuple[int, Any, str]:
        """Status, headers and body of an answer."""
        assert self._http is not None
        headers = {"Authorization": f"Bearer {self.token}", **({"Content-Type": kind} if kind else {})}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        data = body.encode() if kind else None
        async with self._http.request(method, url, data=data, headers=headers) as answer:
            return answer.status, answer.headers, await answer.text()

    @property
    def resource(self) -> str:
        """The URL of the resource."""
        return f"{self.url}{self.headers['Location']}"


async def dev_token(http: aiohttp.ClientSession, url: str, name: str, room: str, **more: str) -> str:
    """A token of a server that runs with `--dev`."""
    async with http.post(f"{url}/dev/token", json={"name": name, "room": room, **more}) as answer:
        answer.raise_for_status()
        return str((await answer.json())["token"])


class Program:
    """GStreamer's webrtcbin, or FFmpeg, in a process of its own; `lines` are what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def heard(self, frequency: float) -> None:
        """Read what it hears until this voice was the loudest of some windows."""
        found, end = 0, time.monotonic() + PATIENCE
        assert self.process.stdout is not None
        last: float | None = None
        async with asyncio.timeout(PATIENCE):
            while found < CONVINCED and time.monotonic() < end:
                octets = await self.process.stdout.readexactly(WINDOW_OCTETS)
                last = loudest_tone(np.frombuffer(octets, "<i2") / 32768, RATE)
                found += last is not None and abs(last - frequency) < TOLERANCE
        assert found >= CONVINCED, f"{frequency} Hz not heard, but {last}; {self.lines}"

    async def leave(self) -> None:
        """Have it end its session, and wait until it has."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await self.process.wait()


@contextlib.asynccontextmanager
async def gstreamer(python: Path, *arguments: str) -> AsyncIterator[Program]:
    """Run it; see `gst_whip.py` for the arguments."""
    async with _running(python, GSTREAMER, *arguments) as client:
        yield client


@contextlib.asynccontextmanager
async def ffmpeg(folder: Path, url: str, token: str, frequency: float) -> AsyncIterator[Program]:
    """Publish a tone by FFmpeg's own client of WHIP.

    It is given a certificate: the one that it makes by itself where it was built with GnuTLS has a key on secp224r1,
    which OpenSSL takes from nobody who has not asked for it.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make_certificate(certificate, key, "ffmpeg")
    arguments = (url, token, str(frequency), str(certificate), str(key))
    async with _running(Path(sys.executable), FFMPEG, *arguments) as client:
        yield client


@contextlib.asynccontextmanager
async def _running(python: Path, script: Path, *arguments: str) -> AsyncIterator[Program]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(python, script, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
    client = Program(process)
    reader = asyncio.create_task(_read(process, client.lines))
    try:
        yield client
    finally:
        if process.returncode is None:
            process.kill()
        assert process.stdout is not None
        await asyncio.gather(reader, process.stdout.read(), process.wait())


async def _read(process: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert process.stderr is not None
    while line := await process.stderr.readline():
        lines.append(line.decode(errors="replace").rstrip())
