"""Every view of the page, looked at by axe: WCAG 2.2 A and AA and best practices, light and dark, wide and narrow."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.web.conftest import OpenPage

LOOKS = [
    pytest.param({"color_scheme": scheme, "viewport": {"width": width, "height": 780}}, id=f"{scheme}-{width}")
    for scheme in ("light", "dark")
    for width in (360, 1280)
]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    return [
        f"{one['id']}: {node['html']} ({node['failureSummary']})"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


def room_for(look: dict[str, object]) -> str:
    """A room for one look alone: a page that is closed with its browser says no goodbye."""
    return re.sub("[^a-z0-9]+", "-", f"axe {look}".lower()).strip("-")


def enter(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def say(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_on_the_way_in(stub: tuple[str, str], open_page: OpenPage, look: dict[str, object]) -> None:
    page = open_page(stub[1], **look)
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_label("Your name")).to_be_focused()
    expect(page.get_by_label("Invitation", exact=True)).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_where_a_password_is_asked_for(
    stub: tuple[str, str], open_page: OpenPage, look: dict[str, object]
) -> None:
    page = open_page(f"{stub[0]}/#room=locked", **look)
    page.get_by_label("Your name").fill("Ana Maric")
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_label("Password of the room")).to_be_focused()
    assert violations(page) == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_the_room(stub: tuple[str, str], open_page: OpenPage, look: dict[str, object]) -> None:
    page = open_page(f"{stub[0]}/#room={room_for(look)}", **look)
    enter(page, "Ana Maric")
    assert violations(page) == [], "alone"
    other = open_page(page.url)
    enter(other, "Ben")
    other.get_by_role("button", name="Mute", exact=True).click()
    page.get_by_role("button", name="Volume of Ben").click()
    page.get_by_role("button", name="Chat").click()
    for text in ("Hello", "/mute", "/speak"):
        say(page, text)
    expect(page.locator("#notices")).to_contain_text("A moderator muted you")
    assert violations(page) == [], "with the chat"
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("You are on hold")
    assert violations(page) == [], "on hold"
    page.get_by_role("button", name="Close the chat").click()
    expect(page.get_by_role("listitem").filter(has_text="Ben")).to_contain_text("Muted")
    assert violations(page) == [], "with company"
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    assert violations(page) == [], "settings"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You left the room")
    assert violations(page) == [], "the end"
