"""What forwarding a packet costs, beside the least that it can cost in Python on the same machine.

A room of three talkers (50 packets a second each) and 1, 10 or 40 listeners, all of them real peers on loopback in
other processes, is forwarded by the real media server in a process of its own. `us_fanout_N` is all CPU time of that
process (receiving, reports and timers included) divided by the packets that it sent. `floor_us_fanout_N` is the CPU
time of a program that does header, pylibsrtp `protect` and `sendto` for as many listeners at the same packet times; its
waking up is not counted. Real and floor take turns; the ratio is the median of the rounds.

`receive_us` is the whole receive side of one packet, from the wake-up to an (empty) slot table: CPU of a server with
ten talkers whom nobody hears, less what the same server uses when nobody talks. `receive_floor_us` is CPU of a program
that does `recvfrom` and `unprotect` for the same packets at the same times, its waking up included.

`added_latency_p99_ms` is from `sendto` in the talker to the kernel's time of arrival at the listener, at fan-out 40;
`latency_ratio` is that over the same of a bare relay, which sends what it receives as it is.

`idle_rooms_core_percent` is the CPU time that a server with 5,000 rooms of two participants without media uses, of the
time that passes.
"""

import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from bench.crowd import host, listen, talk
from bench.floor import receive_floor, relay, send_floor
from bench.report import Figure, options, report

FANOUTS = (1, 10, 40)
TALKERS = 3
LONE_TALKERS = 10
PACKET_SECONDS = 0.02
LEAD = 0.3
"""Seconds between giving the times of a round and its first packet."""

IDLE_ROOMS, IDLE_PEOPLE = 5000, 2
SETTLING = 2.0
"""Seconds after the idle rooms were made: what their making leaves behind is not their idling."""

REACH = {"ratio_fanout_40": 1.5, "receive_ratio": 3.0, "latency_ratio": 2.0, "idle_rooms_core_percent": 3.0}

Times = list[tuple[float, int]]


def times(talkers: int, seconds: float) -> Times:
    """When which talker sends, from `LEAD` from now on: each every 20 ms, at a phase of its own."""
    start = time.monotonic() + LEAD
    chance = random.Random(talkers)
    phases = [chance.uniform(0, PACKET_SECONDS) for _ in range(talkers)]
    count = round(seconds / PACKET_SECONDS)
    return sorted(
        (start + phase + number * PACKET_SECONDS, who) for who, phase in enumerate(phases) for number in range(count)
    )


@contextmanager
def child(target: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """Another process that is given one end of a pipe; the other end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.terminate()
        process.join()


class Bench:
    """The processes that live through the whole bench, and the rounds that are measured with them."""

    def __init__(self, server: Connection, talkers: Connection, listeners: Connection, seconds: float) -> None:
        """`seconds` is the length of a round."""
        self.server = server
        self.talkers = talkers
        self.listeners = listeners
        self.seconds = seconds

    def room(self, fanout: int) -> list[tuple[str, int]]:
        """A new room of so many listeners; their addresses."""
        ask(self.server, ("clear",))
        addresses: list[tuple[str, int]] = ask(self.listeners, ("join", ["room"] * fanout, TALKERS))
        ask(self.talkers, ("join", ["room"] * TALKERS))
        self.hear_with(("talk", times(TALKERS, 0.5)))
        return addresses

    def hear_with(self, command: tuple[str, Times] | tuple[str, Times, object]) -> list[float]:
        """Let the talkers do something while the listeners hear; when each packet was sent."""
        end = command[1][-1][0] + 0.3
        self.listeners.send(("hear", end))
        sent: list[float] = ask(self.talkers, command)
        self.listeners.recv()
        return sent

    def cost(self) -> tuple[float, list[float]]:
        """One real round: microseconds a forwarded packet, and when each packet was sent."""
        plan = times(TALKERS, self.seconds)
        before, counted = ask(self.server, ("spent",))
        sent = self.hear_with(("talk", plan))
        after, counts = ask(self.server, ("spent",))
        forwarded = counts["packets_out"] - counted["packets_out"]
        return (after - before) / forwarded * 1e6, sent

    def floor_cost(self, floor: Connection) -> float:
        """One floor round: microseconds a packet."""
        plan = times(TALKERS, self.seconds)
        self.listeners.send(("hear", plan[-1][0] + 0.3))
        spent, packets = ask(floor, [moment for moment, _ in plan])
        self.listeners.recv()
        return float(spent) / int(packets) * 1e6

    def delays(self, sent: list[float], *, protected: bool) -> list[float]:
        """Seconds that each packet of the last round was on its way."""
        found: list[float] = ask(self.listeners, ("delays", sent, protected))
        if len(found) < len(sent):
            raise RuntimeError(f"{len(sent)} packets were sent, and only {len(found)} were heard")
        return found

    def receive(self, rounds: int) -> tuple[list[float], list[float]]:
        """Microseconds to receive one packet: by the server, and by the floor, for each round."""
        ask(self.server, ("clear",))
        ask(self.talkers, ("join", [f"alone-{number}" for number in range(LONE_TALKERS)]))
        real, least = [], []
        with child(receive_floor) as floor:
            address = floor.recv()
            for _ in range(rounds):
                idle = self._spent_while(partial(time.sleep, self.seconds + LEAD))
                plan = times(LONE_TALKERS, self.seconds)
                spent = self._spent_while(partial(ask, self.talkers, ("talk", plan)))
                real.append((spent - idle) / len(plan) * 1e6)
                plan = times(LONE_TALKERS, self.seconds)
                floor.send(len(plan))
                ask(self.talkers, ("floor", plan, address))
                least.append(floor.recv() / len(plan) * 1e6)
            floor.send(None)
        return real, least

    def _spent_while(self, act: Callable[[], object]) -> float:
        before, _ = ask(self.server, ("spent",))
        act()
        after, _ = ask(self.server, ("spent",))
        return float(after) - float(before)


def ask(pipe: Connection, message: object) -> Any:
    """Send `message` to another process; its answer. Raises RuntimeError where none comes within a minute."""
    pipe.send(message)
    if not pipe.poll(60):
        raise RuntimeError(f"no answer to {str(message)[:60]}")
    return pipe.recv()


def idle_rooms(seconds: float) -> float:
    """Per cent of a core that a server of its own uses for idle rooms, over so many seconds."""
    with child(host) as server:
        ask(server, ("fill", IDLE_ROOMS, IDLE_PEOPLE))
        time.sleep(SETTLING)
        begun, (before, _) = time.monotonic(), ask(server, ("spent",))
        time.sleep(seconds)
        after, _ = ask(server, ("spent",))
        return float(after - before) / (time.monotonic() - begun) * 100


def percentile(values: list[float], part: float) -> float:
    """The value that `part` of all are not above."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def measure(bench: Bench, rounds: int) -> list[Figure]:
    """All figures."""
    found: dict[str, tuple[float, str]] = {}
    for fanout in FANOUTS:
        addresses = bench.room(fanout)
        real, least, late, late_relay = [], [], [], []
        with child(send_floor, addresses) as floor:
            floor.recv()
            for _ in range(rounds):
                cost, sent = bench.cost()
                real.append(cost)
                if fanout == max(FANOUTS):
                    late.append(percentile(bench.delays(sent, protected=True), 0.99))
                least.append(bench.floor_cost(floor))
            floor.send(None)
        found[f"us_fanout_{fanout}"] = statistics.median(real), "us"
        found[f"floor_us_fanout_{fanout}"] = statistics.median(least), "us"
        found[f"ratio_fanout_{fanout}"] = _median_ratio(real, least), "ratio"
    with child(relay, addresses) as relaying:
        address = relaying.recv()
        for _ in range(rounds):
            sent = bench.hear_with(("relay", times(TALKERS, bench.seconds), address))
            late_relay.append(percentile(bench.delays(sent, protected=False), 0.99))
    real, least = bench.receive(rounds)
    found["receive_us"] = statistics.median(real), "us"
    found["receive_floor_us"] = statistics.median(least), "us"
    found["receive_ratio"] = _median_ratio(real, least), "ratio"
    found["idle_rooms_core_percent"] = idle_rooms(4 * bench.seconds), "percent"
    found["added_latency_p99_ms"] = statistics.median(late) * 1e3, "ms"
    found["relay_latency_p99_ms"] = statistics.median(late_relay) * 1e3, "ms"
    found["latency_ratio"] = statistics.median(late) / statistics.median(late_relay), "ratio"
    return [Figure(name, value, unit, REACH.get(name)) for name, (value, unit) in found.items()]


def _median_ratio(values: list[float], floors: list[float]) -> float:
    return statistics.median(value / floor for value, floor in zip(values, floors, strict=True))


def main() -> None:
    """Run the bench as the command line asks."""
    asked = options(__doc__)
    context = multiprocessing.get_context("spawn")
    talk_here, talk_there = context.Pipe()
    listen_here, listen_there = context.Pipe()
    with (
        child(host, talk_there, listen_there) as server,
        child(talk, talk_here) as talkers,
        child(listen, listen_here) as listeners,
    ):
        bench = Bench(server, talkers, listeners, seconds=1.0 if asked.quick else 4.0)
        figures = measure(bench, rounds=3 if asked.quick else 5)
    report("forward", figures, asked.json)


if __name__ == "__main__":
    main()
