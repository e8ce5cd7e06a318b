"""Real Chromium, one for each voice, and a real server whose media stays on loopback. All tests are synchronous."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Playwright, sync_playwright

from tests.e2e.person import Person
from tests.support.background import Background
from tests.support.components import require
from tests.support.server import ServerProcess
from tests.support.speech import write_speech
from tests.support.tcp_proxy import TcpProxy
from tests.support.tones import write_wav
from tests.support.udp_relay import UdpRelay

FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
VOICES = {"Ana": 440, "Ben": 700, "Chidi": 1060}
"""Frequencies in Hz, none a multiple of another."""

SPEAKERS = {
    "Ewa": (
        "en-us",
        "The north wind and the sun were disputing which was the stronger, when a traveller came along wrapped in a "
        "warm cloak. They agreed that the one who first made the traveller take it off should be considered stronger.",
    ),
    "Femi": (
        "en-gb+f3",
        "Please call Stella. Ask her to bring these things with her from the store. Six spoons of fresh snow peas, "
        "five thick slabs of blue cheese, and maybe a snack for her brother Bob.",
    ),
}
"""Who speaks, for tests of what a speech codec does: a voice of espeak-ng, and the words."""

LOOPBACK = {
    "PARLEY_MEDIA_BIND": "127.0.0.1,::1",
    "PARLEY_MEDIA_ADVERTISE": "127.0.0.1,::1",
    "PARLEY_JWT_SECRET": "only-for-the-tests-of-this-folder-0123456789",
}

Chromium = Callable[[str, str], Browser]
People = Callable[..., list[Person]]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`voice_file(name)`: the WAV file of this person's voice."""
    folder = tmp_path_factory.mktemp("voices")

    def write(name: str) -> Path:
        wav = folder / f"{name}.wav"
        if name in SPEAKERS and not wav.exists():
            voice, words = SPEAKERS[name]
            write_speech(wav, words, voice)
        elif not wav.exists():
            write_wav(wav, VOICES[name])
        return wav

    return write


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, voice_file: Callable[[str], Path]) -> Iterator[Chromium]:
    """`chromium(program, name)`: the browser whose microphone has this voice. The WAV file is one for the process."""
    running: dict[tuple[str, str], Browser] = {}

    def launch(program: str, name: str) -> Browser:
        if (program, name) not in running:
            wav = voice_file(name)
            flags = [*FLAGS, f"--use-file-for-fake-audio-capture={wav}"]
            running[program, name] = playwright.chromium.launch(executable_path=require(program), args=flags)
        return running[program, name]

    yield launch
    for browser in running.values():
        browser.close()


@pytest.fixture
def people(request: pytest.FixtureRequest, chromium: Chromium) -> Iterator[People]:
    """`people("Ana", "Ben")`: these people, each with a fresh profile; the test fails if a page logs an error.

    They use Chromium's shell, which has no windows to draw; tests marked `whole_browser` use what people have.
    """
    whole = request.node.get_closest_marker("whole_browser") is not None
    program = "chromium" if whole else "chromium-headless-shell"
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def invite(*names: str) -> list[Person]:
        invited = []
        for name in names:
            context = chromium(program, name).new_context()
            contexts.append(context)
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(_complaint(message)))
            invited.append(Person(name, VOICES.get(name, 0), page))
        return invited

    yield invite
    for context in contexts:
        context.close()
    assert [error for error in errors if error] == []


def _complaint(message: ConsoleMessage) -> str:
    """What a page complains of, but for what Chromium itself reports: cut sockets, plain HTTP that is tried in their
    place, invites that are refused, and no icon beside a script.
    """
    url = message.location["url"]
    asked = "/api/v1/rooms/" in url or "/api/v1/invites/" in url
    expected = "WebSocket connection to" in message.text or asked or url.endswith("/favicon.ico")
    return f"{message.text} ({message.location['url']})" if message.type == "error" and not expected else ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real `parley serve --dev`; each test takes a room of its own."""
    with ServerProcess(tmp_path_factory.mktemp("server"), settings=LOOPBACK) as running:
        yield running


@pytest.fixture
def mortal_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that the test may kill."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ServerProcess(folder, settings=LOOPBACK) as running:
        yield running


@pytest.fixture
def background() -> Iterator[Background]:
    """A loop beside the test, for clients and proxies that are asynchronous."""
    with Background() as running:
        yield running


@pytest.fixture
def proxy(server: ServerProcess, background: Background) -> Iterator[TcpProxy]:
    """Between people and the server's HTTP port."""
    one = TcpProxy(server.port)
    background.run(one.start())
    yield one
    background.run(one.close())


@pytest.fixture
def relay(server: ServerProcess, background: Background) -> Iterator[UdpRelay]:
    """Between people and the server's media port."""
    one = UdpRelay(server.media_port, seed=11)
    background.run(one.start())
    yield one
    background.run(one.close())
