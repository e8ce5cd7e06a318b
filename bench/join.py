"""How long a join takes, and how much memory a participant keeps in the server.

The server is `parley serve --dev`, as users start it, in its own process. 200 people join 20 rooms of 10, ten
at a time, from two other processes: WebSocket, token, `join`, then an offer with a microphone and eight slots, as the
page makes it. `connect_p50_ms` and `connect_p95_ms` are from sending `offer` to agreed SRTP keys at the client:
signaling, ICE and DTLS. The microphone is on from then, as in a browser. When all are there, everybody says half a
second of audio, room after room, hears the eight others for whom there are slots, and reports. `rss_per_participant_kb`
is the server's resident memory after that, with all 200 still connected, less what it was before the first came,
divided by their number. `bare_handshake_ms` is one DTLS handshake of two ends in one process, without a network.
`ready_after_start_ms` is from the start of the process to the first 200 of `/ready`. Each start is beside a Python that
only imports what no server could do without (`aiohttp`, `sqlalchemy`, `OpenSSL`): `start_ratio` is how many times
longer the server takes, and `restart_ratio` how many times longer with the database that the first start has made.

`--quick` starts the server fewer times for these. All times are medians where nothing else is said.
"""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.forward import child
from bench.joiners import Login, run
from bench.peer_dtls import ALL_PROFILES, DtlsEnd, Identity
from bench.report import Figure, options, report

PEOPLE = 200
ROOM = 10
PROCESSES = 2
AT_ONCE = 10
HANDSHAKES = 100
STARTS, STARTS_QUICK = 7, 3
BARE_IMPORTS = "import aiohttp, sqlalchemy, OpenSSL"
START_WITHIN = 30.0
ANSWER_WITHIN = 120.0
LOOK_EVERY = 0.002
SETTLE_EVERY, SETTLED_LOOKS, MOST_LOOKS, STILL_KB = 0.5, 6, 60, 512
"""Of a server's memory: seconds between looks, looks that must agree, looks at the most, and to how many KB."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    url: str
    ready_after: float

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its HTTP."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def cpu_seconds(self) -> float:
        """CPU time that it has spent, in user and kernel mode (proc(5), fields 14 and 15 of stat)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kb(self) -> int:
        """What it has in memory now (Linux; `Rss` of smaps_rollup)."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Rss:"))

    def settle(self) -> None:
        """Wait until its memory stands still: what a start leaves for later is there then, aiortc and all models."""
        looks = [self.resident_kb()]
        while len(looks) < SETTLED_LOOKS or max(looks[-SETTLED_LOOKS:]) - min(looks[-SETTLED_LOOKS:]) > STILL_KB:
            if len(looks) == MOST_LOOKS:
                raise RuntimeError("the server's memory does not come to rest")
            time.sleep(SETTLE_EVERY)
            looks.append(self.resident_kb())


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """`parley serve --dev` on free ports with a folder of its own, and with these settings.

    Raises RuntimeError where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder, server_in(folder, **settings) as running:
        yield running


@contextmanager
def server_in(folder: str, **settings: str) -> Iterator[Server]:
    """The same, keeping its data in a folder that may have been used before."""
    port, media_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
    command = [str(Path(sys.executable).with_name("parley")), "serve", "--dev", "--data-dir", f"{folder}/data"]
    command += ["--port", str(port), "--media-port", str(media_port)]
    command += ["--set", "media_bind=127.0.0.1", "--set", "rate_limit_rpm=100000"]
    # The bench must not refuse joins because other work slows the host down.
    command += ["--set", "overload_lag=10"]
    environment = ["env", *(f"PARLEY_{name.upper()}={value}" for name, value in settings.items())]
    began = time.perf_counter()
    log = Path(folder, "server.log")
    with log.open("wb") as written:
        process = subprocess.Popen([*environment, *command], cwd=folder, stdout=written, stderr=subprocess.STDOUT)
    try:
        while not _ready(port):
            if process.poll() is not None or time.perf_counter() - began > START_WITHIN:
                raise RuntimeError(f"the server did not start:\n{log.read_text()}")
            time.sleep(LOOK_EVERY)
        yield Server(process, f"http://127.0.0.1:{port}", time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds of one pair of starts, and of the bare imports beside them."""

    bare: float
    first: float
    again: float


def measure_start() -> Start:
    """Bare imports, a start without a database, and one with the database of the first."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", BARE_IMPORTS], check=True)
        bare = time.perf_counter() - began
        with server_in(folder) as running:
            first = running.ready_after
        with server_in(folder) as running:
            return Start(bare, first, running.ready_after)


def free_port(kind: socket.SocketKind) -> int:
    """Return a free port."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def bare_handshake() -> float:
    """Seconds that one DTLS handshake takes, both ends together."""
    ours, theirs = Identity(), Identity()
    client = DtlsEnd(ours, ALL_PROFILES, theirs.fingerprint, client=True)
    end = DtlsEnd(theirs, ALL_PROFILES, ours.fingerprint, client=False)
    ours.context(ALL_PROFILES)
    began = time.perf_counter()
    client.start()
    end.start()
    while "connecting" in (client.state, end.state):
        for sender, receiver in ((client, end), (end, client)):
            out, sender.out = sender.out, []
            for record in out:
                receiver.receive(record)
    if (client.state, end.state) != ("connected", "connected"):
        raise RuntimeError("a bare handshake has failed")
    return time.perf_counter() - began


def logins() -> list[Login]:
    """Who sits where: rooms are filled one after the other."""
    return [(number // ROOM, f"room-{number // ROOM}", f"person-{number}") for number in range(PEOPLE)]


def ask(pipes: Sequence[Connection], order: str | None) -> list[Any]:
    """Tell all processes of joiners to do something; what each says of it."""
    for pipe in pipes:
        if order is not None:
            pipe.send(order)
    answers = []
    for pipe in pipes:
        if not pipe.poll(ANSWER_WITHIN):
            raise RuntimeError(f"joiners did not answer to {order or 'their start'}")
        answers.append(pipe.recv())
    return answers


def measure_joins(running: Server) -> tuple[list[float], float]:
    """Seconds of each join, and KB for each participant."""
    everyone = logins()
    with ExitStack() as stack:
        shares = [everyone[number::PROCESSES] for number in range(PROCESSES)]
        at_once = AT_ONCE // PROCESSES
        pipes = [stack.enter_context(child(run, running.url, share, at_once)) for share in shares]
        ask(pipes, None)
        running.settle()
        before = running.resident_kb()
        seconds = [one for share in ask(pipes, "join") for one in share]
        ask(pipes, "talk")
        connected = sum(ask(pipes, "count"))
        after = running.resident_kb()
        if connected != PEOPLE or len(seconds) != PEOPLE:
            raise RuntimeError(f"of {PEOPLE} people {connected} are connected and have heard others")
        ask(pipes, "close")
    return seconds, (after - before) / PEOPLE


def main() -> None:
    """Measure and report."""
    chosen = options(__doc__)
    starts = [measure_start() for _ in range(STARTS_QUICK if chosen.quick else STARTS)]
    with server() as running:
        handshakes = [bare_handshake() for _ in range(HANDSHAKES)]
        seconds, memory = measure_joins(running)
    report(
        "join",
        [
            Figure("connect_p50_ms", statistics.median(seconds) * 1000, "ms", 100),
            Figure("connect_p95_ms", statistics.quantiles(seconds, n=20)[-1] * 1000, "ms"),
            Figure("bare_handshake_ms", statistics.median(handshakes) * 1000, "ms"),
            Figure("rss_per_participant_kb", memory, "KB", 135),
            Figure("ready_after_start_ms", statistics.median(start.first for start in starts) * 1000, "ms", 1500),
            Figure("start_ratio", statistics.median(start.first / start.bare for start in starts), "", 2),
            Figure("restart_ratio", statistics.median(start.again / start.bare for start in starts), "", 2),
        ],
        chosen.json,
    )


if __name__ == "__main__":
    main()
