"""A pytest plugin: `--cpu FILE` says which folders and files of tests take how many seconds of CPU.

A test is charged with all that its worker has used since the test before it ended: its fixtures, the servers and
browsers that it drives, and what those have started. FILE gets a line of JSON for each file: its name, its number of
tests, and seconds of CPU in the worker, of CPU in other processes, and of wall time.
"""

import ctypes
import json
import os
import resource
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2): a daemon that a test has started stays its worker's child, and is counted."""

OWN, OTHERS, WALL = range(3)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found.extend(map(int, (task / "children").read_text().split()))
    return found


def _living(pid: int) -> float:
    """Seconds of CPU of the living descendants of a process, and of those that they have waited for."""
    seconds = 0.0
    try:
        for child in _children(pid):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            seconds += sum(map(int, fields[11:15])) / TICKS + _living(child)
    except OSError:
        pass  # It has just ended.
    return seconds


def used() -> tuple[float, float, float]:
    """Seconds until now: of CPU in this process, of CPU in its descendants, and of wall time."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time(), ended.ru_utime + ended.ru_stime + _living(os.getpid()), time.monotonic()


class Meter:
    """In the process that runs the tests: writes into each last report of a test what it has used."""

    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.before = used()

    def pytest_runtestloop(self) -> None:
        self.before = used()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Any:
        report = yield
        if call.when == "teardown":
            now = used()
            report.used = [max(0.0, late - early) for late, early in zip(now, self.before, strict=True)]
            self.before = now
        return report


class Bill:
    """Where the reports arrive: adds them up."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.tests: dict[str, int] = defaultdict(int)
        self.seconds: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])

    def pytest_runtest_logreport(self, report: Any) -> None:
        for kind, seconds in enumerate(getattr(report, "used", ())):
            name = report.nodeid.partition("::")[0]
            self.tests[name] += kind == OWN
            self.seconds[name][kind] += seconds

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        with self.file.open("w") as out:
            for name in sorted(self.seconds):
                print(json.dumps([name, self.tests[name], *self.seconds[name]]), file=out)
        terminalreporter.section("CPU by folder")
        for line in table(self.tests, self.seconds):
            terminalreporter.write_line(line)


def table(tests: dict[str, int], seconds: dict[str, list[float]]) -> Iterable[str]:
    """A line for each folder, the costliest first."""
    folders: dict[str, list[float]] = defaultdict(lambda: [0.0] * 4)
    for name, spent in seconds.items():
        folder = str(Path(name).parent)
        for kind, value in enumerate([tests[name], *spent]):
            folders[folder][kind] += value
            folders["all"][kind] += value
    yield f"{'folder':32}{'tests':>8}{'own':>9}{'others':>9}{'CPU s':>9}{'wall s':>9}"
    for folder, (count, own, others, wall) in sorted(folders.items(), key=lambda item: -item[1][1] - item[1][2]):
        yield f"{folder:32}{count:8.0f}{own:9.1f}{others:9.1f}{own + others:9.1f}{wall:9.1f}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.addoption("--cpu", type=Path, metavar="FILE", help="write the CPU seconds of each file of tests to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Measure in the processes that run tests, and add up where there is a terminal."""
    file = config.getoption("cpu")
    if file is None:
        return
    worker = hasattr(config, "workerinput")
    if worker or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Meter(), "cpu meter")
    if not worker:
        config.pluginmanager.register(Bill(file.resolve()), "cpu bill")
