"""What goes wrong around a call in real Chromium, and what its people hear of it."""

import pytest

from tests.e2e.conftest import People
from tests.e2e.person import Person
from tests.support.background import Background
from tests.support.server import ServerProcess
from tests.support.tcp_proxy import TcpProxy
from tests.support.udp_relay import UdpRelay

UNBROKEN = 0.5
"""Seconds: no pause in a voice that plays without interruption is as long, on a busy machine either."""


MOST_TRIES = 3
"""Of one person, from when the server is ready again: one may be under way then, and those that follow are at most five
seconds apart (`tests/web/test_sdk_back_off.py`).
"""

FIVE_SECONDS = 250
"""Packets of a microphone, 50 a second: a clock that stands while the machine does."""


def join_through(proxy: TcpProxy, person: Person, room: str) -> Person:
    return person.join(f"http://127.0.0.1:{proxy.port}", room)


def test_a_killed_socket_resumes_while_audio_goes_on(
    server: ServerProcess, people: People, proxy: TcpProxy, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    join_through(proxy, ana, "resumes")
    ben.join(server.url, "resumes")
    ana.hears(ben)
    ben.hears(ana)
    since_ana, since_ben = ana.now(), ben.now()

    tried = proxy.accepted
    background.run(proxy.cut(reset=True, refuse=True))
    ana.until("client.state === 'reconnecting'")
    ben.until("client.participants.get(given)?.state === 'reconnecting'", ana.id)
    ben.call("client.sendMessage('one')")
    ben.call("client.mute()")
    ben.call("client.unmute()")
    ben.call("client.sendMessage('two')")
    background.run(proxy.attempts(tried + 2))
    background.run(proxy.accept())
    ana.until("client.state === 'connected'")

    ana.until("events.filter((one) => one.name === 'message').length === 2")
    assert [one["body"] for one in ana.events("message")] == ["one", "two"]
    assert len(ana.events("joined")) == 1
    assert ana.call("client.me.id") == ana.id
    assert ana.call("id => client.participants.get(id).self_mute", ben.id) is False
    ben.until("client.participants.get(given).state === 'active'", ana.id)
    assert ben.events("participant-left") == []
    ana.hears(ben)
    ben.hears(ana)
    assert ben.longest_gap(ana, since_ben) < UNBROKEN
    assert ana.has_heard(ana, since_ana) == 0


def test_a_socket_that_hangs_is_given_up_and_resumes_while_audio_goes_on(
    server: ServerProcess, people: People, proxy: TcpProxy, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    join_through(proxy, ana, "hangs")
    ben.join(server.url, "hangs")
    ana.hears(ben)
    ben.hears(ana)
    since_ana, since_ben = ana.now(), ben.now()
    background.run(proxy.hang())
    ana.until("client.state === 'reconnecting'")
    background.run(proxy.go_on())
    ana.until("client.state === 'connected'")
    assert ana.call("client.me.id") == ana.id
    ana.hears(ben)
    ben.hears(ana)
    assert ana.longest_gap(ben, since_ana) < UNBROKEN
    assert ben.longest_gap(ana, since_ben) < UNBROKEN


def test_an_ice_restart_takes_new_credentials_and_interrupts_nothing(server: ServerProcess, people: People) -> None:
    ana, ben = (person.join(server.url, "restart") for person in people("Ana", "Ben"))
    ana.hears(ben)
    ben.hears(ana)
    since_ana, since_ben = ana.now(), ben.now()
    before = ana.call("iceNames()")
    ana.call("client.restartIce()")
    ana.until("iceNames().then((names) => !names.some((one) => given.includes(one)))", before)
    ana.hears(ben)
    ben.hears(ana)
    assert ana.longest_gap(ben, since_ana) < UNBROKEN
    assert ben.longest_gap(ana, since_ben) < UNBROKEN
    assert ana.call("client.state") == "connected"
    assert ana.call("peers.length") == 1


def test_a_peer_connection_that_ended_is_replaced_in_the_same_seat(server: ServerProcess, people: People) -> None:
    ana, ben = (person.join(server.url, "replaced") for person in people("Ana", "Ben"))
    ana.hears(ben)
    ben.hears(ana)
    ana.call("peers[0].close()")
    ana.until("peers.length === 2")
    ana.hears(ben)
    ben.hears(ana)
    assert ana.call("client.me.id") == ana.id
    assert ben.events("participant-left") == []


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_server_that_ends_and_starts_again_finds_everybody_back(
    mortal_server: ServerProcess, people: People, end: str
) -> None:
    everybody = [person.join(mortal_server.url, end) for person in people("Ana", "Ben", "Chidi")]
    for person in everybody:
        person.hears(*(other for other in everybody if other is not person))
    getattr(mortal_server, end)()
    for person in everybody:
        person.until("client.state === 'reconnecting'")
        person.hears_no_longer(*(other for other in everybody if other is not person))
    mortal_server.start()
    tried = [person.call("tries") for person in everybody]
    for person in everybody:
        person.until("client.state === 'connected'")
    assert all(person.call("tries") - before <= MOST_TRIES for person, before in zip(everybody, tried, strict=True))
    for person in everybody:
        began = person.packets_sent()
        person.hears(*(other for other in everybody if other is not person))
        assert person.packets_sent() - began <= FIVE_SECONDS
        person.until("client.participants.size === 3")
        assert person.has_heard(person) == 0


def test_a_nat_that_takes_another_port_is_followed(
    server: ServerProcess, people: People, relay: UdpRelay, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, "rebinds", media_port=relay.port)
    ben.join(server.url, "rebinds")
    ana.hears(ben)
    ben.hears(ana)
    since_ana, since_ben = ana.now(), ben.now()
    background.run(relay.rebind())
    background.run(relay.media_comes_back())
    ana.hears(ben)
    ben.hears(ana)
    assert ana.longest_gap(ben, since_ana) < 5
    assert ben.longest_gap(ana, since_ben) < 5
    assert ana.call("client.me.id") == ana.id


def test_a_link_that_loses_packets_keeps_the_call_and_the_voices(
    server: ServerProcess, people: People, relay: UdpRelay, background: Background
) -> None:
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, "loses", media_port=relay.port)
    ben.join(server.url, "loses")
    ana.hears(ben)
    ben.hears(ana)
    for loss, share in ((0.05, 0.95), (0.2, 0.8)):
        background.run(relay.set_loss(loss))
        since_ana, since_ben = ana.now(), ben.now()
        background.run(relay.pass_packets(600))
        assert ana.share_heard(ben, since_ana) >= share
        assert ben.share_heard(ana, since_ben) >= share
        assert ana.call("client.state") == "connected"
    assert relay.lost > 0
    # Ben's own way is clean: he is told what Ana loses of him, as only then does his encoder add what corrects it.
    ben.until("toldLoss().then((loss) => loss > 0.05)")
