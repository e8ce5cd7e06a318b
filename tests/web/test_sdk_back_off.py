"""How a thousand people come back to a server that has died: by the SDK's own delays, on a clock of the test."""

from collections.abc import Sequence

import pytest
from playwright.sync_api import Browser

PEOPLE = 1000
WITHIN = 40.0
"""Seconds that the server stays away at most."""

ATTEMPTS = """async ([people, seconds]) => {
    // Time, chance and sockets are the test's: nothing here waits, and nobody answers.
    const timers = new Map();
    let now = 0, ids = 0, state = 1;
    Math.random = () => {  // the generator of Lehmer, so that every run sees the same luck
        state = (state * 48271) % 2147483647;
        return state / 2147483647;
    };
    window.setTimeout = (call, delay = 0) => (timers.set(++ids, {call, at: now + delay}), ids);
    window.clearTimeout = (id) => timers.delete(id);
    window.AudioContext = class {
        state = "running";
        createGain() { return {connect() {}}; }
        close() {}
    };
    performance.now = () => now;
    const attempts = Array.from({length: people}, () => []);
    const note = (text) => {  // one attempt may try several ways at once
        const mine = attempts[Number(/person\\.(\\d+)/.exec(text)[1])];
        if (mine.at(-1) !== now / 1000) mine.push(now / 1000);
    };
    window.fetch = (_, {body}) => { note(body); return Promise.reject(new TypeError("refused")); };
    window.WebSocket = class {
        constructor(_, protocols) {
            note(protocols[1]);
            queueMicrotask(() => this.onclose?.({code: 1006, reason: ""}));
        }
        close() {}
    };
    const settled = () => new Promise((resolve) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => { channel.port1.close(); resolve(); };
        channel.port2.postMessage(null);
    });
    const {Client, ParleyError} = await import("/parley.js");
    const lost = new ParleyError("connection_lost", "The server is gone.");
    for (let person = 0; person < people; person++) {
        new Client("/ws", `person.${person}`, {room: "x", microphone: false}).signaling.onLost(lost);
    }
    while (true) {
        const due = [...timers].reduce((first, one) => (one[1].at < first[1].at ? one : first));
        if (due[1].at > seconds * 1000) return attempts;
        now = due[1].at;
        for (const [id, {call, at}] of [...timers]) {
            if (at === now) { timers.delete(id); call(); }
        }
        await settled();
    }
}"""


@pytest.fixture(scope="module")
def attempts(stub: tuple[str, str], browser: Browser) -> list[list[float]]:
    """For each person the seconds after the loss at which the server is tried."""
    page = browser.new_page()
    page.goto(f"{stub[0]}/blank")
    tried: list[list[float]] = page.evaluate(ATTEMPTS, [PEOPLE, WITHIN + 6])
    page.close()
    return tried


def joins(attempts: Sequence[Sequence[float]], back: float) -> list[float]:
    """When each comes in, if the server is there again after `back` seconds."""
    return sorted(next(at for at in tried if at >= back) for tried in attempts)


def peak(times: Sequence[float], window: float = 1.0) -> int:
    """The most in any window of so many seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] > window:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_a_server_that_comes_back_is_never_stormed(attempts: list[list[float]]) -> None:
    worst = 0.0
    for tenth in range(1, int(WITHIN * 10)):
        times = joins(attempts, tenth / 10)
        spread = max(1.0, times[-1] - times[0])
        worst = max(worst, peak(times) / (PEOPLE / spread))
    assert worst <= 2.0


def test_everybody_tries_again_within_five_seconds_of_the_return(attempts: list[list[float]]) -> None:
    for tenth in range(1, int(WITHIN * 10)):
        assert joins(attempts, tenth / 10)[-1] - tenth / 10 <= 5.0


def test_a_short_interruption_is_soon_over(attempts: list[list[float]]) -> None:
    assert all(tried[0] <= 0.4 for tried in attempts)
    assert all(tried[2] >= 0.4 for tried in attempts), "three attempts at once help nobody"
    assert all(len(tried) <= 15 for tried in attempts)
