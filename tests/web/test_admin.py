"""The admin page against a real server: every part of it, by each kind of bearer, and by keyboard alone."""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.web.conftest import OpenPage
from tests.web.operated_server import ROOMS, OperatedServer
from tests.web.test_page import NARROW, overflow, tab_to


def person(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="People in this room now").get_by_role("listitem").filter(has_text=name)


def rows(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=name, exact=True).get_by_role("listitem")


def part(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Of this room").get_by_role("link", name=name, exact=True).click()


def dialog(page: Page, name: str | re.Pattern[str]) -> Locator:
    found = page.get_by_role("dialog", name=name)
    expect(found).to_be_visible()
    return found


# -- signing in ------------------------------------------------------------------------------------------------------


def test_signs_in_makes_a_room_and_invites_by_keyboard_alone(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(f"{operated.url}/admin")
    tab_to(page, "#bearer")
    page.keyboard.insert_text(operated.operator)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Rooms", exact=True)).to_be_focused()
    tab_to(page, "#view-tools button")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Harbour bar")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Harbour bar")).to_be_focused()
    expect(page.get_by_text("Nobody is here.")).to_be_visible()
    tab_to(page, "nav.parts a[href*=invites]")
    page.keyboard.press("Enter")
    tab_to(page, ".part .button.primary")
    page.keyboard.press("Enter")
    dialog(page, "Make an invite")
    page.keyboard.press("Enter")
    link = dialog(page, "The invite link").get_by_label("Link")
    expect(link).to_be_focused()
    assert re.search(r"/#invite=[\w-]{22}$", link.input_value())
    page.keyboard.press("Escape")
    expect(rows(page, "Invites")).to_have_count(1)
    expect(page.get_by_role("button", name="Make an invite")).to_be_focused()


def test_mutes_removes_bans_and_reads_the_trail_by_keyboard_alone(
    operated: OperatedServer, open_page: OpenPage
) -> None:
    operated.make_room("rigging")
    for name in ("Rita", "Kit"):
        operated.join("rigging", name)
    page = open_page(operated.admin("room=rigging"))
    expect(person(page, "Rita")).to_be_visible()
    expect(person(page, "Kit")).to_be_visible()
    tab_to(page, "[data-identity=rita] [data-action=mute]")
    page.keyboard.press("Enter")
    expect(person(page, "Rita")).to_contain_text("Muted by a moderator")
    tab_to(page, "[data-identity=kit] [data-action=kick]")
    page.keyboard.press("Enter")
    dialog(page, "Remove Kit?")
    page.keyboard.type("Singing")
    page.keyboard.press("Enter")
    expect(person(page, "Kit")).to_have_count(0)
    tab_to(page, "[data-identity=rita] [data-action=ban]")
    page.keyboard.press("Enter")
    dialog(page, "Ban Rita?")
    tab_to(page, "dialog input")
    page.keyboard.type("Spam")
    page.keyboard.press("Enter")
    expect(person(page, "Rita")).to_have_count(0)
    tab_to(page, "nav.parts a[href*=trail]")
    page.keyboard.press("Enter")
    expect(rows(page, "Audit trail")).to_have_count(3)
    expect(rows(page, "Audit trail").first).to_contain_text("Spam")


def test_the_token_leaves_the_address_and_is_kept_for_this_tab_only(
    operated: OperatedServer, open_page: OpenPage
) -> None:
    page = open_page(operated.admin("bans="))
    expect(page.get_by_role("heading", level=1, name="Server bans")).to_be_visible()
    assert page.evaluate("location.href") == f"{operated.url}/admin#bans="
    assert page.evaluate("localStorage.length") == 0
    assert "token" not in page.evaluate("JSON.stringify(history.state)")
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Server bans")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token or API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.get_by_label("Token or API key")).to_be_visible()


def test_a_token_in_the_query_is_not_taken(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(f"{operated.url}/admin?token={operated.operator}")
    expect(page.get_by_label("Token or API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_what_is_no_token_is_told_in_words(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(f"{operated.url}/admin")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Paste a token or an API key.")
    page.get_by_label("Token or API key").fill("nonsense")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The server does not accept this token")
    expect(page.get_by_label("Token or API key")).to_be_focused()
    expect(page.get_by_label("Token or API key")).to_have_attribute("aria-invalid", "true")


def test_in_development_one_click_makes_an_operator_and_elsewhere_none_is_offered(
    operated: OperatedServer, open_page: OpenPage
) -> None:
    page = open_page(f"{operated.url}/admin")
    page.get_by_role("button", name="Try it as an operator").click()
    expect(page.get_by_role("heading", level=1, name="Rooms", exact=True)).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('parley.admin')") == "dev"
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Rooms", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.route("**/api/v1/config", lambda route: route.fulfill(json={"dev": False, "version": "0", "slots": 8}))
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("button", name="Try it as an operator")).to_be_hidden()


def test_a_token_that_runs_out_leads_back_to_the_door(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("expiring")
    page = open_page(operated.admin("room=expiring"))
    expect(page.get_by_text("Nobody is here.")).to_be_visible()
    gone = {"code": "token_expired", "title": "", "detail": ""}
    page.route("**/participants?**", lambda route: route.fulfill(status=401, json=gone))
    expect(page.get_by_role("alert")).to_contain_text("This token has expired.")
    assert page.evaluate("sessionStorage.length") == 0


# -- who may see what ------------------------------------------------------------------------------------------------


def test_a_moderator_sees_their_room_and_no_more(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("watch")
    operated.join("watch", "Wanda")
    page = open_page(operated.admin(token=operated.token("mo", "moderator", "watch")))
    expect(page.get_by_role("heading", level=1, name="watch")).to_be_visible()
    parts = page.get_by_role("navigation", name="Of this room").get_by_role("link")
    expect(parts).to_have_text(["People", "Invites", "Bans", "History"])
    expect(page.get_by_role("navigation", name="Sections")).to_be_hidden()
    person(page, "Wanda").get_by_role("button", name="Mute").click()
    expect(person(page, "Wanda")).to_contain_text("Muted by a moderator")
    page.goto(f"{operated.url}/admin#rooms=")
    expect(page.get_by_text("You cannot list all rooms of this server.")).to_be_visible()
    expect(page.get_by_role("button", name="Make a room")).to_have_count(0)
    page.get_by_label("Id of the room").fill("elsewhere")
    page.keyboard.press("Enter")
    expect(page.locator("#view-body")).to_contain_text("Your role does not allow that here.")


def test_nobody_is_offered_acts_on_somebody_as_high(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("peers")
    peer = operated.token("peer", "moderator", "peers")
    operated.ask("POST", f"{ROOMS}/peers/join", {}, token=peer)
    operated.join("peers", "Member")
    page = open_page(operated.admin(token=operated.token("mo", "moderator", "peers")))
    expect(person(page, "Member").get_by_role("button", name="Ban…")).to_be_visible()
    expect(person(page, "peer").get_by_role("button")).to_have_count(0)


def test_the_owner_of_a_room_sees_its_trail_and_settings(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("owned", owner="olaf")
    page = open_page(operated.admin("room=owned&part=settings", operated.token("olaf", "member")))
    expect(page.get_by_label("Name")).to_have_value("owned")
    parts = page.get_by_role("navigation", name="Of this room").get_by_role("link")
    expect(parts).to_have_text(["People", "Invites", "Bans", "Audit trail", "History", "Settings"])
    expect(page.get_by_label("Owner")).to_have_count(0)


def test_an_api_key_sees_what_its_scopes_open(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("served")
    operated.join("served", "Sam")
    scopes = ["room.list", "room.read", "participant.list", "participant.mute", "participant.unmute"]
    key = operated.ask("POST", "/api/v1/api-keys", {"name": "service", "scopes": scopes})["key"]
    page = open_page(operated.admin("room=served", key))
    expect(page.get_by_role("navigation", name="Of this room").get_by_role("link")).to_have_text(["People", "Settings"])
    expect(page.get_by_role("navigation", name="Sections")).to_be_hidden()
    sam = person(page, "Sam")
    sam.get_by_role("button", name="Mute").click()
    expect(sam).to_contain_text("Muted by a moderator")
    sam.get_by_role("button", name="Deafen").click()
    expect(page.locator("#notices")).to_contain_text("Your role does not allow that here.")
    expect(sam.get_by_role("button", name="Deafen")).to_be_hidden()


# -- rooms -----------------------------------------------------------------------------------------------------------


def test_rooms_are_found_by_name_with_who_is_in(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("wheelhouse", is_private=True, description="At the helm")
    operated.make_room("galley")
    page = open_page(operated.admin())
    page.get_by_label("Find a room by its name").fill("WHEEL")
    expect(rows(page, "Rooms")).to_have_count(1)
    room = rows(page, "Rooms").first
    expect(room).to_contain_text("Empty")
    expect(room).to_contain_text("private")
    guest = operated.join("wheelhouse", "Will")
    expect(room).to_contain_text("1 person")
    guest.leave()
    expect(room).to_contain_text("Empty")
    page.get_by_label("Find a room by its name").fill("no such room")
    expect(page.get_by_text("No room has “no such room” in its name.")).to_be_visible()


def test_a_room_that_nobody_keeps_is_shown_while_it_is_in_use(operated: OperatedServer, open_page: OpenPage) -> None:
    guest = operated.join("passing", "Pia")
    page = open_page(operated.admin())
    passing = rows(page, "Ad-hoc rooms in use").filter(has_text="passing")
    expect(passing).to_contain_text("1 person")
    passing.get_by_role("link", name="passing").click()
    expect(person(page, "Pia")).to_contain_text("Can be heard")
    expect(page.get_by_role("navigation", name="Of this room").get_by_role("link")).to_have_text(
        ["People", "Bans", "Audit trail", "History"]
    )
    page.get_by_role("button", name="Store this room").click()
    dialog(page, "Make a room").get_by_role("button", name="Make the room").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="All rooms").click()
    expect(rows(page, "Rooms").filter(has_text="passing")).to_contain_text("1 person")
    guest.leave()


def test_a_list_that_is_long_is_shown_page_by_page(operated: OperatedServer, open_page: OpenPage) -> None:
    for number in range(25):
        operated.make_room(f"berth-{number}")
    operated.make_room("last-of-all")
    page = open_page(operated.admin())
    expect(rows(page, "Rooms").filter(has_text="last-of-all")).to_be_visible()
    page.get_by_label("Find a room by its name").fill("berth-")
    expect(rows(page, "Rooms").filter(has_text="last-of-all")).to_have_count(0)
    expect(rows(page, "Rooms")).to_have_count(20)
    page.get_by_role("button", name="Show more").click()
    expect(rows(page, "Rooms")).to_have_count(25)
    expect(rows(page, "Rooms").nth(20)).to_be_focused()
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)


def test_settings_are_changed_and_a_change_in_between_is_told(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("cabin", settings={"colour": "blue"})
    page = open_page(operated.admin("room=cabin&part=settings"))
    page.get_by_label("Name").fill("The cabin")
    page.get_by_role("textbox", name="Password").fill("sesame")
    page.get_by_label("Moderated").check()
    page.get_by_label("Maximum participants").fill("12")
    page.get_by_label("Sound").select_option("Music")
    page.get_by_label("Store chat messages").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Saved")).to_be_visible()
    kept = operated.ask("GET", f"{ROOMS}/cabin")
    told = {name: kept[name] for name in ("name", "has_password", "is_moderated", "max_participants", "quality_preset")}
    assert told == {
        "name": "The cabin",
        "has_password": True,
        "is_moderated": True,
        "max_participants": 12,
        "quality_preset": "music",
    }
    assert kept["settings"] == {"colour": "blue", "message_history": {"keep": True, "days": 30}}
    operated.ask("PATCH", f"{ROOMS}/cabin", {"name": "Other"}, headers={"If-Match": "*"})
    page.get_by_label("Maximum participants").fill("9")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("It changed while you were editing.")
    expect(page.get_by_label("Name")).to_have_value("Other")
    page.get_by_label("Maximum participants").fill("0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Maximum participants")).to_be_focused()
    expect(page.get_by_label("Maximum participants")).to_have_attribute("aria-invalid", "true")


def test_a_room_is_deleted_after_a_question(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("wreck")
    page = open_page(operated.admin("room=wreck&part=settings"))
    page.get_by_role("button", name="Delete this room…").click()
    dialog(page, "Delete wreck?").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete this room…")).to_be_focused()
    page.keyboard.press("Enter")
    dialog(page, "Delete wreck?").get_by_role("button", name="Delete the room").click()
    expect(page.get_by_role("heading", level=1, name="Rooms", exact=True)).to_be_visible()
    expect(rows(page, "Rooms").filter(has_text="wreck")).to_have_count(0)


# -- people ----------------------------------------------------------------------------------------------------------


def test_people_come_and_go_and_each_act_is_seen(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("deck", is_moderated=True)
    operated.make_room("hold")
    page = open_page(operated.admin("room=deck"))
    expect(page.get_by_text("Nobody is here.")).to_be_visible()
    operated.join("deck", "Dora")
    dora = person(page, "Dora")
    expect(dora).to_contain_text("Listening only")
    dora.get_by_role("button", name="Give the floor").click()
    expect(dora).to_contain_text("Can be heard")
    expect(dora.get_by_role("button", name="Take the floor")).to_be_focused()
    dora.get_by_role("button", name="Mute: dora", exact=True).click()
    expect(dora).to_contain_text("Muted by a moderator")
    dora.get_by_role("button", name="Unmute").click()
    dora.get_by_role("button", name="Deafen").click()
    expect(dora).to_contain_text("Deafened by a moderator")
    dora.get_by_role("button", name="Move… dora", exact=True).click()
    asked = dialog(page, "Move dora")
    asked.get_by_role("button", name="Move", exact=True).click()
    expect(asked.get_by_label("Id of the other room")).to_be_focused()
    asked.get_by_label("Id of the other room").fill("hold")
    asked.get_by_role("button", name="Move", exact=True).click()
    expect(dora).to_have_count(0)
    page.goto(f"{operated.url}/admin#room=hold")
    expect(person(page, "Dora")).to_be_visible()


def test_a_removal_and_a_ban_stand_in_the_trail_and_the_ban_is_lifted(
    operated: OperatedServer, open_page: OpenPage
) -> None:
    operated.make_room("plank")
    for name in ("Kurt", "Bert"):
        operated.join("plank", name)
    page = open_page(operated.admin("room=plank"))
    person(page, "Kurt").get_by_role("button", name="Remove…").click()
    asked = dialog(page, "Remove Kurt?")
    asked.get_by_label("Reason").fill("Singing")
    asked.get_by_role("button", name="Remove", exact=True).click()
    expect(person(page, "Kurt")).to_have_count(0)
    person(page, "Bert").get_by_role("button", name="Ban…").click()
    asked = dialog(page, "Ban Bert?")
    asked.get_by_label("For how long").select_option("7 days")
    asked.get_by_label("Reason").fill("Spam")
    asked.get_by_role("button", name="Ban", exact=True).click()
    expect(person(page, "Bert")).to_have_count(0)
    part(page, "Audit trail")
    expect(rows(page, "Audit trail")).to_have_count(2)
    expect(rows(page, "Audit trail").first).to_contain_text("dev-operator banned bert for 7 days")
    expect(rows(page, "Audit trail").last).to_contain_text("dev-operator removed kurt")
    expect(rows(page, "Audit trail").last).to_contain_text("Singing")
    page.get_by_label("What was done").select_option("Remove")
    page.get_by_role("button", name="Show").click()
    expect(rows(page, "Audit trail")).to_have_count(1)
    page.get_by_label("To", exact=True).fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("There are no entries.")).to_be_visible()
    part(page, "Bans")
    expect(rows(page, "Bans")).to_contain_text("bert")
    page.get_by_role("button", name="Lift the ban of bert").click()
    expect(page.get_by_text("Nobody is banned.")).to_be_visible()
    page.get_by_label("Include bans that have ended").check()
    expect(rows(page, "Bans")).to_contain_text("lifted")
    part(page, "History")
    expect(rows(page, "People who were here")).to_have_count(2)
    expect(rows(page, "People who were here").filter(has_text="Bert")).to_contain_text("banned")
    expect(rows(page, "Calls")).to_contain_text("everybody left")


def test_somebody_who_is_away_is_banned_from_the_server(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(operated.admin("bans="))
    page.get_by_role("button", name="Ban an identity").click()
    asked = dialog(page, "Ban an identity from the whole server")
    asked.get_by_label("Identity").fill("troll")
    asked.get_by_label("For how long").select_option("For good")
    asked.get_by_role("button", name="Ban", exact=True).click()
    expect(rows(page, "Bans")).to_contain_text("troll")
    expect(rows(page, "Bans")).to_contain_text("for good")
    page.get_by_role("button", name="Lift the ban of troll").click()
    expect(page.get_by_text("Nobody is banned.")).to_be_visible()


def test_while_the_server_is_away_the_page_says_so_and_goes_on_afterwards(
    operated: OperatedServer, open_page: OpenPage
) -> None:
    operated.make_room("fog")
    page = open_page(operated.admin("room=fog"))
    expect(page.get_by_text("0 people, live")).to_be_visible()
    away = {"code": "storage_unavailable", "title": "", "detail": ""}
    page.route("**/participants?**", lambda route: route.fulfill(status=503, json=away))
    expect(page.get_by_text("The database is unreachable at the moment.")).to_be_visible()
    page.unroute("**/participants?**")
    expect(page.get_by_text("0 people, live")).to_be_visible()


def test_a_name_brings_no_markup_in(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("markup", name="<img src=x onerror=alert(1)>", description="<b>bold</b>")
    token = operated.token("evil", "member", "markup")
    operated.ask("POST", f"{ROOMS}/markup/join", {"display_name": "<i>Eve</i>"}, token=token)
    page = open_page(operated.admin("room=markup"))
    expect(page.get_by_role("heading", level=1, name="<img src=x onerror=alert(1)>")).to_be_visible()
    expect(person(page, "evil")).to_be_visible()
    assert page.locator("#view img, #view i, #view .hint b").count() == 0


# -- invites, keys, webhooks -----------------------------------------------------------------------------------------


def test_an_invite_is_shown_once_and_withdrawn(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("gangway")
    page = open_page(operated.admin("room=gangway&part=invites"))
    page.get_by_role("button", name="Make an invite").click()
    asked = dialog(page, "Make an invite")
    asked.get_by_label("Number of uses").fill("0")
    asked.get_by_role("button", name="Make the link").click()
    expect(asked.get_by_label("Number of uses")).to_be_focused()
    asked.get_by_label("Number of uses").fill("5")
    asked.get_by_label("Works for").select_option("7 days")
    asked.get_by_label("They come in as").select_option("Moderator")
    asked.get_by_role("button", name="Make the link").click()
    link = dialog(page, "The invite link").get_by_label("Link").input_value()
    page.keyboard.press("Escape")
    expect(rows(page, "Invites")).to_contain_text("For 5 people")
    expect(rows(page, "Invites")).to_contain_text("moderator")
    assert link.rpartition("=")[2] not in page.content()
    page.get_by_role("button", name="Revoke").click()
    expect(rows(page, "Invites")).to_contain_text("revoked")


def test_a_key_is_shown_once_works_and_is_withdrawn(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(operated.admin("keys="))
    page.get_by_role("button", name="Make a key").click()
    asked = dialog(page, "Make an API key")
    asked.get_by_label("Name").fill("lighthouse")
    asked.get_by_role("button", name="Make the key").click()
    expect(asked.get_by_role("alert").last).to_contain_text("choose what it may do")
    asked.get_by_label("Read events").check()
    asked.get_by_label("Holds").select_option("30 days")
    asked.get_by_role("button", name="Make the key").click()
    key = dialog(page, "The key").get_by_label("API key").input_value()
    assert operated.ask("GET", "/api/v1/events?limit=1", token=key)
    page.get_by_role("button", name="Done").click()
    row = rows(page, "API keys").filter(has_text="lighthouse")
    expect(row).to_contain_text("event.read")
    row.get_by_role("button", name="Revoke…").click()
    dialog(page, "Revoke lighthouse?").get_by_role("button", name="Revoke", exact=True).click()
    expect(row).to_contain_text("revoked")


def test_a_webhook_is_added_tested_turned_off_and_deleted(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(operated.admin("webhooks="))
    page.get_by_role("button", name="Add a webhook").click()
    asked = dialog(page, "Add a webhook")
    asked.get_by_label("Address").fill("https://hooks.invalid/parley")
    asked.get_by_label("Events").fill("room.* call.started")
    asked.get_by_role("button", name="Add it").click()
    expect(dialog(page, "The secret of the webhook").get_by_label("Secret")).to_have_value(re.compile(r"^whsec_"))
    page.keyboard.press("Escape")
    row = rows(page, "Webhooks")
    expect(row).to_contain_text("call.started")
    row.get_by_role("button", name="Test").click()
    expect(row.get_by_role("status")).to_contain_text(re.compile(r"The delivery failed|does not connect"))
    row.get_by_role("button", name="Turn off").click()
    expect(row.get_by_role("button", name="Turn on")).to_be_visible()
    row.get_by_role("button", name="Delete…").click()
    dialog(page, "Delete this webhook?").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No webhooks.")).to_be_visible()


# -- looks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text_size", ["100%", "150%"])
def test_nothing_scrolls_sideways_at_360_pixels(operated: OperatedServer, open_page: OpenPage, text_size: str) -> None:
    room = f"a-room-with-a-very-long-name-that-goes-on-and-on-{text_size[:3]}"
    operated.make_room(room, name="W" * 60, description="x" * 300, is_private=True, is_moderated=True)
    guest = operated.join(room, "Wolfeschlegelsteinhausenbergerdorff")
    operated.moderate(guest, "mute", reason="y" * 200)
    operated.ask("POST", f"{ROOMS}/{room}/bans", {"identity": "z" * 120, "reason": "n" * 250})
    operated.ask("POST", "/api/v1/api-keys", {"name": "k" * 60, "scopes": ["participant.*", "ban.*", "token.issue"]})
    page = open_page(f"{operated.url}/admin", **NARROW)

    def checked(what: str) -> None:
        page.evaluate("size => { document.documentElement.style.fontSize = size; }", text_size)
        assert overflow(page) == 0, what

    checked("the door")
    page.get_by_label("Token or API key").fill(operated.operator)
    page.keyboard.press("Enter")
    expect(rows(page, "Rooms").filter(has_text=room)).to_contain_text("1 person")
    checked("rooms")
    page.get_by_role("button", name="Make a room").click()
    checked("a dialog")
    page.keyboard.press("Escape")
    for name in ("bans", "webhooks", "keys"):
        page.goto(f"{operated.url}/admin#{name}=")
        expect(page.locator("#view .rows:not([hidden]), #view .nothing").first).to_be_visible()
        checked(name)
    for name in ("people", "invites", "bans", "trail", "history", "settings"):
        page.goto(f"{operated.url}/admin#room={room}&part={name}")
        expect(page.locator("nav.parts [aria-current]")).to_be_visible()
        expect(page.locator("#view .rows li, #view .nothing, #view fieldset").first).to_be_visible()
        checked(name)
    guest.leave()


def test_targets_are_at_least_24_pixels(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("targets")
    operated.join("targets", "Tim")
    page = open_page(operated.admin("room=targets"), **NARROW)
    expect(person(page, "Tim")).to_be_visible()
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a")]
            .map((one) => [one.outerHTML, one.getBoundingClientRect()])
            .filter(([, box]) => box.width > 1 && (box.width < 24 || box.height < 24)).map(([html]) => html)"""
    )
    assert small == [], json.dumps(small)
