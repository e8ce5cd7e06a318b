"""A client of our protocol that shares nothing with ours: aiohttp for `/ws`, aiortc for media, decoded audio as judge.

Importing this module lets aioice, which leaves loopback out, use nothing but loopback in this process.
"""

import asyncio
import contextlib
import re
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import aiohttp
import aioice.ice
import numpy as np
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from tests.support.patience import PATIENCE
from tests.support.tones import LOUDNESS, TOLERANCE, loudest_tone, voice

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"] if use_ipv4 else []

"""Seconds in which whatever a test waits for has to happen."""

AGAIN_AFTER = 0.5
"""Seconds until an overloaded server is asked again."""

QUIET = 1.0
"""Seconds without a tone after which it counts as silent."""

CONVINCED = 4
"""Windows in which a tone must have been the loudest to count as heard."""

WINDOW = 2048
"""Samples that are judged together: 43 ms at 48 kHz."""

ROOM = "kitchen"

Payload = dict[str, Any]


class ServerRefused(Exception):
    """The server answered with `error`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class VoiceTrack(AudioStreamTrack):
    """A microphone: one voice of `frequency` Hz, as loud as `loudness` (0 is silence). aiortc sets the pace."""

    def __init__(self, frequency: float, loudness: float = LOUDNESS) -> None:
        super().__init__()
        self.frequency = frequency
        self.loudness = loudness

    async def recv(self) -> AudioFrame:
        """The next 20 ms."""
        frame = await super().recv()
        samples = voice(self.frequency, frame.pts, frame.samples, frame.sample_rate, self.loudness)
        frame.planes[0].update(samples.tobytes())
        return frame


class VoiceClient:
    """One person in one room, with a voice and ears.

    `tones` has for each slot (by mid) the loudest frequency of every window that was no silence, with its time on the
    monotonic clock. `one_line` speaks and hears through one `sendrecv` line, as ordinary clients do. `media_port` sends
    media elsewhere than the answer says: to a relay.
    """

    def __init__(
        self,
        url: str,
        room: str = ROOM,
        name: str = "",
        *,
        frequency: float = 0.0,
        slots: int = 2,
        one_line: bool = False,
    ) -> None:
        self.url = url
        self.room = room
        self.name = name
        self.microphone = VoiceTrack(frequency) if frequency else None
        self.slots = slots
        self.one_line = one_line
        self.media_port: int | None = None
        self.token: str | None = None
        self.id = ""
        self.tones: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.assigned: dict[str, str | None] = {}
        self.received: list[tuple[str, Payload]] = []
        self.peer: RTCPeerConnection | None = None
        self._changed = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Payload]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.join()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def join(self) -> None:
        """Enter the room and take part in the call; returns when media is connected."""
        await self.open()
        joined = await self._enter()
        self.id = joined["participant"]["id"]
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.peer.on("track", self._take_track)
        self.peer.on("connectionstatechange", self._changed.set)
        if self.microphone is not None:
            self.peer.addTransceiver(self.microphone, direction="sendrecv" if self.one_line else "sendonly")
        for _ in range(0 if self.one_line else self.slots):
            self.peer.addTransceiver("audio", direction="recvonly")
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answer = (await self.request("offer", sdp=self.peer.localDescription.sdp))["sdp"]
        if self.media_port is not None:
            answer = re.sub(r"(?m)^(a=candidate:(?:\S+ ){5})\d+", rf"\g<1>{self.media_port}", answer)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await self.until(lambda: self._media_state == "connected", "media connected")

    async def leave(self) -> None:
        """Leave the room; the socket stays open."""
        await self.request("leave")

    async def close(self) -> None:
        """Give everything back: tracks, peer connection, socket, tasks."""
        if self.microphone is not None:
            self.microphone.stop()
        if self.peer is not None:
            await self.peer.close()
        if self._socket is not None:
            await self._socket.close()
        if self._http is not None:
            await self._http.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # signaling

    async def _enter(self) -> Payload:
        """`join`, again and again while the server is overloaded: other tests may have this machine busy."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self.request("join", room=self.room, display_name=self.name or None)
                except ServerRefused as refused:
                    if refused.code != "overloaded":
                        raise
                asyncio.get_running_loop().call_later(AGAIN_AFTER, self._changed.set)
                self._changed.clear()
                await self._changed.wait()

    async def request(self, type_: str, **payload: object) -> Payload:
        """Send a message and give the payload of its answer. Raises ServerRefused for `error`."""
        assert self._socket is not None
        id_ = str(len(self._answers) + 1)
        answer = self._answers[id_] = asyncio.get_running_loop().create_future()
        given = {key: value for key, value in payload.items() if value is not None}
        await self._socket.send_json({"type": type_, "id": id_, "payload": given})
        async with asyncio.timeout(PATIENCE):
            return await answer

    def participants(self) -> dict[str, Payload]:
        """Who is in the room, by name, from all that the server told so far."""
        people: dict[str, Payload] = {}
        for type_, payload in self.received:
            if type_ in ("joined", "participants"):
                people = {one["id"]: one for one in payload["participants"]}
            elif type_ in ("participant-joined", "participant-updated"):
                people[payload["participant"]["id"]] = payload["participant"]
            elif type_ == "participant-left":
                people.pop(payload["participant"], None)
        return {one["name"]: one for one in people.values()}

    async def open(self) -> None:
        """Connect to signaling, and be welcome there; in no room yet. Raises ServerRefused."""
        self._http = aiohttp.ClientSession()
        if self.token is None:
            wanted = {"name": self.name, "room": self.room}
            # A client at the same machine that is no browser states no origin.
            async with self._http.post(f"{self.url}/dev/token", json=wanted) as answer:
                answer.raise_for_status()
                self.token = (await answer.json())["token"]
        protocols = ("parley.v1", f"parley.token.{self.token}")
        self._socket = await self._http.ws_connect(f"{self.url}/ws", protocols=protocols)
        self._own(self._read())
        await self.until(lambda: self.received, "an answer to the token")
        type_, payload = self.received[0]
        if type_ == "error":
            raise ServerRefused(payload["code"], payload["message"])

    async def _read(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            envelope = message.json()
            type_, payload = envelope["type"], envelope.get("payload", {})
            if type_ == "slots":
                self.assigned = {slot["mid"]: slot["participant"] for slot in payload["slots"]}
            self.received.append((type_, payload))
            answer = self._answers.get(envelope.get("id"))
            if answer is not None and not answer.done():
                if type_ == "error":
                    answer.set_exception(ServerRefused(payload["code"], payload["message"]))
                else:
                    answer.set_result(payload)
            self._changed.set()

    # hearing

    async def heard(self, frequency: float, within: float = PATIENCE) -> None:
        """Wait until this voice is heard, from now on."""
        start = time.monotonic()
        await self.until(lambda: len(self._times(frequency, start)) >= CONVINCED, f"{frequency:.0f} Hz heard", within)

    async def silent(self, frequency: float, within: float = PATIENCE) -> None:
        """Wait until this voice has not been heard for a second."""
        end = time.monotonic() + within
        while (since := time.monotonic()) < end:
            try:
                await self.until(partial(self._times, frequency, since), "", QUIET)
            except TimeoutError:
                return
        raise AssertionError(f"{self.name}: {frequency:.0f} Hz did not fall silent; {self._account()}")

    async def until(self, condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
        """Wait until `condition` holds; it is looked at whenever something was received. Raises TimeoutError."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{self.name}: not within {within} s: {what}; {self._account()}") from None

    def _times(self, frequency: float, since: float) -> list[float]:
        tones = (one for tones in self.tones.values() for one in tones)
        return [at for at, heard in tones if at > since and abs(heard - frequency) < TOLERANCE]

    def _account(self) -> str:
        last = {mid: [round(heard) for _, heard in tones[-5:]] for mid, tones in self.tones.items()}
        return f"media {self._media_state}, slots {self.assigned}, last heard by mid: {last}"

    @property
    def _media_state(self) -> str:
        return self.peer.connectionState if self.peer is not None else "none"

    def _take_track(self, track: MediaStreamTrack) -> None:
        assert self.peer is not None
        mid = next(one.mid for one in self.peer.getTransceivers() if one.receiver.track is track)
        self._own(self._listen(mid, track))

    async def _listen(self, mid: str, track: MediaStreamTrack) -> None:
        waiting = np.zeros(0)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                channels = len(frame.layout.channels)
                samples = frame.to_ndarray().reshape(-1, channels)[:, 0] / 32768
                waiting = np.concatenate((waiting, samples))
                if len(waiting) >= WINDOW:
                    tone = loudest_tone(waiting, frame.sample_rate)
                    waiting = np.zeros(0)
                    if tone is not None:
                        self.tones[mid].append((time.monotonic(), tone))
                        self._changed.set()

    def _own(self, work: Any) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))


async def join_and_hear(url: str) -> None:
    """Two people join one room of the server at `url`, each hears the other and not itself, and both leave."""
    async with (
        VoiceClient(url, name="Ana", frequency=440) as ana,
        VoiceClient(url, name="Ben", frequency=700) as ben,
    ):
        await asyncio.gather(ana.heard(700), ben.heard(440))
        await asyncio.gather(ana.silent(440), ben.silent(700))
        await ben.leave()
        await ana.silent(700)
