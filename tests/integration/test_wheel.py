"""Parley as a package: a wheel built from this checkout, in an empty environment, in an empty folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

from tests.support.client import join_and_hear
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

ROOT = Path(__file__).resolve().parent.parent.parent
IN_THE_WHEEL = ("quality", "sfu", "recorder", "signaling", "pyproject.toml", "README.md", "LICENSE")

pytestmark = [pytest.mark.timeout(1200), pytest.mark.xdist_group("wheel")]


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed. It sees nothing of the environment that the tests run in."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: a build leaves folders behind, and one that is left over must not get into the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in IN_THE_WHEEL:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`parley` of a new environment, with what the wheel itself asks for and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", environment, cwd=environment)
    run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", wheel, cwd=environment)
    return environment / "bin" / "parley"


@pytest.fixture(scope="module")
def server(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Started from the wheel in an empty folder."""
    with ServerProcess(tmp_path_factory.mktemp("empty"), parley=installed) as running:
        yield running


def fetch(url: str) -> tuple[str, bytes]:
    """Content type and body of an answer that must be 200."""
    with urlopen(url, timeout=PATIENCE) as answer:
        assert answer.status == 200
        return answer.headers.get_content_type(), answer.read()


def test_the_wheel_has_the_page_and_no_tests(wheel: Path) -> None:
    names = run(sys.executable, "-m", "zipfile", "--list", wheel, cwd=wheel.parent)
    assert "signaling/web/parley.js" in names
    assert "signaling/web/index.html" in names
    assert "tests/" not in names


def test_the_command_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    where = run(installed.with_name("python"), "-c", "import signaling; print(signaling.__file__)", cwd=tmp_path)
    assert where.startswith(str(installed.parent.parent))


def test_the_page_is_served_with_all_that_it_loads(server: ServerProcess) -> None:
    kind, page = fetch(server.url + "/")
    assert kind == "text/html"
    loaded = [part.split(b'"')[1].decode() for part in page.split() if part.startswith((b'src="', b'href="'))]
    assert loaded
    for reference in loaded:
        if not reference.startswith(("#", "data:")):
            fetch(urljoin(server.url + "/", reference))


def test_the_sdk_is_served(server: ServerProcess) -> None:
    kind, source = fetch(server.url + "/parley.js")
    assert kind == "text/javascript"
    assert b"export" in source


async def test_it_takes_a_call(server: ServerProcess) -> None:
    await join_and_hear(server.url)
