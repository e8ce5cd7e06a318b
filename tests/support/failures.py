"""A pytest plugin: prints a failure when it happens, and all of them when the run is stopped.

pytest itself prints names at the end, which a run that hangs or is killed never reaches. The lines have the form of
pytest's own summary. Under xdist the controller prints them; a worker prints nothing.
"""

import re
import signal
import threading
from types import FrameType
from typing import Any

import pytest

LONGEST_LINE = 300
"""Characters of the error's first line."""

XDIST_GROUP = re.compile(r"@[\w-]+$")
"""What `--dist loadgroup` appends to the name of a test."""


def first_line(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The first line of the error: the exception's message, else what the text marks with an E, else the text."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = crash.message.splitlines() if crash else report.longreprtext.splitlines()
    marked = [line[1:] for line in lines if line.startswith("E  ")]
    return next((line.strip() for line in [*marked, *lines] if line.strip()), "")[:LONGEST_LINE]


class Failures:
    """Collects the failures of one run and prints them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.lines: list[str] = []
        self.running: list[str] = []
        self.finished = 0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._print_failure("ERROR", report)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running.append(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.running.remove(nodeid)
        self.finished += 1

    # After the terminal reporter, which prints the letter of the test.
    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._print_failure("FAILED" if report.when == "call" else "ERROR", report)

    # Before the fixtures of the run are torn down, which may take longer than whoever stops it will wait.
    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        reason = str(excinfo.value) or "Ctrl-C"
        self._print(f"Stopped ({reason}) after {self.finished} tests, {len(self.lines) or 'none'} failed")
        for line in self.lines:
            self._print(line)
        for name in self.running:
            self._print(f"RUNNING {self._name(name)}")

    def _print_failure(self, word: str, report: pytest.TestReport | pytest.CollectReport) -> None:
        line = f"{word} {self._name(report.nodeid)} - {first_line(report)}"
        self.lines.append(line)
        self._print(line)

    def _name(self, nodeid: str) -> str:
        """As pytest takes it on its command line."""
        return self.config.cwd_relative_nodeid(XDIST_GROUP.sub("", nodeid))

    def _print(self, line: str) -> None:
        terminal: Any = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            writer = terminal._tw
            if writer.width_of_current_line:
                writer.line()
            writer.line(line, red=True)
            terminal.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End the run as Ctrl-C does, with all its fixtures torn down."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def pytest_configure(config: pytest.Config) -> None:
    """Turn SIGTERM into KeyboardInterrupt, in workers too; watch for failures where there is a terminal."""
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _interrupt)
        config.add_cleanup(lambda: signal.signal(signal.SIGTERM, before))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(config), "failures")
