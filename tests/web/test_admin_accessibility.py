"""Every part of the admin page and of the API reference, looked at by axe, light and dark, wide and narrow."""

import pytest
from playwright.sync_api import expect

from tests.web.conftest import OpenPage
from tests.web.operated_server import ROOMS, OperatedServer
from tests.web.test_page_accessibility import LOOKS, violations

PARTS = {
    "people": "Muted by a moderator",
    "invites": "For 3 people",
    "bans": "Lift",
    "trail": "muted",
    "history": "going on",
    "settings": "Delete this room",
}
SECTIONS = {"rooms": "1 person", "bans": "Banned from the whole server", "webhooks": "hooks.example", "keys": "active"}


@pytest.fixture(scope="module")
def lived_in(operated: OperatedServer) -> OperatedServer:
    """With something to show in every part."""
    operated.make_room("parlour", description="For everybody", is_private=True, password="sesame", is_moderated=True)
    operated.moderate(operated.join("parlour", "Ana Maric"), "mute", reason="Wind")
    operated.ask("POST", f"{ROOMS}/parlour/bans", {"identity": "troll", "duration": 3600, "reason": "Spam"})
    operated.ask("POST", f"{ROOMS}/parlour/invites", {"max_uses": 3})
    operated.ask("POST", "/api/v1/webhooks", {"url": "https://hooks.example/", "events": ["room.*"]})
    operated.ask("POST", "/api/v1/api-keys", {"name": "game", "scopes": ["token.issue"]})
    return operated


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_at_the_door(lived_in: OperatedServer, open_page: OpenPage, look: dict[str, object]) -> None:
    page = open_page(f"{lived_in.url}/admin", **look)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Paste a token")
    assert violations(page) == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_any_section(
    lived_in: OperatedServer, open_page: OpenPage, look: dict[str, object]
) -> None:
    page = open_page(lived_in.admin(), **look)
    lived_in.join("parlour", "Ana Maric")
    for section, words in SECTIONS.items():
        page.goto(f"{lived_in.url}/admin#{section}=")
        expect(page.locator("#view-body")).to_contain_text(words)
        assert violations(page) == [], section
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == [], "a form"


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_any_part_of_a_room(
    lived_in: OperatedServer, open_page: OpenPage, look: dict[str, object]
) -> None:
    lived_in.moderate(lived_in.join("parlour", "Ana Maric"), "mute")
    page = open_page(lived_in.admin(), **look)
    for part, words in PARTS.items():
        page.goto(f"{lived_in.url}/admin#room=parlour&part={part}")
        expect(page.locator("#view-body")).to_contain_text(words)
        assert violations(page) == [], part
    page.goto(f"{lived_in.url}/admin#room=parlour")
    page.get_by_role("button", name="Ban… ana-maric").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == [], "a question"


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_the_api_reference(
    lived_in: OperatedServer, open_page: OpenPage, look: dict[str, object]
) -> None:
    page = open_page(f"{lived_in.url}/docs#post_api_v1_rooms", **look)
    route = page.locator("#post_api_v1_rooms")
    route.get_by_text("Try it").click()
    route.get_by_role("button", name="Send POST").click()
    expect(route.get_by_role("region", name="Body of the answer")).to_contain_text("unauthenticated")
    assert violations(page) == []
