"""WHIP (RFC 9725) and WHEP on a real server: what is published is heard, and who listens hears; judged by spectrum."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import aiohttp

from tests.support.client import VoiceClient
from tests.support.server import ServerProcess
from tests.support.whip_client import WhipClient, dev_token, ffmpeg, gstreamer


async def test_a_publisher_is_heard_muted_and_leaves(parley_server: ServerProcess) -> None:
    url = parley_server.url
    async with VoiceClient(url, name="Ana") as ana, WhipClient(url, "Studio", frequency=700) as studio:
        await ana.heard(700)
        person = ana.participants()["Studio"]
        assert (person["state"], person["self_deaf"], person["mute"]) == ("active", True, False)
        async with aiohttp.ClientSession() as http:
            token = await dev_token(http, url, "Boss", "kitchen", role="operator")
        boss = VoiceClient(url, name="Boss")
        boss.token = token
        async with boss:
            await boss.heard(700)
            await boss.request("moderate", action="mute", target=person["id"])
            await ana.silent(700)
            await boss.request("moderate", action="unmute", target=person["id"])
            await ana.heard(700)
        await studio.leave()
        await ana.until(lambda: "Studio" not in ana.participants(), "Studio has gone")
        await ana.silent(700)
        assert (await studio.ask("DELETE", studio.resource))[0] == 404


async def test_a_kick_closes_the_peer_connection(parley_server: ServerProcess) -> None:
    url = parley_server.url
    boss = VoiceClient(url, name="Boss")
    async with aiohttp.ClientSession() as http:
        boss.token = await dev_token(http, url, "Boss", "kitchen", role="operator")
    async with boss, WhipClient(url, "Studio", frequency=700) as studio:
        await boss.heard(700)
        await boss.request("moderate", action="kick", target=boss.participants()["Studio"]["id"])
        assert studio.peer is not None
        peer = studio.peer
        await studio.until(
            lambda: peer.connectionState in ("closed", "failed"), "the server closes the peer connection"
        )
        status, headers, _ = await studio.ask("POST", studio.endpoint, studio.offer, "application/sdp")
        assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


async def test_an_ice_restart_by_patch_goes_on(parley_server: ServerProcess) -> None:
    url = parley_server.url
    async with VoiceClient(url, name="Ana") as ana, WhipClient(url, "Studio", frequency=700) as studio:
        await ana.heard(700)
        before = studio.headers["ETag"].strip('"')
        fragment = await studio.restart("newname1", "0123456789012345678901")
        (after,) = re.findall(r"a=ice-ufrag:(\S+)", fragment)
        assert after != before
        assert "a=candidate:" in fragment
        await ana.heard(700)
        states = [ana.participants()["Studio"]["state"], studio._media_state]
        assert states == ["active", "connected"]


async def test_a_listener_hears_as_many_voices_as_it_has_lines(parley_server: ServerProcess) -> None:
    url = parley_server.url
    async with (
        VoiceClient(url, name="Ana", frequency=440) as ana,
        VoiceClient(url, name="Ben", frequency=700),
        WhipClient(url, "Both", slots=2) as both,
        WhipClient(url, "One", slots=1) as one,
    ):
        await asyncio.gather(both.heard(440), both.heard(700))
        assert sorted(both.tones) == ["0", "1"]
        await one.until(lambda: len(one.tones["0"]) > 8, "one line hears one voice")
        people = ana.participants()
        assert people["One"]["self_mute"]
        assert people["Both"]["state"] == "active"
        await one.leave()
        await ana.until(lambda: "One" not in ana.participants(), "One has gone")


async def test_gstreamer_publishes_and_listens(parley_server: ServerProcess, require: Callable[[str], Path]) -> None:
    python, url = require("gstreamer1.0-nice"), parley_server.url
    async with VoiceClient(url, name="Ana", frequency=440) as ana, aiohttp.ClientSession() as http:
        tokens = [await dev_token(http, url, name, "kitchen") for name in ("Studio", "Ear")]
        room = f"{url}/api/v1/rooms/kitchen"
        async with (
            gstreamer(python, "publish", f"{room}/whip", tokens[0], "700") as studio,
            gstreamer(python, "listen", f"{room}/whep", tokens[1]) as ear,
        ):
            await ear.heard(440)
            await ana.heard(700)
            await asyncio.gather(studio.leave(), ear.leave())
        for client in (studio, ear):
            assert {"POST 201", "PATCH 204", "peer connected", "DELETE 200"} <= set(client.lines), client.lines
        await ana.until(lambda: list(ana.participants()) == ["Ana"], "both have gone")
        await ana.silent(700)


async def test_ffmpeg_publishes_and_is_kicked(parley_server: ServerProcess, tmp_path: Path) -> None:
    url = parley_server.url
    boss = VoiceClient(url, name="Boss")
    async with aiohttp.ClientSession() as http:
        boss.token = await dev_token(http, url, "Boss", "kitchen", role="operator")
        tokens = [await dev_token(http, url, "Studio", "kitchen") for _ in range(2)]
    async with boss:
        async with ffmpeg(tmp_path, f"{url}/api/v1/rooms/kitchen/whip", tokens[0], 700) as studio:
            await boss.heard(700)
            assert boss.participants()["Studio"]["self_deaf"]
            await studio.leave()
            assert studio.process.returncode == 0, studio.lines
        await boss.until(lambda: "Studio" not in boss.participants(), "Studio has gone")
        left = [payload["reason"] for type_, payload in boss.received if type_ == "participant-left"]
        assert left == ["client_initiated"], "by DELETE"
        await boss.silent(700)
        async with ffmpeg(tmp_path, f"{url}/api/v1/rooms/kitchen/whip", tokens[1], 700) as studio:
            await boss.heard(700)
            await boss.request("moderate", action="kick", target=boss.participants()["Studio"]["id"])
            await boss.silent(700)
