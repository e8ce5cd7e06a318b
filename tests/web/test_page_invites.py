"""Invite links on the page: coming in by one, what is said of one that does not work, and making one."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.stub_server import GOOD_INVITE
from tests.web.test_page_accessibility import LOOKS, enter, violations

OVER = re.compile("no longer works.*Ask the sender for a new one")


def opened(open_page: OpenPage, address: str, invite: str = GOOD_INVITE, **look: object) -> Page:
    return open_page(f"{address}/#invite={invite}", **look)


def kept(page: Page) -> str:
    """All that the browser keeps or shows of where the page was."""
    return str(page.evaluate("JSON.stringify([localStorage, sessionStorage, history.state, location.href])"))


@pytest.mark.parametrize("which", [0, 1], ids=["dev", "closed"])
def test_an_invite_names_its_room_asks_for_a_name_and_joins(
    stub: tuple[str, str], open_page: OpenPage, which: int
) -> None:
    page = opened(open_page, stub[which])
    expect(page.get_by_text("You are invited to The den.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Room", exact=True)).to_be_hidden()
    expect(page.get_by_label("Invitation", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_text("Enter the name that others see.")).to_be_visible()
    enter(page, "Ben")
    expect(page.get_by_role("heading", level=1)).to_have_text("den")
    assert page.evaluate("location.hash") == "#room=den"
    assert GOOD_INVITE not in kept(page)
    assert "stub.Ben" not in kept(page)
    page.get_by_role("button", name="Leave").click()
    page.get_by_role("button", name="Join again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("den")


def test_until_it_is_used_the_page_can_be_loaded_again(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = opened(open_page, stub[1])
    expect(page.get_by_text("You are invited to The den.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("You are invited to The den.")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS)
def test_an_invite_that_is_over_is_explained_and_another_may_be_given(
    stub: tuple[str, str], open_page: OpenPage, look: dict[str, object]
) -> None:
    page = opened(open_page, stub[1], "old-invite", **look)
    expect(page.get_by_role("alert")).to_contain_text(OVER)
    assert violations(page) == []
    assert "old-invite" not in kept(page)
    expect(page.get_by_role("textbox", name="Room", exact=True)).to_have_value("")
    page.get_by_label("Your name").fill("Ben")
    field = page.get_by_label("Invitation", exact=True)
    field.fill(f"{stub[1]}/#invite=another-old-one")
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_role("alert")).to_contain_text(OVER)
    field.fill(f"{stub[1]}/#invite={GOOD_INVITE}")
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("den")


def test_another_link_in_the_same_tab_counts(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = opened(open_page, stub[0], "old-invite")
    expect(page.get_by_role("alert")).to_contain_text(OVER)
    page.evaluate("invite => { location.hash = `invite=${invite}`; }", GOOD_INVITE)
    expect(page.get_by_text("You are invited to The den.")).to_be_visible()
    page.evaluate("location.hash = 'room=other'")
    expect(page.get_by_role("textbox", name="Room", exact=True)).to_have_value("other")
    enter(page, "Ben")
    expect(page.get_by_role("heading", level=1)).to_have_text("other")


@pytest.mark.parametrize("look", LOOKS)
def test_who_may_invite_makes_a_link_and_others_share_the_plain_one(
    stub: tuple[str, str], open_page: OpenPage, look: dict[str, object]
) -> None:
    """The first person of the stand-in's rooms owns them."""
    room = f"{look['color_scheme']}-{look['viewport']['width']}"  # type: ignore[index]
    owner = open_page(f"{stub[1]}/#room={room}&token=stub.Ana", **look)
    enter(owner, "Ana")
    assert violations(owner) == []
    owner.get_by_role("button", name="Copy the link").click()
    dialog = owner.get_by_role("dialog", name="Invite people")
    expect(dialog).to_contain_text("This link only names the room.")
    assert violations(owner) == [], "before"
    dialog.get_by_label("Lets in").select_option("1 person")
    dialog.get_by_label("Works for").select_option("1 hour")
    dialog.get_by_role("button", name="Make an invite link").click()
    link = dialog.get_by_label("Link to this room")
    expect(link).to_have_value(f"{stub[1]}/#invite=for-1-3600")
    expect(dialog).to_contain_text("lets in 1 person for 1 hour, without a password")
    assert violations(owner) == [], "after"
    assert owner.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    member = open_page(f"{stub[1]}/#room={room}&token=stub.Ben", **look)
    enter(member, "Ben")
    member.get_by_role("button", name="Invite").click()
    expect(member.get_by_label("Link to this room")).to_have_value(f"{stub[1]}/#room={room}")
    expect(member.get_by_role("button", name="Make an invite link")).to_be_hidden()


def test_in_development_too_and_a_room_that_is_not_kept_is_explained(
    stub: tuple[str, str], open_page: OpenPage
) -> None:
    page = open_page(f"{stub[0]}/#room=unkept")
    enter(page, "Ana")
    page.get_by_role("button", name="Invite").click()
    page.get_by_role("button", name="Make an invite link").click()
    expect(page.get_by_role("alert").filter(has_text="does not store this room")).to_be_visible()
    expect(page.get_by_label("Link to this room")).to_have_value(f"{stub[0]}/#room=unkept")
