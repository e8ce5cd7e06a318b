"""A failing test is named when it fails, and a run that is stopped says what has failed so far."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import threading

import pytest

def test_passes():
    pass

def test_fails():
    assert 1 + 1 == 3, "the sum\\nis wrong"

@pytest.fixture
def broken():
    raise KeyError("no fixture")

def test_has_no_fixture(broken):
    pass

@pytest.mark.xdist_group("last")
def test_hangs():
    with open({fifo!r}, "w") as fifo:
        fifo.write("hanging")
    threading.Event().wait()
"""

STARTS = """
import pytest

class Starts:
    def __init__(self, config):
        self.config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logstart(self, nodeid):
        if "hangs" in nodeid:
            self.config.pluginmanager.get_plugin("terminalreporter").write_line("STARTED")

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Starts(config))
"""
"""A conftest.py: the run says that it knows of the last test's start, which a worker's message may bring late."""

PLUGINS = ("tests.support.failures", "pytest_asyncio.plugin", "pytest_timeout", "xdist.plugin", "no:cacheprovider")
"""What pyproject.toml has options for. The others that are installed take a second to import."""

FAILED = "FAILED test_some.py::test_fails - AssertionError: the sum"
BROKEN = "ERROR test_some.py::test_has_no_fixture - KeyError: 'no fixture'"


class Run:
    """pytest in a process group of its own, over one file with tests."""

    def __init__(self, folder: Path, source: str, *options: str) -> None:
        (folder / "test_some.py").write_text(source)
        (folder / "conftest.py").write_text(STARTS)
        command = [sys.executable, "-m", "pytest", *(word for plugin in PLUGINS for word in ("-p", plugin))]
        command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "test_some.py", *options]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def lines(self) -> list[str]:
        """What it prints until it ends."""
        return self.process.communicate()[0].splitlines()

    def lines_to(self, *wanted: str) -> list[str]:
        """What it prints until each of these lines has come."""
        assert self.process.stdout is not None
        lines, missing = [], set(wanted)
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            missing -= {lines[-1]}
            if not missing:
                return lines
        raise AssertionError("\n".join(lines))


@pytest.mark.parametrize("workers", [[], ["-n2", "--dist=loadgroup"]], ids=["one process", "workers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_run_says_what_has_failed(workers: list[str], number: signal.Signals, tmp_path: Path) -> None:
    fifo = tmp_path / "hanging"
    os.mkfifo(fifo)
    with Run(tmp_path, TESTS.format(fifo=str(fifo)), *workers) as run:
        assert fifo.read_text() == "hanging"
        # Each has been printed while the last test still runs.
        run.lines_to(FAILED, BROKEN, "STARTED")
        # As a terminal and `timeout` do: to the workers too.
        os.killpg(run.process.pid, number)
        after = run.lines()
    reason = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    # The last reports of the workers may be on their way.
    stopped = re.compile(rf"Stopped \({re.escape(reason)}\) after [1-3] tests, 2 failed")
    said = after[after.index(next(filter(stopped.fullmatch, after))) :]
    assert sorted(said[1:3]) == sorted([FAILED, BROKEN])
    assert "RUNNING test_some.py::test_hangs" in said
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "workers"])
def test_a_file_that_cannot_be_read_is_named(workers: list[str], tmp_path: Path) -> None:
    with Run(tmp_path, "import no_such_module", *workers) as run:
        assert "ERROR test_some.py - ModuleNotFoundError: No module named 'no_such_module'" in run.lines()


def test_a_run_that_is_stopped_without_a_failure_says_so(tmp_path: Path) -> None:
    fifo = tmp_path / "hanging"
    os.mkfifo(fifo)
    with Run(tmp_path, TESTS.format(fifo=str(fifo)), "-k", "passes or hangs") as run:
        assert fifo.read_text() == "hanging"
        run.process.send_signal(signal.SIGTERM)
        assert "Stopped (SIGTERM) after 1 tests, none failed" in run.lines()
