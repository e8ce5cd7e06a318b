"""A client that costs little, so that a crowd of them fits into a test: WebSocket, the peer of the benches, back-off.

It comes back by itself when its line is lost, as the SDK does.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from bench.peer import Habits, Peer
from tests.support.patience import PATIENCE

FIRST, LAST = 0.4, 5.0
"""Seconds of the first stage of the back-off, and of the longest, as in parley.js."""

Payload = dict[str, Any]


def back_off(attempt: int, luck: float) -> float:
    """Seconds before an attempt, counted from 0: the rule of `backOff` in parley.js."""

    def stage(number: int) -> float:
        return 0.0 if number < 0 else min(LAST, FIRST * 2**number)

    return (1 - luck) * stage(attempt - 1) + luck * stage(attempt)


class LightClient:
    """One person. `came_at` has the monotonic time of each attempt that brought it in, `ids` the participant
    id that it got.

    `luck`, 0 to 1, is its place in every stage of the back-off; the SDK draws it. `refusals` has the codes of what the
    server refused; `tries` counts the attempts since the line was lost.
    """

    def __init__(self, url: str, room: str, name: str, luck: float, changed: Callable[[], None]) -> None:
        self.url, self.room, self.name, self.luck = url, room, name, luck
        self.peer: Peer | None = None
        self.came_at: list[float] = []
        self.ids: list[str] = []
        self.refusals: list[str] = []
        self.people: dict[str, str] = {}
        self.up = False
        self.tries = 0
        self._token = ""
        self._changed = changed
        self._leaving = asyncio.get_running_loop().create_future()

    async def live(self, http: aiohttp.ClientSession) -> None:
        """Join, stay, and come back whenever the line is lost, until `leave` is called."""
        attempt = 0
        while not self._leaving.done():
            joins = len(self.came_at)
            self.tries = attempt
            self._changed()
            try:
                await self._be_there(http)
            except (aiohttp.ClientError, OSError, TimeoutError, LookupError):
                pass
            finally:
                self.up = False
                if self.peer is not None:
                    self.peer.close(politely=self._leaving.done())
                self._changed()
            if len(self.came_at) > joins:
                attempt = 0
            await asyncio.wait((self._leaving,), timeout=back_off(attempt, self.luck))
            attempt += 1

    def leave(self) -> None:
        """End it."""
        if not self._leaving.done():
            self._leaving.set_result(None)

    async def _be_there(self, http: aiohttp.ClientSession) -> None:
        """One line, from its opening to its end."""
        came = time.monotonic()
        if not self._token:
            async with http.post(f"{self.url}/dev/token", json={"name": self.name, "room": self.room}) as response:
                response.raise_for_status()
                self._token = (await response.json())["token"]
        protocols = ("parley.v1", f"parley.token.{self._token}")
        async with http.ws_connect(f"{self.url}/ws", protocols=protocols) as socket:
            await self._ask(socket, 1, "join", room=self.room)
            self.came_at.append(came)
            self._changed()
            self.peer = Peer(habits=Habits(keep=False))
            await self.peer.connect(lambda sdp: self._offer(socket, sdp))
            self.up = True
            self._changed()
            reading = asyncio.ensure_future(self._read_on(socket))
            await asyncio.wait((reading, self._leaving), return_when=asyncio.FIRST_COMPLETED)
            await socket.close()
            await reading

    async def _offer(self, socket: aiohttp.ClientWebSocketResponse, sdp: str) -> str:
        return str((await self._ask(socket, 2, "offer", sdp=sdp))["sdp"])

    async def _read_on(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            self._take(json.loads(frame.data))

    async def _ask(self, socket: aiohttp.ClientWebSocketResponse, number: int, kind: str, **payload: object) -> Payload:
        """Send one request; the payload of its answer. Raises ConnectionError where the server refuses or goes."""
        await socket.send_json({"type": kind, "id": number, "payload": payload})
        async with asyncio.timeout(PATIENCE):
            async for frame in socket:
                message = json.loads(frame.data)
                self._take(message)
                if message.get("id") == number:
                    if message["type"] == "error":
                        self.refusals.append(message["payload"]["code"])
                        raise ConnectionError(f"{kind} was refused: {message['payload']}")
                    answer: Payload = message["payload"]
                    return answer
        raise ConnectionResetError("the line has ended")

    def _take(self, message: Payload) -> None:
        """Keep who is here."""
        kind, payload = message["type"], message.get("payload", {})
        if kind == "joined":
            self.ids.append(payload["participant"]["id"])
            self.people = {one["id"]: one["name"] for one in payload["participants"]}
        elif kind in ("participant-joined", "participant-updated"):
            self.people[payload["participant"]["id"]] = payload["participant"]["name"]
        elif kind == "participant-left":
            self.people.pop(payload["participant"], None)
        else:
            return
        self._changed()


class Crowd:
    """So many light clients in one room, with their lucks dealt out evenly."""

    def __init__(self, url: str, room: str, size: int) -> None:
        self._event = asyncio.Event()
        self.clients = [
            LightClient(url, room, f"person-{number}", (number + 0.5) / size, self._event.set) for number in range(size)
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(one.live(self._http), name=one.name) for one in self.clients]
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self.clients:
            one.leave()
        await asyncio.gather(*self._tasks)
        await self._http.close()

    async def until(self, condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
        """Wait until `condition` holds; it is looked at whenever a client has news. Raises TimeoutError."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._event.clear()
                    await self._event.wait()
        except TimeoutError:
            there = sum(one.up for one in self.clients)
            raise TimeoutError(f"not within {within} s: {what}; {there} of {len(self.clients)} are there") from None
