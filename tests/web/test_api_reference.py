"""The API reference at /docs: what it says is what the server's OpenAPI document says, and each route can be tried."""

import pytest
from playwright.sync_api import expect

from signaling.api.openapi import document
from tests.web.conftest import OpenPage
from tests.web.operated_server import OperatedServer
from tests.web.test_page import NARROW, overflow, tab_to

ROUTES = {operation["operationId"]: operation for path in document()["paths"].values() for operation in path.values()}


def test_every_route_is_there_with_its_fields_and_errors(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(f"{operated.url}/docs")
    expect(page.locator("#found")).to_have_text(f"{len(ROUTES)} routes")
    shown = page.evaluate("[...document.querySelectorAll('details.route')].map(({ id }) => id)")
    assert sorted(shown) == sorted(ROUTES)
    page.evaluate("for (const one of document.querySelectorAll('details.route')) one.open = true")
    page.locator("#post_api_v1_rooms .fields").first.wait_for()
    for name, operation in ROUTES.items():
        told = page.locator(f"#{name}").text_content() or ""
        assert operation["summary"] in told, name
        for status, answer in operation["responses"].items():
            codes = (
                answer["description"].removeprefix("Error: ").split(", ") if "Error: " in answer["description"] else []
            )
            assert all(word in told for word in (status, *codes)), name
        assert all(one["name"] in told for one in operation.get("parameters", [])), name
    rooms = page.locator("#post_api_v1_rooms")
    expect(rooms).to_contain_text("max_participants")
    expect(rooms).to_contain_text("Display name: 1 to 64 characters.")
    expect(rooms.locator(".fields").nth(1).locator("li").first).to_contain_text("name string required")


def test_a_search_narrows_and_a_deep_link_opens(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(f"{operated.url}/docs")
    page.get_by_label("Find a route").fill("invite withdraw delete")
    expect(page.locator("#found")).to_have_text("No route has these words.")
    page.get_by_label("Find a route").fill("delete invites")
    expect(page.locator("#found")).to_have_text("1 route")
    expect(page.locator("details.route:visible")).to_have_count(1)
    page.get_by_role("navigation", name="Resources").get_by_role("link").locator("visible=true").click()
    opened = page.locator("#delete_api_v1_rooms_id_invites_invite")
    expect(opened).to_have_attribute("open", "")
    assert page.evaluate("location.hash") == "#delete_api_v1_rooms_id_invites_invite"
    page.goto(f"{operated.url}/docs#get_ready")
    expect(page.locator("#get_ready")).to_have_attribute("open", "")
    expect(page.locator("#get_ready > summary")).to_be_focused()


def test_a_route_is_tried_by_keyboard_alone(operated: OperatedServer, open_page: OpenPage) -> None:
    operated.make_room("tried")
    page = open_page(f"{operated.url}/docs")
    tab_to(page, "#skip")
    page.keyboard.press("Enter")
    tab_to(page, "#bearer")
    page.keyboard.insert_text(operated.operator)
    page.get_by_label("Find a route").fill("get a room rooms/{id}")
    page.locator("#get_api_v1_rooms_id > summary").press("Enter")
    tab_to(page, ".trying > summary")
    page.keyboard.press("Enter")
    tab_to(page, "#get_api_v1_rooms_id-id")
    page.keyboard.press("Enter")
    expect(page.locator("#get_api_v1_rooms_id").get_by_role("alert")).to_have_text("id has to be filled in.")
    page.keyboard.type("tried")
    page.keyboard.press("Enter")
    answer = page.locator("#get_api_v1_rooms_id .answer")
    expect(answer).to_contain_text("200")
    expect(answer.get_by_role("region", name="Body of the answer")).to_contain_text('"id": "tried"')
    answer.get_by_text("Headers").click()
    expect(answer.get_by_role("region", name="Headers of the answer")).to_contain_text('etag: "1"')
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href])")
    assert operated.operator not in kept


def test_a_body_is_sent_and_an_error_is_shown_as_it_came(operated: OperatedServer, open_page: OpenPage) -> None:
    page = open_page(f"{operated.url}/docs#post_api_v1_rooms")
    page.get_by_label("Token or API key").fill(operated.operator)
    route = page.locator("#post_api_v1_rooms")
    route.get_by_text("Try it").click()
    expect(route.get_by_label("Body, JSON")).to_have_value('{\n  "name": ""\n}')
    route.get_by_role("button", name="Send POST").click()
    expect(route.locator(".answer")).to_contain_text('"code": "bad_message"')
    route.get_by_label("Body, JSON").fill('{"id": "by-docs", "name": "By the docs"}')
    route.get_by_role("button", name="Send POST").click()
    expect(route.locator(".answer")).to_contain_text("201")
    assert operated.ask("GET", "/api/v1/rooms/by-docs")["name"] == "By the docs"


@pytest.mark.parametrize("text_size", ["100%", "150%"])
def test_nothing_scrolls_sideways_at_360_pixels(operated: OperatedServer, open_page: OpenPage, text_size: str) -> None:
    page = open_page(f"{operated.url}/docs", **NARROW)
    expect(page.locator("#found")).to_contain_text("routes")
    page.evaluate("size => { document.documentElement.style.fontSize = size; }", text_size)
    assert overflow(page) == 0, "closed"
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.locator("#post_api_v1_rooms .trying").wait_for()
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.locator("#post_api_v1_rooms textarea").wait_for()
    assert overflow(page) == 0, "open"
