"""A server that is killed under a crowd: everybody comes back by himself, once, and not all at the same moment."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.light_client import Crowd
from tests.support.server import ServerProcess

SIZE = 30
TRIES = 3
MOST_TRIES = 3
"""Attempts of one person, from when the server listens again: one may be under way then, and those that follow are at
most five seconds apart (`tests/web/test_sdk_back_off.py`). Seconds would be those of this machine.
"""


def most_in_a_second(times: list[float]) -> int:
    return max(sum(first <= at <= first + 1 for at in times) for first in times)


async def test_all_rejoin_a_killed_server_without_ghosts_and_without_a_storm(tmp_path: Path) -> None:
    # Everybody here has one address; the limit on requests is for an address.
    with ServerProcess(tmp_path, settings={"PARLEY_RATE_LIMIT_RPM": "10000"}) as server:
        async with Crowd(server.url, "square", SIZE) as crowd:
            everybody = {one.name for one in crowd.clients}

            def complete(round_: int) -> bool:
                return all(
                    one.up and len(one.came_at) == round_ and sorted(one.people.values()) == sorted(everybody)
                    for one in crowd.clients
                )

            await crowd.until(lambda: complete(1), "all have joined")
            before = {one.ids[-1] for one in crowd.clients}
            server.kill()
            # For so long that their attempts have come apart.
            await crowd.until(lambda: all(one.tries >= TRIES for one in crowd.clients), "all have tried in vain")
            with ThreadPoolExecutor(1) as beside:  # the crowd goes on trying meanwhile
                await asyncio.get_running_loop().run_in_executor(beside, server.start)
            tried = {one.name: one.tries for one in crowd.clients}
            await crowd.until(lambda: complete(2), "all are back")
            assert all(one.tries - tried[one.name] <= MOST_TRIES for one in crowd.clients)

            after = {one.ids[-1] for one in crowd.clients}
            assert len(after) == SIZE
            assert before.isdisjoint(after)
            assert all(set(one.people) == after for one in crowd.clients), "a ghost is listed"
            assert all(set(one.refusals) <= {"overloaded"} for one in crowd.clients)
            back = sorted(one.came_at[-1] for one in crowd.clients)
            spread = max(1.0, back[-1] - back[0])
            assert most_in_a_second(back) <= 2 * SIZE / spread
            speaker, listener = crowd.clients[0].peer, crowd.clients[1].peer
            assert speaker is not None
            assert listener is not None
            speaker.send(bytes(80))
            await listener.until(lambda: listener.counts)
