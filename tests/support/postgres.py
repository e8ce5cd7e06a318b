"""A real PostgreSQL for one test worker: a cluster in a folder of its own, on a free port, gone at the end.

It leaves writing through to the disk to the kernel (fsync off): what it has committed outlives its crash, not ours.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.support import components
from tests.support.patience import PATIENCE
from tests.support.ports import free_tcp_port

_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "timezone": "Asia/Kolkata",  # not UTC: what takes the server's zone for granted fails
    "logging_collector": "off",
}


class PostgresServer:
    """Starts, stops, kills and starts again one PostgreSQL; its port stays the same."""

    def __init__(self) -> None:
        self._bin = components.require("postgresql").parent
        self.folder = Path(tempfile.mkdtemp(prefix="parley-postgres-"))
        self.data = self.folder / "data"
        self.port = free_tcp_port()
        self._databases = 0

    def __enter__(self) -> Self:
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "-D", self.data, "-U", "parley", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
        options += f" -p {self.port} -k {self.folder}"
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-t", round(PATIENCE), "-D", self.data, "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """End it: `fast` cuts its connections, `immediate` ends it as a crash would."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", self.data, check=False)

    def freeze(self) -> None:
        """All of its processes stop where they are: it answers nothing, and closes nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        parent = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for process in (parent, *map(int, children)):
            os.kill(process, number)

    def new_database(self, template: str = "template0") -> str:
        """The URL of an empty database, or of a copy of one that nobody is connected to."""
        self._databases += 1
        name = f"parley_{self._databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", "parley", "-T", template, name)
        return self.url(name)

    def url(self, name: str, port: int | None = None) -> str:
        """The URL of a database, perhaps by way of a proxy's port."""
        return f"postgresql://parley@127.0.0.1:{port or self.port}/{name}"

    def _run(self, program: str, *arguments: object, check: bool = True) -> None:
        # PostgreSQL refuses to run as root.
        user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*user, str(self._bin / program), *map(str, arguments)]
        log = self.folder / f"{program}.out"
        with log.open("wb") as out:
            done = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=PATIENCE,
                check=False,
            )
        assert not check or done.returncode == 0, f"{program} failed:\n{log.read_text(errors='replace')}"
