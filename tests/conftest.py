"""What every test is held to, and what any test may ask for.

A test may leave no task and no thread behind, and nothing may reach its event loop's exception handler.
"""

import asyncio
import gc
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web_app import _cached_build_middleware
from hypothesis import settings

from tests.support import components, ports
from tests.support.server import ServerProcess

# A slow machine is no fault: no property has a time to hold.
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")

pytest_plugins = ["tests.support.cpu", "tests.support.failures"]

GRACE = 5.0
"""Seconds for tasks and threads that were told to end; what is told nothing does not end in that time either."""

CHROMIUM_FOLDERS = ("e2e", "web")
"""Their tests start Chromium: those of a folder run in one worker, one after the other, in browsers that they share.

But for modules with a group of their own: those that take long because a link is bad for long run beside the others.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark and group tests by their folder."""
    for item in items:
        folder = item.path.parent.name
        if folder in ("e2e", "integration"):
            item.add_marker(folder)
        if folder in CHROMIUM_FOLDERS and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"chromium-{folder}"))


def pytest_collection_finish() -> None:
    """Set aside all that exists before the first test, so that a full collection after each test costs little."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def aged() -> None:
    """Sets aside what has outlived the modules before this one: reports, caches, what the whole run shares."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fails a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(GRACE)
    alive = [thread.name for thread in left if thread.is_alive()]
    if alive:
        pytest.fail(f"threads left behind: {', '.join(alive)}", pytrace=False)


@pytest.fixture(autouse=True)
def no_task_left(request: pytest.FixtureRequest, no_thread_left: None) -> None:
    """Has `quiet_loop` watch over every asynchronous test, from before its fixtures to after them."""
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("quiet_loop")


@pytest.fixture
async def quiet_loop() -> AsyncIterator[list[dict[str, Any]]]:
    """Fails a test that leaves a task behind, or whose loop had to report an exception that nobody took.

    The value is the list of reports; a test that provokes one on purpose clears it.
    """
    reports: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reports.append(context))
    yield reports
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        left = (await asyncio.wait(left, timeout=GRACE))[1]
    # A task that died unobserved says so when it is collected. aiohttp remembers the last 1,024 handlers with their
    # applications: without that each collection would go through all that the tests before this one have served.
    _cached_build_middleware.cache_clear()
    gc.collect()
    loop.set_exception_handler(None)
    if left:
        pytest.fail("tasks left behind:\n" + "\n".join(map(repr, left)), pytrace=False)
    if reports:
        pytest.fail("the event loop reported:\n" + "\n".join(map(repr, reports)), pytrace=False)


@pytest.fixture
def require() -> Callable[[str], Path]:
    """`require("chromium")`: the program's path; where it is missing the test is skipped, or fails under CI=true."""
    return components.require


@pytest.fixture
def free_tcp_port() -> Callable[[], int]:
    """A call gives a TCP port that is free now."""
    return ports.free_tcp_port


@pytest.fixture
def free_udp_port() -> Callable[[], int]:
    """A call gives a UDP port that is free now."""
    return ports.free_udp_port


@pytest.fixture
def parley_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A real `parley serve --dev`, ready; it must stop when asked, with nothing to complain of."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ServerProcess(folder) as server:
        yield server


LONGEST_NAME = 60


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a case after its argument where its text is long: it may be a key made anew by each worker."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_NAME else None
