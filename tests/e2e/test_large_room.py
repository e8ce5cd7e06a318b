"""More people than slots: whoever begins to speak is heard."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import People
from tests.support.background import Background
from tests.support.client import VoiceClient
from tests.support.server import ServerProcess

ROOM = "large"
SLOTS = 8
MURMUR = 0.05
MURMURS = (520, 610, 820, 930, 1190, 1310, 1480, 1640)
"""Hz: as many people as somebody has slots."""


@pytest.fixture
def murmuring(server: ServerProcess, background: Background) -> Iterator[list[VoiceClient]]:
    """Eight people who speak softly all the time."""
    clients = [VoiceClient(server.url, ROOM, f"{hz} Hz", frequency=hz, slots=0) for hz in MURMURS]
    try:
        for client in clients:
            assert client.microphone is not None
            client.microphone.loudness = MURMUR
            background.run(client.join())
        yield clients
    finally:
        for client in clients:
            background.run(client.close())


def test_a_ninth_person_in_eight_slots_is_heard(
    server: ServerProcess, people: People, murmuring: list[VoiceClient]
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, ROOM)
    ben.join(server.url, ROOM, muted=True)
    ana.hears(*MURMURS)
    assert ana.call("client.slots.length") == SLOTS
    assert set(ana.call("client.slots.map((slot) => slot.participant)")) == {client.id for client in murmuring}

    ben.call("client.unmute()")
    ana.hears(ben)
    in_slots = ana.call("client.slots.map((slot) => slot.participant)")
    assert ben.id in in_slots
    assert len(set(in_slots) & {client.id for client in murmuring}) == SLOTS - 1

    ben.call("client.mute()")
    ana.hears_no_longer(ben)
    ana.hears(*MURMURS)
