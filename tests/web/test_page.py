"""The page against the stand-in server: by keyboard, on a narrow screen, under the real security policy."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import OpenPage
from tests.web.test_page_accessibility import enter, say

NARROW = {"viewport": {"width": 360, "height": 640}}


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def tab_to(page: Page, selector: str) -> None:
    """Tab until the element has the focus, and it can be seen that it has."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"{selector} cannot be reached with Tab")


def test_joins_talks_and_leaves_by_keyboard_alone(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=keys")
    expect(page.get_by_role("textbox", name="Room", exact=True)).to_have_value("keys")
    tab_to(page, "#name")
    page.keyboard.type("Ana")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="keys")).to_be_focused()
    tab_to(page, "#mute")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Unmute")).to_be_focused()
    expect(page.get_by_role("listitem").filter(has_text="Ana (you)")).to_contain_text("Muted")
    page.keyboard.press("Enter")
    tab_to(page, "#chat-toggle")
    page.keyboard.press("Enter")
    page.keyboard.type("Good evening")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("Good evening")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Chat")).to_be_focused()
    tab_to(page, "#settings-open")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    tab_to(page, "#leave")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="You left the room")).to_be_focused()
    tab_to(page, "#ended-again")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="keys")).to_be_focused()


def test_space_is_heard_only_while_held_and_only_outside_controls(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=push")
    enter(page, "Ana")
    page.get_by_role("button", name="Push to talk").click()
    talk = page.get_by_role("button", name="Hold to talk")
    expect(talk).not_to_have_attribute("data-held", "")
    page.keyboard.down("Space")
    expect(talk).to_have_attribute("data-held", "")
    page.keyboard.up("Space")
    expect(talk).not_to_have_attribute("data-held", "")
    page.get_by_role("button", name="Chat").click()
    page.keyboard.down("Space")
    expect(page.get_by_role("textbox", name="Message")).to_have_value(" ")
    expect(talk).not_to_have_attribute("data-held", "")
    page.keyboard.up("Space")
    talk.focus()
    page.keyboard.down("Enter")
    expect(talk).to_have_attribute("data-held", "")
    page.keyboard.up("Enter")
    expect(page.get_by_role("listitem").first).to_contain_text("Quiet")


@pytest.mark.parametrize("text_size", ["100%", "150%"])
def test_nothing_scrolls_sideways_at_360_pixels(stub: tuple[str, str], open_page: OpenPage, text_size: str) -> None:
    page = open_page(f"{stub[0]}/#room={'a-very-long-name-' * 3}{text_size[:-1]}", **NARROW)
    page.evaluate("size => { document.documentElement.style.fontSize = size; }", text_size)
    assert overflow(page) == 0, "the way in"
    enter(page, "Wolfeschlegelsteinhausenbergerdorff")
    for _ in range(2):
        enter(open_page(page.url), "Maximilian-Alexander-Bartholomew")
    expect(page.get_by_role("listitem")).to_have_count(3)
    assert overflow(page) == 0, "the room"
    page.get_by_role("button", name="Volume of").first.click()
    assert overflow(page) == 0, "a volume"
    page.get_by_role("button", name="Settings").click()
    assert overflow(page) == 0, "settings"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Chat").click()
    say(page, "w" * 300)
    expect(page.get_by_role("log")).to_contain_text("www")
    assert overflow(page) == 0, "the chat"


def test_targets_are_at_least_24_pixels(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=targets", **NARROW)
    enter(page, "Ana")
    enter(open_page(f"{stub[0]}/#room=targets"), "Ben")
    page.get_by_role("button", name="Volume of Ben").click()
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a")]
            .map((one) => [one.outerHTML, one.getBoundingClientRect()])
            .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([html]) => html)"""
    )
    assert small == []


def test_the_token_leaves_the_address_bar_at_once(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[1]}/#room=secret&token=stub.Ana")
    expect(page.get_by_label("Your name")).to_be_visible()
    assert page.evaluate("location.hash") == "#room=secret"
    enter(page, "Ana")
    page.get_by_role("button", name="Invite").click()
    link = page.get_by_label("Link to this room").input_value()
    assert re.search(r"/#room=secret$", link)
    assert "stub.Ana" not in page.evaluate(
        "JSON.stringify([localStorage, sessionStorage, history.state, location.href])"
    )


def test_an_old_invitation_is_explained_and_another_may_be_given(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[1]}/#room=closed&token=expired")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_role("alert")).to_contain_text("This invitation has expired")
    page.get_by_label("Invitation", exact=True).fill(f"{stub[1]}/#room=closed&token=stub.Ana")
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_role("heading", level=1, name="closed")).to_be_focused()


@pytest.mark.parametrize(
    ("order", "title", "words"),
    [
        ("/kick", "You were removed", r"^A moderator removed you from this room\.$"),
        ("/kick Humming", "You were removed", r"^A moderator removed you from this room\. Reason: Humming$"),
        ("/ban Humming", "You cannot come back here", r"banned you from this room\. It ends at .*:34.*\. Reason: H"),
    ],
)
def test_a_removal_is_told_in_plain_words(
    stub: tuple[str, str], open_page: OpenPage, order: str, title: str, words: str
) -> None:
    page = open_page(f"{stub[0]}/#room=strict")
    enter(page, "Ana")
    page.get_by_role("button", name="Chat").click()
    say(page, order)
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("#ended-words")).to_have_text(re.compile(words))


def test_whoever_is_still_banned_is_told_until_when(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=barred", locale="en-GB", timezone_id="UTC")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_role("button", name="Join the room").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"You are banned.* It ends at \d+ \w+ \d{4}, 12:34\."))


def test_a_mute_is_told_with_its_reason_and_its_end(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=hush", locale="en-GB", timezone_id="UTC")
    enter(page, "Ana")
    page.get_by_role("button", name="Chat").click()
    notices, card = page.locator("#notices"), page.get_by_role("listitem").filter(has_text="Ana")
    for order, words in (
        ("/mute too loud", "A moderator muted you. Only a moderator can undo it. Reason: too loud"),
        ("/hush", re.compile(r"A moderator muted you\. It ends at \d+ \w+ \d{4}, 12:34\.")),
    ):
        say(page, order)
        expect(notices).to_contain_text(words)
        expect(card).to_contain_text("Muted by a moderator")
        page.get_by_role("button", name="Deafen").click()
        expect(card).to_contain_text("Muted by a moderator")
        expect(notices).to_contain_text(words)
        page.get_by_role("button", name="Undeafen").click()
    say(page, "/unmute")
    expect(notices).to_contain_text("A moderator's mute is over: you may speak again.")
    expect(notices).not_to_contain_text("muted you")


def test_the_volume_of_a_person_can_be_set_from_the_keyboard(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=volume")
    enter(page, "Ana")
    enter(open_page(f"{stub[0]}/#room=volume"), "Ben")
    page.get_by_role("button", name="Volume of Ben").press("Enter")
    slider = page.get_by_role("slider", name="Volume of Ben")
    expect(slider).to_be_focused()
    slider.press("ArrowLeft")
    expect(page.get_by_role("listitem").filter(has_text="Ben")).to_contain_text("95 %")


def test_a_name_cannot_bring_markup_in(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=markup")
    enter(page, "Ana")
    page.get_by_role("button", name="Chat").click()
    say(page, "<img src=x onerror=alert(1)>")
    expect(page.get_by_role("log")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#chat-log img").count() == 0


def test_a_hold_is_shown_to_both_and_taken_back(stub: tuple[str, str], open_page: OpenPage) -> None:
    page = open_page(f"{stub[0]}/#room=hold")
    enter(page, "Ana")
    other = open_page(f"{stub[0]}/#room=hold")
    enter(other, "Ben")
    hold = page.get_by_role("button", name="Hold", exact=True)
    expect(hold).to_have_attribute("aria-pressed", "false")
    hold.press("Space")
    expect(hold).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#notices")).to_contain_text("You are on hold")
    for one in (page, other):
        expect(one.get_by_role("listitem").filter(has_text="Ana")).to_contain_text("On hold")
    page.get_by_role("button", name="Mute", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text="Ana")).to_contain_text("On hold")
    page.get_by_role("button", name="Back to the call").click()
    expect(hold).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#notices")).not_to_contain_text("on hold")
    expect(other.get_by_role("listitem").filter(has_text="Ana")).to_contain_text("Muted")


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("kept", "This room stores its messages (days: 7)."),
        ("open", "The server does not store messages: they end with the call."),
    ],
)
def test_the_chat_says_whether_messages_are_kept(
    stub: tuple[str, str], open_page: OpenPage, room: str, words: str
) -> None:
    page = open_page(f"{stub[0]}/#room={room}")
    enter(page, "Ana")
    page.get_by_role("button", name="Chat").click()
    hint = page.get_by_text(words)
    expect(hint).to_be_visible()
    say(page, "Hello")
    expect(page.get_by_role("log")).to_contain_text("Hello")
    expect(hint).to_be_visible(visible=room == "kept")
