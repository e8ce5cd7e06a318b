"""Calls between clients that share no code with ours, through a real server."""

from tests.support.client import VoiceClient, join_and_hear
from tests.support.server import ServerProcess


async def test_two_people_hear_each_other_and_not_themselves(parley_server: ServerProcess) -> None:
    await join_and_hear(parley_server.url)


async def test_one_line_hears_the_loudest(parley_server: ServerProcess) -> None:
    async with (
        VoiceClient(parley_server.url, name="Ana", slots=1) as ana,
        VoiceClient(parley_server.url, name="Ben", frequency=700, slots=0) as ben,
        VoiceClient(parley_server.url, name="Chidi", frequency=1060, slots=0) as chidi,
    ):
        assert ben.microphone is not None
        assert chidi.microphone is not None
        ben.microphone.loudness = 0.02
        await ana.heard(1060)
        await ana.silent(700)
        ben.microphone.loudness, chidi.microphone.loudness = 0.35, 0.02
        await ana.heard(700)
        await ana.silent(1060)


async def test_a_mute_is_enforced_by_the_server(parley_server: ServerProcess) -> None:
    async with (
        VoiceClient(parley_server.url, name="Ana") as ana,
        VoiceClient(parley_server.url, name="Ben", frequency=700) as ben,
    ):
        await ana.heard(700)
        await ben.request("mute")
        await ana.silent(700)
        await ana.until(lambda: ana.participants()["Ben"]["self_mute"], "Ben is seen muted")
        await ben.request("unmute")
        await ana.heard(700)
        await ana.request("deafen")
        await ana.silent(700)
        await ana.request("undeafen")
        await ana.heard(700)
