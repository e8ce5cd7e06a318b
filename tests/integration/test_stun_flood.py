"""Fifty thousand checks a second of strangers at a real server: looked at by the hundred, answered never."""

import asyncio
import json
import re
import sys
from urllib.request import urlopen

from tests.support.client import VoiceClient
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

SOURCES = 4
PER_SECOND = 50_000
COUNT = 2 * PER_SECOND
PER_SOURCE = 100
"""Checks a second of one source that are looked at."""


def dropped(server: ServerProcess) -> dict[str, int]:
    """Packets that the server has dropped, by why."""
    with urlopen(f"{server.url}/metrics", timeout=PATIENCE) as answer:
        text = answer.read().decode()
    lines = re.findall(r'^parley_media_dropped_packets_total\{reason="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {reason: int(float(count)) for reason, count in lines}


async def test_a_flood_of_checks_binds_nothing_and_the_call_goes_on(parley_server: ServerProcess) -> None:
    async with (
        VoiceClient(parley_server.url, name="Ana", frequency=440) as ana,
        VoiceClient(parley_server.url, name="Ben", frequency=700) as ben,
    ):
        await asyncio.gather(ana.heard(700), ben.heard(440))
        assert ana.peer is not None
        ufrag = re.search(r"a=ice-ufrag:(\S+)", ana.peer.remoteDescription.sdp)
        assert ufrag is not None
        wanted = map(str, (parley_server.media_port, SOURCES, PER_SECOND, COUNT, ufrag[1]))
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.stun_flood", *wanted, stdout=asyncio.subprocess.PIPE
        )
        ended = asyncio.ensure_future(flood.communicate())
        times = 0
        while not ended.done():
            await asyncio.gather(ana.heard(700), ben.heard(440))
            times += 1
        out, _ = await ended
        assert flood.returncode == 0
        told = json.loads(out)
        reasons = dropped(parley_server)

        assert told["sent"] >= COUNT / 2
        assert told["sent"] / told["seconds"] > 10 * SOURCES * PER_SOURCE, "it was no flood"
        assert times > 1
        # Whoever is bound has been answered.
        assert (told["answers"], told["octets_back"]) == (0, 0)
        looked_at = sum(reasons.get(one, 0) for one in ("malformed_stun", "unknown_username", "check_refused"))
        assert 0 < looked_at <= SOURCES * PER_SOURCE * (told["seconds"] + 2)
        assert min(reasons.get(one, 0) for one in ("unknown_username", "check_refused")) > 0
        # The rest was dropped by its source alone, here or by the kernel before us.
        assert 0 < reasons["stun_rate"] <= told["sent"] - looked_at
        assert {one["state"] for one in ana.participants().values()} == {"active"}
        assert not [one for one in ana.received + ben.received if one[0] in ("participant-left", "endpoint-gone")]
