"""Runs a command and starts it again whenever a source file changes: restart_on_change.py COMMAND [ARGUMENT ...]."""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WATCHED = ("quality", "sfu", "recorder", "signaling")
LOOK_EVERY = 0.5
STOP_WITHIN = 10.0


def fingerprint() -> dict[Path, int]:
    """Each watched file with the time of its last change, in nanoseconds."""
    files = (path for package in WATCHED for path in (ROOT / package).rglob("*") if "__pycache__" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def wait_for_change(before: dict[Path, int]) -> Path:
    """Return a file that was changed, added or removed since `before`."""
    while (after := fingerprint()) == before:
        time.sleep(LOOK_EVERY)
    return min(path for path, _ in before.items() ^ after.items())


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end; insist after `STOP_WITHIN` seconds."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Run until interrupted. A command that ended by itself (a syntax error, say) starts again with the next change."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    while True:
        before = fingerprint()
        process = subprocess.Popen(sys.argv[1:])
        try:
            changed = wait_for_change(before)
        except KeyboardInterrupt:
            stop(process)
            return
        print(f"{changed.relative_to(ROOT)} changed: starting again", file=sys.stderr)
        stop(process)


if __name__ == "__main__":
    main()
