"""Chromium and the stand-in server, for the tests of this folder. All of them are synchronous."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.support.components import require
from tests.support.patience import PATIENCE
from tests.web.operated_server import OperatedServer

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def stub() -> Iterator[tuple[str, str]]:
    """The addresses of two stand-ins: one in development, and one that wants a token."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.web.stub_server"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        dev, closed = process.stdout.readline().split()
        yield f"http://127.0.0.1:{dev}", f"http://127.0.0.1:{closed}"
        process.terminate()


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatedServer]:
    """A real server, for the pages that ask the management interface; each test takes rooms of its own."""
    with OperatedServer(tmp_path_factory.mktemp("operated")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a fake microphone that may be used without asking."""
    path = require("chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """`open_page(url, **context options)`: a page with a profile of its own; the test fails if it logs an error."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_one(url: str, **options: object) -> Page:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(_complaint(message)))
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert [error for error in errors if error] == []


def _complaint(message: ConsoleMessage) -> str:
    """What a page complains of, but for what the browser itself reports: sockets that the stand-in cuts, the plain
    HTTP that is tried in their place, and what the interface refuses.
    """
    refused = "Failed to load resource" in message.text and "/api/v1/" in message.location["url"]
    expected = "WebSocket connection to" in message.text or refused
    return message.text if message.type == "error" and not expected else ""
