"""A real `parley serve --dev` in a process of its own, on free ports, with a data folder of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from tests.support.patience import PATIENCE
from tests.support.ports import free_tcp_port, free_udp_port

LOOK_EVERY = 0.05

COMPLAINTS = re.compile(r'Traceback|was never (retrieved|awaited)|Warning: |"level": ?"(error|critical)"')
"""What no healthy server writes. Logs of a person's mistake are at level `info` or `warning`."""


class ServerProcess:
    """Starts, stops, kills and starts again one server; its ports stay the same.

    `folder` gets `data/`, `stdout.log` and `stderr.log`. Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(self, folder: Path, *, parley: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_tcp_port()
        self.media_port = free_udp_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [str(parley or Path(sys.executable).with_name("parley")), "serve", "--dev"]
        self.settings = {
            "PARLEY_PORT": str(self.port),
            "PARLEY_MEDIA_PORT": str(self.media_port),
            "PARLEY_DATA_DIR": str(folder / "data"),
            "PARLEY_LOG_FORMAT": "json",
            # A machine that other work slows down is no reason to send anybody away from a test.
            "PARLEY_OVERLOAD_LAG": "10",
            **(settings or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()

    @property
    def stdout(self) -> str:
        """All that was written to standard output so far, by every start."""
        return (self.folder / "stdout.log").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """All that was written to standard error so far, by every start."""
        return (self.folder / "stderr.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until `/ready` says yes."""
        # Nothing of this process's own settings may reach the server, nor may it find packages by way of its folder.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "PYTHON"))}
        with (self.folder / "stdout.log").open("ab") as out, (self.folder / "stderr.log").open("ab") as err:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=inherited | self.settings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        deadline = monotonic() + PATIENCE
        while not self.is_ready():
            if monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server was not ready within {PATIENCE} s:\n{self.stderr}")
            self._expect_alive()

    def is_ready(self) -> bool:
        """Whether `/ready` answers 200 now."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """Ask it to end as a service manager does. It must: in time, with status 0 and nothing to complain of."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not stop within {PATIENCE} s:\n{self.stderr}") from None
        assert status == 0, f"the server ended with status {status}:\n{self.stderr}"
        complaint = COMPLAINTS.search(self.stderr + self.stdout)
        assert complaint is None, f"the server complained ({complaint[0]!r}):\n{self.stderr}"

    def kill(self) -> None:
        """End it as a crash would (SIGKILL). Harmless where it is not running."""
        if self.process is not None:
            process, self.process = self.process, None
            process.kill()
            process.wait()

    def _expect_alive(self) -> None:
        """Wait a moment for the process to end, which it should not."""
        assert self.process is not None
        try:
            status = self.process.wait(LOOK_EVERY)
        except subprocess.TimeoutExpired:
            return
        self.process = None
        raise AssertionError(f"the server ended with status {status} before it was ready:\n{self.stderr}{self.stdout}")
