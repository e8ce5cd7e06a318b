"""The programs that tests drive. Where one is missing, a test is skipped on a person's machine; CI=true fails it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def _on_path(*names: str) -> Callable[[], Path | None]:
    return lambda: next((Path(path) for name in names if (path := shutil.which(name))), None)


def _built_by_playwright(pattern: str) -> Path | None:
    # What `make setup` falls back to where apt only has a snap.
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
    return next(iter(sorted(cache.glob(pattern), reverse=True)), None)


def _chromium() -> Path | None:
    return _on_path("chromium", "google-chrome")() or _built_by_playwright("chromium-*/chrome-linux*/chrome")


def _headless_shell() -> Path | None:
    # The same Chromium without its windows: half the CPU. Where it is not to be had, Chromium itself does as well.
    built = _built_by_playwright("chromium_headless_shell-*/*/*headless*shell")
    return _on_path("chromium-headless-shell")() or built or _chromium()


def _postgresql() -> Path | None:
    # Debian keeps the server's programs out of PATH, by version.
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return versions[-1] if versions else _on_path("postgres")()


def _libfaketime() -> Path | None:
    # The one for programs with threads; a library for LD_PRELOAD, so it is in no PATH.
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def _gstreamer() -> Path | None:
    # The Python that has GStreamer's bindings is the system's, whatever runs the tests.
    wanted = (
        "*/gstreamer-1.0/libgstwebrtc.so",
        "*/gstreamer-1.0/libgstnice.so",
        "*/gstreamer-1.0/libgstopus.so",
        "*/gstreamer-1.0/libgstrtp.so",
        "*/girepository-1.0/GstWebRTC-1.0.typelib",
        "python3/dist-packages/gi/__init__.py",
    )
    python = Path("/usr/bin/python3")
    return python if python.exists() and all(any(Path("/usr/lib").glob(one)) for one in wanted) else None


FINDERS: dict[str, Callable[[], Path | None]] = {
    "chromium": _chromium,
    "chromium-headless-shell": _headless_shell,
    "postgresql": _postgresql,
    "redis-server": _on_path("redis-server"),
    "coturn": _on_path("turnserver"),
    "faketime": _libfaketime,
    "nodejs": _on_path("node"),
    "curl": _on_path("curl"),
    "espeak-ng": _on_path("espeak-ng"),
    "gstreamer1.0-nice": _gstreamer,
}
"""By the name of Debian's package."""


def require(package: str) -> Path:
    """The program of a package; where it is missing, the test ends here with the line that installs it."""
    if path := FINDERS[package]():
        return path
    line = f"{package} is missing; install it with: make setup   (or: sudo apt-get install {package})"
    if os.environ.get("CI") == "true":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)
