"""What a test uses is charged to its file: its own CPU, and that of the processes that it starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ("tests.support.cpu", "pytest_asyncio.plugin", "pytest_timeout", "xdist.plugin", "no:cacheprovider")

IDLE = """
def test_idle(): pass
def test_idle_too(): pass
"""

OWN = """
import time
def test_burns():
    end = time.process_time() + 0.3
    while time.process_time() < end: pass
"""

OTHERS = """
import subprocess, sys
def test_burns():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["one process", "workers"])
def test_cpu_is_charged_to_the_file_that_uses_it(workers: list[str], tmp_path: Path) -> None:
    for name, source in {"idle": IDLE, "own": OWN, "others": OTHERS}.items():
        (tmp_path / f"test_{name}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", *(word for plugin in PLUGINS for word in ("-p", plugin)), *workers]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "--cpu", "bill", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in (tmp_path / "bill").read_text().splitlines()]
    assert [(name, tests) for name, tests, *_ in lines] == [
        ("test_idle.py", 2),
        ("test_others.py", 1),
        ("test_own.py", 1),
    ]
    idle, others, own = ((own, others) for _, _, own, others, _ in lines)
    assert own[0] > 0.29 > max(idle)
    assert others[1] > 0.29
    assert "CPU by folder" in done.stdout
