"""The SDK in Chromium against the stand-in server: sessions, resumption, refusals, tidiness."""

import pytest
from playwright.sync_api import Page

from tests.web.conftest import OpenPage

START = """async (room) => {
    const sdk = await import("/parley.js");
    window.events = [];
    window.tokens = 0;
    window.client = new sdk.Client("/ws", () => `stub.ana${++window.tokens}`, {room, microphone: false});
    for (const name of ["joined", "state", "message", "participant-left", "error", "speakers", "audio-blocked"]) {
        client.addEventListener(name, ({detail}) => events.push([name, detail.state ?? detail.body ?? detail.code]));
    }
    window.next = (name, wanted = () => true) => new Promise((resolve) => {
        client.addEventListener(name, ({detail}) => { if (wanted(detail)) resolve(detail); });
    });
    await client.start();
    return client.me.name;
}"""

COUNT_SOCKETS = """() => {
    window.sockets = 0;
    window.WebSocket = class extends WebSocket {
        constructor(...given) {
            super(...given);
            sockets += 1;
        }
    };
}"""


def wait_until(page: Page, condition: str) -> None:
    """As `wait_for_function`, which the security policy forbids."""
    page.evaluate(f"async () => {{ while (!({condition})) await new Promise(requestAnimationFrame); }}")


@pytest.fixture
def page(stub: tuple[str, str], open_page: OpenPage) -> Page:
    return open_page(f"{stub[0]}/blank")


def test_joins_and_lists_people(page: Page) -> None:
    assert page.evaluate(START, "lists") == "ana1"
    assert page.evaluate("[...client.participants.values()].map((one) => one.name)") == ["ana1"]
    assert page.evaluate("client.state") == "connecting", "no voice flows to a port where nobody listens"


def test_offers_the_microphone_first_and_then_the_slots(page: Page) -> None:
    page.evaluate("""() => {
        const original = RTCPeerConnection.prototype.setLocalDescription;
        RTCPeerConnection.prototype.setLocalDescription = function (offer) {
            window.offer = offer.sdp;
            return original.call(this, offer);
        };
    }""")
    page.evaluate(START, "offers")
    directions = page.evaluate("offer.match(/^a=(sendonly|recvonly|sendrecv)/gm)")
    assert directions == ["a=sendonly"] + ["a=recvonly"] * 8
    assert page.evaluate("client.slots.map((slot) => slot.track?.kind)") == ["audio"] * 8


def test_a_lost_socket_resumes_and_hears_what_was_missed(
    page: Page, stub: tuple[str, str], open_page: OpenPage
) -> None:
    other = open_page(f"{stub[0]}/blank")
    for one in (page, other):
        one.evaluate(COUNT_SOCKETS)
        one.evaluate(START, "resumes")
    me = page.evaluate("client.me.id")
    other.evaluate("client.sendMessage('before')")
    page.evaluate("""() => { window.resumed = new Promise((resolve) => {
        window.heard = next("message", (detail) => detail.body === "after");
    }); }""")
    other.evaluate("() => { client.sendMessage('/drop').catch(() => {}); }")
    for one in (page, other):
        wait_until(one, "sockets === 2 && client.signaling.up")
    other.evaluate("client.sendMessage('after')")
    page.evaluate("heard")
    bodies = page.evaluate("events.filter(([name]) => name === 'message').map(([, body]) => body)")
    assert bodies == ["before", "after"]
    assert page.evaluate("client.me.id") == me
    assert page.evaluate("events.filter(([name]) => name === 'joined').length") == 1
    assert page.evaluate("tokens") == 1


def test_a_server_that_forgot_everything_is_joined_anew(page: Page) -> None:
    page.evaluate(START, "forgets")
    me = page.evaluate("client.me.id")
    page.evaluate("""() => { client.setMicrophone(false); window.again = next("joined"); }""")
    page.evaluate("() => { client.sendMessage('/forget').catch(() => {}); }")
    page.evaluate("again")
    assert page.evaluate("client.me.id") != me
    wait_until(page, "client.me.self_mute")
    assert page.evaluate("tokens") == 1, "the token that is known is used again"


def test_says_which_call_is_on_and_when_it_ends(page: Page) -> None:
    page.evaluate(START, "calls")
    call = page.evaluate("client.call")
    assert (call["id"], call["state"]) == ("call-calls", "active")
    over = page.evaluate("""() => {
        const told = next("call-state-changed");
        const call = {...client.call, state: "ended", reason: "room_deleted"};
        client.signaling.onMessage("call-state-changed", {call});
        return told;
    }""")
    assert over["call"] == page.evaluate("client.call") == {**call, "state": "ended", "reason": "room_deleted"}


def test_whoever_was_moved_speaks_of_the_other_room_over_plain_http_too(page: Page) -> None:
    page.evaluate(START, "first")
    page.evaluate("""() => {
        client.signaling.onMessage("moved", {room: "second", participant: client.me, participants: [client.me]});
        window.WebSocket = class {
            constructor() { setTimeout(() => this.onclose({code: 1006, reason: ""})); }
            close() {}
        };
        window.asked = [];
        window.fetch = async (url) => (asked.push(new URL(url).pathname), null);
    }""")
    page.evaluate("() => { client.sendMessage('/forget').catch(() => {}); }")
    wait_until(page, "asked.length")
    assert page.evaluate("asked[0]") == "/api/v1/rooms/second/signal"


def test_a_peer_connection_that_is_given_up_in_the_midst_of_an_offer_holds_nobody_up(page: Page) -> None:
    page.evaluate(START, "given-up")
    page.evaluate("""() => {
        window.offerers = [];
        const original = RTCPeerConnection.prototype.createOffer;
        RTCPeerConnection.prototype.createOffer = function (options) {
            const offer = original.call(this, options);
            if (offerers.push(this) === 1) client.signaling.onMessage("endpoint-gone", {reason: "consent_expired"});
            return offer;
        };
        client.restartIce();
    }""")
    wait_until(page, "offerers.length === 2 && offerers[1].currentRemoteDescription")


def test_a_refused_token_rejects_with_its_code(page: Page) -> None:
    code = page.evaluate("""async () => {
        const {connect, ParleyError} = await import("/parley.js");
        try { await connect("/ws", "expired", {room: "x", microphone: false}); }
        catch (error) { return [error instanceof ParleyError, error.code]; }
    }""")
    assert code == [True, "token_expired"]


def test_no_server_rejects_with_connection_failed(page: Page) -> None:
    code = page.evaluate("""async () => {
        const {connect} = await import("/parley.js");
        return connect("/no-such-place", "t", {room: "x", microphone: false}).catch((error) => error.code);
    }""")
    assert code == "connection_failed"


def test_an_error_of_the_server_rejects_the_call_that_caused_it(page: Page) -> None:
    page.evaluate(START, "errors")
    assert page.evaluate("client.moderate('kick', 'nobody').catch((error) => error.code)") == "unknown_type"
    assert page.evaluate("events.filter(([name]) => name === 'error').length") == 0


def test_leave_gives_everything_back(page: Page) -> None:
    page.evaluate("""() => {
        window.tracks = []; window.peers = []; window.contexts = []; window.timers = new Set();
        const media = navigator.mediaDevices, get = media.getUserMedia.bind(media);
        media.getUserMedia = async (wanted) => {
            const stream = await get(wanted);
            tracks.push(...stream.getTracks());
            return stream;
        };
        for (const [name, list] of [["RTCPeerConnection", peers], ["AudioContext", contexts]]) {
            const original = window[name];
            window[name] = function (...all) { const one = new original(...all); list.push(one); return one; };
        }
        const set = window.setInterval, clear = window.clearInterval;
        window.setInterval = (...all) => { const id = set(...all); timers.add(id); return id; };
        window.clearInterval = (id) => { timers.delete(id); clear(id); };
    }""")
    page.evaluate(START, "leaves")
    page.evaluate("client.setMicrophone(true)")
    assert page.evaluate("tracks.map((one) => one.readyState)") == ["live"]
    page.evaluate("client.leave()")
    assert page.evaluate("tracks.map((one) => one.readyState)") == ["ended"]
    assert page.evaluate("peers.map((one) => one.connectionState)") == ["closed"]
    assert page.evaluate("contexts.map((one) => one.state)") == ["closed", "closed"]
    assert page.evaluate("timers.size") == 0
    assert page.evaluate("events.at(-1)") == ["state", "disconnected"]


def test_a_persons_volume_stays_within_its_bounds(page: Page) -> None:
    page.evaluate(START, "volumes")
    assert page.evaluate("client.setVolume(client.me.id, 7), client.volume(client.me.id)") == 2
    assert page.evaluate(
        "(() => { try { client.setVolume('nobody', 1); } catch (error) { return error.code; } })()"
    ) == ("no_such_participant")


def test_a_hold_holds_on_a_new_session_too_and_leaves_the_mutes(page: Page) -> None:
    page.evaluate(START, "holds")
    page.evaluate("client.mute()")
    page.evaluate("client.hold()")
    assert page.evaluate("[client.me.held, client.me.self_mute]") == [True, True]
    page.evaluate("() => { window.again = next('joined'); }")
    page.evaluate("() => { client.sendMessage('/forget').catch(() => {}); }")
    page.evaluate("again")
    wait_until(page, "client.me.held && client.me.self_mute")
    page.evaluate("client.unhold()")
    assert page.evaluate("[client.me.held, client.me.self_mute]") == [False, True]


def test_keys_that_are_pressed_come_as_events(page: Page, stub: tuple[str, str], open_page: OpenPage) -> None:
    page.evaluate(START, "keys")
    other = open_page(f"{stub[0]}/blank")
    other.evaluate(START, "keys")
    page.evaluate("""() => {
        window.pressed = [];
        window.both = next("dtmf", (detail) => pressed.push(detail) === 2);
    }""")
    other.evaluate("client.dtmf('5#', {duration_ms: 200})")
    page.evaluate("both")
    assert [(one["tone"], one["duration_ms"]) for one in page.evaluate("pressed")] == [("5", 200), ("#", 200)]
    assert page.evaluate("pressed[0].from") == other.evaluate("client.me.id")
