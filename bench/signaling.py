"""What signaling costs: messages, answers, idle sockets, and pages of long lists.

The server is `parley serve --dev` in a process of its own; clients are plain sockets in another one.

`messages_per_second`: 400 people in 40 rooms, each with one request under way: in turn a `ping`, and a `message` to one
other person, which goes on to them. Counted are requests that were answered, for each second of CPU that the server
spent: the work of one core, independent of other load on the host. `answered_per_second` is the same by the clock.
`echo_per_second` is a bare aiohttp WebSocket that sends back what it gets, by CPU, in the same run, and `echo_ratio`
how many of its echoes one of our requests costs (a `message` is two frames out).

`request_p99_ms`: 2,000 sockets are connected and authenticated, and 500 pings a second go around among them; the 99th
percentile of the time to the answer. `rss_per_socket_kb`: what the server's resident memory has grown by, for each of
them.

`list_rooms_p99_ms` and `history_p99_ms`: `GET` of a page of 50, somewhere in 100,000 rooms, and in 1,000,000 past
participants; asked over HTTP one after the other, of a server on SQLite and of one on PostgreSQL. The figure is the
worse of the two; both are shown.

`--quick` floods for a shorter time and asks for fewer pages.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from bench import echo, pages, sockets
from bench.forward import child
from bench.join import Server, server
from bench.report import Figure, options, report
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens

TALKERS, ROOM = 400, 10
SOCKETS = 2000
PINGS = 500.0
SECRET = "signaling-bench-of-one-machine-and-one-run"
_SETTLE = 1.0


class Pace(NamedTuple):
    """How much is measured."""

    flood: float
    pace: float
    pages: int


FULL, QUICK = Pace(10.0, 10.0, 600), Pace(1.5, 2.5, 150)
SETTINGS = {"jwt_secret": SECRET, "messages_per_second": "1000", "joins_per_minute": "1000"}


def tokens(people: int, rooms: bool) -> list[sockets.Login]:
    """A token for each, and a room where they have one."""
    issuer = Tokens(SECRET)
    utc = datetime.now(UTC)
    logins = []
    for number in range(people):
        room = f"room-{number // ROOM}"
        token = issuer.issue(f"person-{number}", grants=Grants.for_room(room), utc=utc, lifetime=timedelta(hours=1))
        logins.append((token, room if rooms else ""))
    return logins


@contextmanager
def clients(running: Server, logins: list[sockets.Login], path: str = "/ws") -> Iterator[Connection]:
    """Start a process that connects all these clients."""
    with child(sockets.run, running.address, logins, path) as pipe:
        if answer(pipe) != len(logins):
            raise RuntimeError("not everybody could connect")
        yield pipe
        pipe.send("close")
        answer(pipe)


def answer(pipe: Connection) -> Any:
    """What the clients say."""
    if not pipe.poll(120.0):
        raise RuntimeError("the clients do not answer")
    return pipe.recv()


def measure_flood(
    running: Server, logins: list[sockets.Login], seconds: float, path: str = "/ws"
) -> tuple[float, float]:
    """Requests for each second of the server's CPU, and by the clock."""
    with clients(running, logins, path) as pipe:
        pipe.send(("flood", min(1.0, seconds)))
        answer(pipe)
        before = running.cpu_seconds()
        pipe.send(("flood", seconds))
        answered, spent = answer(pipe)
        cpu = running.cpu_seconds() - before
    if not answered:
        raise RuntimeError("nothing was answered")
    return answered / cpu, answered / spent


def measure_sockets(running: Server, seconds: float) -> tuple[float, float]:
    """The 99th percentile of an answer in seconds, and KB a socket."""
    running.settle()
    before = running.resident_kb()
    with clients(running, tokens(SOCKETS, rooms=False)) as pipe:
        time.sleep(_SETTLE)
        memory = (running.resident_kb() - before) / SOCKETS
        pipe.send(("pace", seconds, PINGS))
        took = answer(pipe)
    return statistics.quantiles(took, n=100)[-1], memory


def main() -> None:
    """Measure and report."""
    chosen = options(__doc__)
    pace = QUICK if chosen.quick else FULL
    with echo.server() as bare:
        echoes, _ = measure_flood(bare, [("", "")] * TALKERS, pace.flood, "/echo")
    with server(**SETTINGS) as running:
        messages, by_clock = measure_flood(running, tokens(TALKERS, rooms=True), pace.flood)
    with server(**SETTINGS) as running:
        p99, memory = measure_sockets(running, pace.pace)
    found = {kind: pages.measure(kind, SECRET, pace.pages) for kind in pages.KINDS}
    report(
        "signaling",
        [
            Figure("messages_per_second", messages, "1/s of CPU", 10_000, "higher"),
            Figure("answered_per_second", by_clock, "1/s", better="higher"),
            Figure("echo_per_second", echoes, "1/s of CPU", better="higher"),
            Figure("echo_ratio", echoes / messages, "ratio"),
            Figure("request_p99_ms", p99 * 1000, "ms", 25),
            Figure("rss_per_socket_kb", memory, "KB", 30),
            *_page_figures("list_rooms", {kind: one.rooms for kind, one in found.items()}),
            *_page_figures("history", {kind: one.history for kind, one in found.items()}),
        ],
        chosen.json,
    )


def _page_figures(name: str, seconds: dict[str, list[float]]) -> Iterator[Figure]:
    worst = {kind: statistics.quantiles(took, n=100)[-1] * 1000 for kind, took in seconds.items()}
    yield Figure(f"{name}_p99_ms", max(worst.values()), "ms", 50)
    for kind, value in worst.items():
        yield Figure(f"{name}_{kind}_p99_ms", value, "ms")


if __name__ == "__main__":
    main()
