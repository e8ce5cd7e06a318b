"""Takes the README's pictures, of a call and of the admin page that looks after it: three people in real Chromium,
talking through a real `parley serve --dev`, and an operator.

    .venv/bin/python -m scripts.screenshot [FOLDER]

Each person is a browser of its own with a voice of its own (tones that come and go like speech), as fake microphone.
"""

import asyncio
import math
import struct
import sys
import tempfile
import wave
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from playwright.async_api import BrowserType, Page, ViewportSize, async_playwright

from tests.support.components import FINDERS
from tests.support.server import ServerProcess

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "images"
PEOPLE = ("Ana", "Ben", "Chidi")
ROOM = "kitchen"
SIZE = ViewportSize(width=1100, height=720)
RATE = 48_000
SECONDS = 20


def write_voice(path: Path, seed: int) -> None:
    """A WAV file with something like speech: syllables of a tone with overtones, and pauses between phrases."""
    random = Random(seed)
    pitch = 110.0 * (1 + 0.35 * seed)
    samples: list[int] = []
    while len(samples) < RATE * SECONDS:
        for _ in range(random.randint(4, 9)):
            length, bend = int(RATE * random.uniform(0.09, 0.22)), random.uniform(0.9, 1.15)
            for n in range(length):
                phase = 2 * math.pi * pitch * bend * n / RATE
                tone = sum(math.sin(phase * overtone) / overtone for overtone in (1, 2, 3, 5))
                samples.append(int(7000 * math.sin(math.pi * n / length) * tone))
        samples.extend([0] * int(RATE * random.uniform(0.1, 0.5)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


async def join(chromium: BrowserType, program: Path, stack: AsyncExitStack, server: ServerProcess, name: str) -> Page:
    """A person in the room, in a browser of its own."""
    voice = server.folder / f"{name}.wav"
    write_voice(voice, PEOPLE.index(name))
    browser = await chromium.launch(
        executable_path=program,
        args=[
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={voice}",
            "--autoplay-policy=no-user-gesture-required",
        ],
    )
    stack.push_async_callback(browser.close)
    context = await browser.new_context(viewport=SIZE, device_scale_factor=2, color_scheme="light")
    page = await context.new_page()
    await page.goto(f"{server.url}/#room={ROOM}")
    await page.locator("#name").fill(name)
    await page.locator("#join-button").click()
    await page.locator("#people").get_by_text(name).first.wait_for()
    return page


async def operate(chromium: BrowserType, program: Path, stack: AsyncExitStack, server: ServerProcess) -> Page:
    """An operator on the admin page, who makes the room."""
    browser = await chromium.launch(executable_path=program)
    stack.push_async_callback(browser.close)
    context = await browser.new_context(viewport=SIZE, device_scale_factor=2, color_scheme="light")
    page = await context.new_page()
    await page.goto(f"{server.url}/admin")
    await page.get_by_role("button", name="Try it as an operator").click()
    await page.get_by_role("button", name="Make a room").click()
    await page.get_by_label("Name", exact=True).fill("The kitchen")
    await page.get_by_label("Id", exact=True).fill(ROOM)
    await page.get_by_role("button", name="Make the room").click()
    await page.get_by_text("Nobody is here.").wait_for()
    return page


async def take(folder: Path) -> None:
    """Start a server, have everybody join, wait until somebody else is seen speaking, take the pictures."""
    program = FINDERS["chromium"]()
    if program is None:
        sys.exit("Chromium is missing; install it with: make setup")
    async with AsyncExitStack() as stack:
        server = stack.enter_context(ServerProcess(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        chromium = (await stack.enter_async_context(async_playwright())).chromium
        admin = await operate(chromium, program, stack, server)
        pages = [await join(chromium, program, stack, server, name) for name in PEOPLE]
        people = pages[0].locator("#people")
        for name in PEOPLE:
            await people.get_by_text(name).first.wait_for()
        await people.get_by_text("speaking", exact=False).first.wait_for()
        await save(pages[0], folder / "call.png")
        await admin.get_by_role("button", name=f"Mute: {PEOPLE[1]}").click()
        await admin.get_by_text("Muted by a moderator").wait_for()
        await admin.get_by_role("heading", level=1).focus()
        await save(admin, folder / "admin.png")


async def save(page: Page, picture: Path) -> None:
    """Write it, and say how large it is."""
    taken = await page.screenshot(path=picture)
    print(f"{picture}: {len(taken) // 1000} kB")


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
