"""Invite links at a real server: who opens one is in the room, and heard there, whatever the door asks of others."""

import json
import re
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from signaling.identity.grants import Grants, Role
from signaling.identity.tokens import Tokens
from tests.e2e.conftest import LOOPBACK, People
from tests.e2e.test_page import RAW_MICROPHONE
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

TOKENS = Tokens(LOOPBACK["PARLEY_JWT_SECRET"])


def token_for(identity: str, room: str, role: Role = "member") -> str:
    return TOKENS.issue(identity, grants=Grants.for_room(room), utc=datetime.now(UTC), name=identity, role=role)


def ask(server: ServerProcess, method: str, path: str, body: object = None) -> Any:
    """What the server answers an operator; the status where it answers nothing."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    try:
        headers = {
            "Authorization": f"Bearer {token_for('ops', 'any', 'operator')}",
            "Content-Type": "application/json",
        }
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        told = answer.read()
        assert answer.status < 300, told
        return json.loads(told) if told else answer.status
    finally:
        connection.close()


def locked_room(server: ServerProcess, room: str) -> None:
    order = {"id": room, "name": f"The {room}", "is_private": True, "password": "sesame"}
    ask(server, "POST", "/api/v1/rooms", order)


def come_in(page: Page, link: str, name: str) -> None:
    page.add_init_script(RAW_MICROPHONE)
    page.goto(link)
    page.locator("#name").fill(name)
    page.locator("#join-button").click()


def test_an_invite_link_of_a_moderator_joins_a_private_room_with_a_password(
    server: ServerProcess, people: People
) -> None:
    """Ana makes the link on the page; Ben opens it, and both hear each other. Chidi has no link, and stays outside."""
    locked_room(server, "vault")
    ana, ben, chidi = people("Ana", "Ben", "Chidi")
    come_in(ana.page, f"{server.url}/#room=vault&token={token_for('Ana', 'vault', 'moderator')}", "Ana")
    ana.page.get_by_role("button", name="Invite").click()
    ana.page.get_by_label("Lets in").select_option("1 person")
    ana.page.get_by_role("button", name="Make an invite link").click()
    field = ana.page.get_by_label("Link to this room")
    expect(field).to_have_value(re.compile(r"/#invite=[\w-]{22}$"))
    link = field.input_value()
    ana.page.keyboard.press("Escape")

    come_in(ben.page, link, "Ben")
    expect(ben.page.get_by_role("heading", level=1)).to_have_text("vault")
    assert ben.page.evaluate("location.hash") == "#room=vault"
    expect(ana.page.locator("#people").get_by_text("Ben", exact=True)).to_be_visible()
    for page, other in ((ana.page, "Ben"), (ben.page, "Ana")):
        speaker = page.get_by_role("listitem").filter(has_text=other)
        expect(speaker).to_contain_text("Speaking")

    come_in(chidi.page, f"{server.url}/#room=vault", "Chidi")
    expect(chidi.page.locator("#password-problem")).to_contain_text("This room has a password")
    chidi.page.goto(f"{server.url}/parley.js")
    come_in(chidi.page, link, "Chidi")
    expect(chidi.page.get_by_role("alert")).to_contain_text("no longer works")


def test_who_came_by_an_invite_is_heard(server: ServerProcess, people: People) -> None:
    """Judged on the audio that the other's browser decoded."""
    locked_room(server, "cave")
    ana, ben = people("Ana", "Ben")
    ben.join(server.url, "cave", token=token_for("Ben", "cave", "moderator"))
    made = ask(server, "POST", "/api/v1/rooms/cave/invites", {})
    come_in(ana.page, made["link"], "Ana")
    ben.hears(ana)
    expect(ana.page.locator("#people").get_by_text("Ben", exact=True)).to_be_visible()
    expect(ana.page.locator("#people").get_by_text("speaking").first).to_be_visible()


def test_a_link_that_was_withdrawn_says_so_before_anybody_writes_a_name(server: ServerProcess, people: People) -> None:
    locked_room(server, "attic")
    made = ask(server, "POST", "/api/v1/rooms/attic/invites", {"max_uses": 10})
    assert ask(server, "DELETE", f"/api/v1/rooms/attic/invites/{made['id']}") == 204
    (ana,) = people("Ana")
    ana.page.goto(made["link"])
    expect(ana.page.get_by_role("alert")).to_contain_text("used up, revoked or expired")
    expect(ana.page.get_by_role("alert")).to_contain_text("Ask the sender for a new one")
    assert "invite" not in ana.page.evaluate("location.hash")
    assert made["token"] not in server.stderr + server.stdout
