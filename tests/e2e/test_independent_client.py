"""A client that shares nothing with ours takes part in a call with Chromium."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import People
from tests.support.background import Background
from tests.support.client import VoiceClient
from tests.support.server import ServerProcess

FREQUENCY = 1370


@pytest.fixture(params=["slots", "one line"])
def guest(server: ServerProcess, background: Background, request: pytest.FixtureRequest) -> Iterator[VoiceClient]:
    """A client with lines for hearing beside its microphone's; or with that one line for both."""
    room = f"guest-{request.param}".replace(" ", "-")
    client = VoiceClient(server.url, room, "Guest", frequency=FREQUENCY, one_line=request.param == "one line")
    background.run(client.join())
    yield client
    background.run(client.close())


def test_it_is_heard_by_chromium_and_hears_it(
    server: ServerProcess, people: People, background: Background, guest: VoiceClient
) -> None:
    (ana,) = people("Ana")
    ana.join(server.url, guest.room)
    ana.hears(FREQUENCY)
    background.run(guest.heard(ana.frequency))
    background.run(guest.silent(FREQUENCY))
    assert ana.has_heard(ana) == 0
    ana.call("client.mute()")
    background.run(guest.silent(ana.frequency))
    background.run(guest.leave())
    ana.hears_no_longer(FREQUENCY)
