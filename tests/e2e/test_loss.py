"""Speech over a link that loses packets in bursts: how much of it the listener's browser has to make up.

The link is Gilbert's (`tests/support/udp_relay.py`), on Ewa's side only: Femi hears her over her way up, she hears him
over her way down. What is lost on one way leaves the other whole, so that each window has its own measure of what the
machine spoils by itself.
"""

from itertools import product

import pytest

from tests.e2e.conftest import People
from tests.e2e.person import Person
from tests.support.background import Background
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess
from tests.support.speech import likeness
from tests.support.udp_relay import UdpRelay

pytestmark = pytest.mark.xdist_group("chromium-long")

FEW = 1.2
"""Packets that are lost in a row, on average, at 5 %. In-band FEC brings back one frame, that before the packet which
carries it (RFC 6716 section 2.1.7): of bursts of `n` on average it cannot bring back more than one packet in `n`."""

MANY = 2.0
"""The same at 20 and 30 %."""

MOST_CONCEALED = 0.015
INTELLIGIBLE = 0.8
CORRECTED = 50
"""Packets with FEC that have come before we count: by then the talker's encoder has been told of the loss."""

PHRASES = 12.0
"""Seconds that are listened to."""

SAMPLES = 25 * 48_000
"""That are counted: 25 s."""


@pytest.fixture
def pair(server: ServerProcess, people: People, relay: UdpRelay) -> list[Person]:
    """Ewa, over the relay, and Femi, who hear each other."""
    ewa, femi = people("Ewa", "Femi")
    room = f"loss-{relay.port}"
    ewa.join(server.url, room, media_port=relay.port)
    femi.join(server.url, room)
    for one, other in ((ewa, femi), (femi, ewa)):
        one.until("client.slots.some((slot) => slot.participant === given)", other.id)
        one.until_received(other, "packetsReceived", 50)
    return [ewa, femi]


@pytest.mark.parametrize("leg", ["up", "down"])
def test_at_5_percent_at_most_one_and_a_half_are_concealed(
    pair: list[Person], relay: UdpRelay, background: Background, leg: str
) -> None:
    """Counted from when in-band FEC is there; over what the machine spoils of the other voice in the same time."""
    ewa, femi = pair
    listener, talker = (femi, ewa) if leg == "up" else (ewa, femi)
    up, down = (0.05, 0.0) if leg == "up" else (0.0, 0.05)
    background.run(relay.set_loss(up, down, FEW))
    listener.until_received(talker, "fecPacketsReceived", CORRECTED)
    # The talker's own way may be whole: told is the greater of that and of what the listener loses.
    talker.until("toldLoss().then((loss) => loss > 0)")

    background.run(relay.set_loss(up, down, FEW))
    before, whole = listener.reception(talker), talker.reception(listener)
    listener.until_received(talker, "totalSamplesReceived", SAMPLES, within=2 * PATIENCE)
    heard, spoilt = listener.reception(talker) - before, talker.reception(listener) - whole
    print(f"5 % {leg}: {heard}; other voice: {spoilt}")
    assert 0.035 < heard.share_lost < 0.065
    assert spoilt.lost == 0
    assert heard.fec > heard.received / 2
    assert heard.share_concealed <= MOST_CONCEALED + spoilt.share_concealed


def test_at_20_percent_speech_is_intelligible(pair: list[Person], relay: UdpRelay, background: Background) -> None:
    """What is heard swells and falls with the syllables that are said, on both ways at once.

    How like the listener's own speech it is, which has nothing to do with it, shows that the figure tells them apart.
    """
    ewa, femi = pair
    background.run(relay.set_loss(0.2, burst=MANY))
    before = {}
    for listener, talker in ((ewa, femi), (femi, ewa)):
        listener.until_received(talker, "fecPacketsReceived", CORRECTED)
        before[talker.name] = listener.reception(talker)
    for person, voice in product(pair, pair):
        person.note(voice, PHRASES)
    for listener, talker in ((ewa, femi), (femi, ewa)):
        said, heard, own = talker.noted(talker), listener.noted(talker), listener.noted(listener)
        counted = listener.reception(talker) - before[talker.name]
        alike, chance = likeness(said, heard), likeness(own, heard)
        print(f"20 % {talker.name}: {counted}; {alike:.2f} alike, {chance:.2f} by chance")
        assert counted.share_lost > 0.15
        assert alike >= INTELLIGIBLE
        assert chance < INTELLIGIBLE


def test_at_30_percent_nobody_is_disconnected(pair: list[Person], relay: UdpRelay, background: Background) -> None:
    """For fifteen seconds of packets. Five minutes of it pass on a virtual clock in `tests/sfu/test_bad_network.py`."""
    ewa, femi = pair
    background.run(relay.set_loss(0.3, burst=MANY))
    told = len(ewa.events("state"))
    before = ewa.reception(femi)
    background.run(relay.pass_packets(1_500, within=3 * PATIENCE))
    lasted = ewa.reception(femi) - before
    print(f"30 %: {lasted}")
    assert ewa.events("state")[told:] == []
    assert ewa.call("client.state") == "connected"
    assert ewa.call("peers.length") == 1
    assert femi.events("participant-left") == []
