"""Holds and pressed keys (RFC 4733) in real Chromium."""

from tests.e2e.conftest import People
from tests.support.server import ServerProcess

NINE = 1477
"""Hz of the upper tone of key 9, as Chromium makes it of an event; the louder of the two."""

INSERT = """(tones) => new Promise((over) => {
    const { dtmf } = peers.at(-1).getSenders()[0];
    dtmf.ontonechange = ({ tone }) => tone === "" && over();
    dtmf.insertDTMF(tones, 100, 70);
})"""
"""Presses keys as any page can, and waits until they are sent."""

WATCH = """() => {
    window.pressed = [];
    client.addEventListener("dtmf", ({ detail }) => pressed.push(detail));
}"""


def test_who_is_on_hold_neither_hears_nor_is_heard_whatever_the_mutes_say(
    server: ServerProcess, people: People
) -> None:
    ana, ben, chidi = (person.join(server.url, "hold") for person in people("Ana", "Ben", "Chidi"))
    ana.hears(ben, chidi)
    ben.hears(ana)
    ana.call("client.hold()")
    assert ana.call("client.microphone.track.enabled"), "the server holds it back, not the client"
    ben.until("client.participants.get(given).held", ana.id)
    ben.hears_no_longer(ana)
    ana.hears_no_longer(ben, chidi)
    ben.hears(chidi)
    ana.call("client.mute()")
    ana.call("client.unmute()")
    held_since = ben.now()
    ben.hears(chidi)
    assert ben.has_heard(ana, held_since) == 0
    ana.call("client.restartIce()")
    ana.until("client.state === 'connected'")
    ben.hears(chidi)
    assert ben.has_heard(ana, held_since) == 0
    ana.call("client.unhold()")
    ben.hears(ana)
    ana.hears(ben, chidi)
    ben.until("!client.participants.get(given).held", ana.id)


def test_keys_that_chromium_sends_by_rtp_are_told_once_each(server: ServerProcess, people: People) -> None:
    ana, ben = (person.join(server.url, "insert") for person in people("Ana", "Ben"))
    ben.hears(ana)
    ben.call(WATCH)
    sdp = ana.call("peers.at(-1).remoteDescription.sdp")
    assert "telephone-event/48000" in sdp
    assert ana.call("peers.at(-1).getSenders()[0].dtmf.canInsertDTMF")
    ana.call(INSERT, "15#")
    ben.until("pressed.length >= 3")
    told = ben.call("pressed")
    assert [(one["from"], one["tone"]) for one in told] == [(ana.id, "1"), (ana.id, "5"), (ana.id, "#")]
    assert all(80 <= one["duration_ms"] <= 160 for one in told), told
    ben.hears(ana)
    ana.call("client.mute()")
    ana.call(INSERT, "9")
    ana.call("client.unmute()")
    ben.hears(ana)
    assert len(ben.call("pressed")) == 3, "the muted send none"


def test_keys_that_the_server_sends_are_heard_in_chromium_and_the_voice_goes_on(
    server: ServerProcess, people: People
) -> None:
    ana, ben = (person.join(server.url, "keys") for person in people("Ana", "Ben"))
    ben.hears(ana)
    ben.call(WATCH)
    lost = ben.reception(ana).lost
    ana.call("client.dtmf('9,9', { duration_ms: 1000 })")
    ana.call("client.microphone.track.enabled = false")
    ben.hears(NINE)
    ben.until("pressed.length >= 2")
    assert [(one["from"], one["tone"], one["duration_ms"]) for one in ben.call("pressed")] == [(ana.id, "9", 1000)] * 2
    ana.call("client.microphone.track.enabled = true")
    ben.hears(ana)
    assert ben.reception(ana).lost == lost, "numbers go on without a gap"
    ana.call("client.hold()")
    assert ana.call("client.dtmf('1').catch((error) => error.code)") == "muted"
