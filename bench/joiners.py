"""The clients of `bench.join` in a process of their own: each has a WebSocket to the real server and a real peer."""

import asyncio
import itertools
import json
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import uvloop

from bench.peer import Habits, Peer

PACKETS = 25
"""The packets that each participant sends: half a second at 20 ms."""

PACKET_SECONDS = 0.02
ROOM_SECONDS = 0.3
"""Time between the beginnings of two rooms that talk."""

PAYLOAD = bytes(80)
HEARD_WITHIN = 10.0

Login = tuple[int, str, str]
"""Number of the room, its name, name of the person."""


class SignalLine:
    """A client's side of `/ws`. What comes unasked is read and dropped, so that the server's queue stays empty."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take over an open WebSocket."""
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def ask(self, kind: str, **payload: object) -> dict[str, Any]:
        """Send one request; the payload of its answer. Raises ConnectionError where the server refuses."""
        number = next(self._ids)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"type": kind, "id": number, "payload": payload})
        async with asyncio.timeout(HEARD_WITHIN):
            answer = await future
        if answer["type"] == "error":
            raise ConnectionError(f"{kind} was refused: {answer['payload']}")
        payload_back: dict[str, Any] = answer["payload"]
        return payload_back

    async def offer(self, sdp: str) -> str:
        """The answer to an offer."""
        return str((await self.ask("offer", sdp=sdp))["sdp"])

    async def close(self) -> None:
        """Close the socket, and wait for the reading to end."""
        await self._socket.close()
        await self._reading

    async def _read(self) -> None:
        async for frame in self._socket:
            if frame.type is aiohttp.WSMsgType.TEXT:
                message = json.loads(frame.data)
                future = self._answers.pop(message.get("id"), None)
                if future is not None and not future.done():
                    future.set_result(message)


class Joiner:
    """One person: joins, talks, stays."""

    def __init__(self, session: aiohttp.ClientSession, url: str, login: Login) -> None:
        """Prepare."""
        self.room, self._room_name, self._name = login
        self._session = session
        self._url = url
        self._token = ""
        self._line: SignalLine | None = None
        self.peer: Peer | None = None
        self.seconds = 0.0

    async def fetch_token(self) -> None:
        """A token, as the page of `--dev` gets one."""
        body = {"name": self._name, "room": self._room_name}
        async with self._session.post(f"{self._url}/dev/token", json=body) as response:
            response.raise_for_status()
            self._token = (await response.json())["token"]

    async def join(self) -> None:
        """Enter the room and connect; `seconds` is from `offer` to keys agreed."""
        protocols = ("parley.v1", f"parley.token.{self._token}")
        socket = await self._session.ws_connect(f"{self._url}/ws", protocols=protocols)
        self._line = SignalLine(socket)
        await self._line.ask("join", room=self._room_name)
        self.peer = Peer(habits=Habits(keep=False))
        await self.peer.connect(self._line.offer)
        self.seconds = self.peer.connected_at - self.peer.offered_at
        self.peer.send(PAYLOAD)  # as a browser does: the microphone is on from the start

    async def talk(self, start: float) -> None:
        """Say something from loop time `start` on, and report on what was heard."""
        assert self.peer is not None
        loop = asyncio.get_running_loop()
        for number in range(PACKETS):
            await asyncio.sleep(start + number * PACKET_SECONDS - loop.time())
            self.peer.send(PAYLOAD)
        self.peer.report()

    async def is_connected(self) -> bool:
        """Whether the server still answers its checks, and audio of others has come."""
        peer = self.peer
        assert peer is not None
        responses = peer.responses
        peer.check()
        await peer.until(lambda: peer.responses > responses)
        return peer.dtls is not None and peer.dtls.state == "connected" and len(peer.counts) > 0

    async def close(self) -> None:
        """Leave."""
        if self.peer is not None:
            self.peer.close()
        if self._line is not None:
            await self._line.close()


def run(pipe: Connection, url: str, logins: Sequence[Login], at_once: int) -> None:
    """Be these people; the pipe says when to do what, and gets what came of it."""
    uvloop.run(_run(pipe, url, logins, at_once))


async def _run(pipe: Connection, url: str, logins: Sequence[Login], at_once: int) -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        people = [Joiner(session, url, login) for login in logins]
        gate = asyncio.Semaphore(at_once)

        async def join(person: Joiner) -> None:
            async with gate:
                await person.join()

        for person in people:
            await person.fetch_token()
        pipe.send("ready")
        while (order := await loop.run_in_executor(None, pipe.recv)) != "close":
            if order == "join":
                await asyncio.gather(*(join(person) for person in people))
                pipe.send([person.seconds for person in people])
            elif order == "talk":
                start = loop.time() + ROOM_SECONDS
                await asyncio.gather(*(person.talk(start + person.room * ROOM_SECONDS) for person in people))
                pipe.send(len(people))
            elif order == "count":
                pipe.send(sum(await asyncio.gather(*(person.is_connected() for person in people))))
        await asyncio.gather(*(person.close() for person in people))
    pipe.send("closed")
