"""A browser as a client of WHIP (RFC 9725): it publishes a voice, with a picture beside it, and restarts ICE."""

from pathlib import Path

from tests.e2e.conftest import People
from tests.e2e.person import dev_token
from tests.support.server import ServerProcess

WHIP = Path(__file__).with_name("pages").joinpath("whip.js").read_text(encoding="utf-8")


def test_a_published_voice_is_heard_through_an_ice_restart_and_until_it_ends(
    server: ServerProcess, people: People
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, "studio")
    ben.page.goto(f"{server.url}/parley.js")
    ben.page.evaluate(WHIP)
    endpoint = f"{server.url}/api/v1/rooms/studio/whip"
    token = dev_token(server.url, "Ben", "studio")
    assert ben.call("([endpoint, token]) => publish(endpoint, token)", [endpoint, token]) == ""
    ana.hears(ben)
    assert ben.call("directions()") == ["sendonly"], "the voice is taken, the picture declined"
    since = ana.now()
    assert ben.call("restart().then(connectedAs)") == "connected", "the same DTLS association"
    ana.hears(ben)
    assert ana.longest_gap(ben, since) < 0.5
    (person,) = ana.call("[...client.participants.values()].filter((one) => one.name === 'Ben')")
    assert (person["state"], person["self_deaf"]) == ("active", True)
    assert ben.call("end()") == 200
    ana.until("events.some((one) => one.name === 'participant-left' && one.reason === 'client_initiated')")
    ana.hears_no_longer(ben)
