"""The watch that conftest keeps over every test does bark."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PLUGINS = ("tests.conftest", "pytest_asyncio.plugin", "pytest_timeout", "no:cacheprovider")
"""What pyproject.toml has options for. The others that are installed take a second to import."""

OFFENCES = {
    "a task": (
        """
import asyncio
async def test_offends():
    asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="stray task")
""",
        "tasks left behind",
    ),
    "a failed task": (
        """
import asyncio
async def fail():
    raise ValueError("lost")
async def test_offends():
    asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0)
""",
        "Task exception was never retrieved",
    ),
    "a failed callback": (
        """
import asyncio
async def test_offends():
    asyncio.get_running_loop().call_soon(int, "no number")
    await asyncio.sleep(0)
""",
        "the event loop reported",
    ),
    "a thread": (
        """
import threading
def test_offends():
    threading.Thread(target=threading.Event().wait, args=(60,), name="stray thread", daemon=True).start()
""",
        "threads left behind: stray thread",
    ),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_a_test_that_leaves_something_behind_fails(offence: str, tmp_path: Path) -> None:
    source, said = OFFENCES[offence]
    test = tmp_path / "test_offence.py"
    test.write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", *(word for plugin in PLUGINS for word in ("-p", plugin))]
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(test)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(command + options, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    assert said in run.stdout
