"""A person in Chromium: a page that uses the SDK, a voice of its own, and ears that name what they hear."""

import json
from dataclasses import astuple, dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

from tests.support.client import CONVINCED, QUIET
from tests.support.patience import PATIENCE

EARS = Path(__file__).with_name("pages").joinpath("ears.js").read_text(encoding="utf-8")


def dev_token(url: str, name: str, room: str) -> str:
    """A token from the server's own desk for people who try it out."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
    try:
        body = json.dumps({"name": name, "room": room})
        connection.request("POST", "/dev/token", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        return str(json.load(answer)["token"])
    finally:
        connection.close()


@dataclass(frozen=True)
class Reception:
    """Packets that came, that were lost and that brought FEC with them; samples made up for want of any, and all."""

    received: int
    lost: int
    fec: int
    concealed: int
    samples: int

    def __sub__(self, before: "Reception") -> "Reception":
        return Reception(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.share_lost:.2%} lost, {self.fec} of {self.received} with FEC, {self.share_concealed:.2%} concealed"
        )

    @property
    def share_lost(self) -> float:
        """Of the packets that were sent, 0 to 1."""
        return self.lost / (self.lost + self.received)

    @property
    def share_concealed(self) -> float:
        """Of the samples that were played, 0 to 1."""
        return self.concealed / self.samples


class Person:
    """Somebody called `name`, whose voice has `frequency` Hz."""

    def __init__(self, name: str, frequency: int, page: Page) -> None:
        self.name = name
        self.frequency = frequency
        self.page = page
        self.id = ""

    def join(
        self,
        url: str,
        room: str,
        *,
        token: str | None = None,
        media_port: int | None = None,
        **options: object,
    ) -> "Person":
        """Enter a room; returns when media is connected. `media_port` is that of a relay to the server."""
        # Any page of the server will do; this one has no client of its own.
        self.page.goto(f"{url}/parley.js")
        self.page.evaluate(EARS)
        if media_port is not None:
            self.page.evaluate("port => relayTo(port)", media_port)
        given = token or dev_token(url, self.name, room)
        self.id = self.page.evaluate(
            "([token, options]) => join(token, options)", [given, {"room": room, "displayName": self.name, **options}]
        )
        self.until("client.state === 'connected'")
        return self

    def call(self, expression: str, argument: object = None) -> Any:
        """What an expression of the page gives, with `client`, `ears` and `events` in reach."""
        return self.page.evaluate(expression, argument)

    def until(self, expression: str, argument: object = None, within: float = PATIENCE) -> None:
        """Wait until an expression of the page, in which `given` is the argument, holds."""
        wait = f"([given, milliseconds]) => until(() => ({expression}), milliseconds)"
        self.page.evaluate(wait, [argument, within * 1000])

    def now(self) -> float:
        """The page's clock, in milliseconds."""
        return float(self.call("performance.now()"))

    def hears(self, *others: "Person | float", within: float = PATIENCE) -> None:
        """Wait until each of these voices is heard, from now on."""
        wanted = [_frequency(other) for other in others]
        look = "given.hz.every((one) => ears.times(one, given.since).length >= given.times)"
        self.until(look, {"hz": wanted, "since": self.now(), "times": CONVINCED}, within)

    def hears_no_longer(self, *others: "Person | float", within: float = PATIENCE) -> None:
        """Wait until none of these voices has been heard for a second."""
        wanted = [_frequency(other) for other in others]
        look = "performance.now() - Math.max(given.since, ...given.hz.flatMap((one) => ears.times(one))) > given.quiet"
        self.until(look, {"hz": wanted, "since": self.now(), "quiet": QUIET * 1000}, within)

    def has_heard(self, other: "Person | float", since: float = 0.0) -> int:
        """How many looks since a moment of `now()` found this voice."""
        return int(self.call("([hz, since]) => ears.times(hz, since).length", [_frequency(other), since]))

    def longest_gap(self, other: "Person | float", since: float) -> float:
        """Seconds of the longest pause in this voice since a moment of `now()`."""
        look = "([hz, since]) => ears.longestGap(hz, since)"
        return float(self.call(look, [_frequency(other), since])) / 1000

    def share_heard(self, other: "Person | float", since: float) -> float:
        """The share of looks since a moment of `now()` that found this voice, 0 to 1."""
        return float(self.call("([hz, since]) => ears.share(hz, since)", [_frequency(other), since]))

    def reception(self, other: "Person") -> Reception:
        """What this browser has counted so far of the stream in which the other is heard."""
        counted = self.call("id => reception(id)", other.id)
        return Reception(
            received=counted["packetsReceived"],
            lost=counted["packetsLost"],
            fec=counted["fecPacketsReceived"],
            concealed=counted["concealedSamples"],
            samples=counted["totalSamplesReceived"],
        )

    def until_received(self, other: "Person", count: str, amount: int, within: float = PATIENCE) -> None:
        """Wait until the browser has counted so much more of the other's stream, by the W3C's name of the count."""
        start = self.call("([id, count]) => reception(id).then((one) => one[count])", [other.id, count])
        look = "reception(given.id).then((one) => one[given.count] >= given.until)"
        self.until(look, {"id": other.id, "count": count, "until": start + amount}, within)

    def packets_sent(self) -> int:
        """How many packets of the microphone were sent, 50 a second."""
        return int(self.call("packetsSent()"))

    def note(self, other: "Person", seconds: float) -> None:
        """Begin to note how loud the other is here, or this person's own microphone, in each 10 ms to come."""
        self.call("([id, count]) => note(id, count)", [other.id, round(seconds * 100)])

    def noted(self, other: "Person") -> list[float]:
        """What was noted of the other, when all of it was."""
        return list(self.call("id => notes[id]", other.id))

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the client told of under this name."""
        return list(self.call("(name) => events.filter((one) => one.name === name)", name))


def _frequency(who: "Person | float") -> float:
    return who.frequency if isinstance(who, Person) else who
