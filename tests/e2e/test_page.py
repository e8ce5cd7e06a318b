"""The page itself in a call: somebody who joins by hand talks with somebody who uses the SDK."""

from playwright.sync_api import expect

from tests.e2e.conftest import People
from tests.e2e.test_moderation import make_room
from tests.support.server import ServerProcess

RAW_MICROPHONE = """for (const name of ["noiseSuppression", "echoCancellation", "autoGainControl"]) {
    localStorage.setItem(`parley.${name}`, "off");
}"""


def test_who_joins_by_the_page_is_heard_mutes_and_sees_who_speaks(server: ServerProcess, people: People) -> None:
    ana, ben = people("Ana", "Ben")
    ben.join(server.url, "page")
    ana.page.add_init_script(RAW_MICROPHONE)
    ana.page.goto(f"{server.url}/#room=page")
    ana.page.locator("#name").fill("Ana")
    ana.page.locator("#join-button").click()
    ben.hears(ana)
    expect(ana.page.locator("#people").get_by_text("Ben", exact=True)).to_be_visible()
    expect(ana.page.locator("#people").get_by_text("speaking").first).to_be_visible()
    ana.page.get_by_role("button", name="Mute", exact=True).click()
    ben.hears_no_longer(ana)
    ana.page.get_by_role("button", name="Unmute", exact=True).click()
    ben.hears(ana)
    ana.page.close()
    ben.until("client.participants.size === 1")
    ben.hears_no_longer(ana)


def test_the_password_of_a_room_is_asked_for_beside_its_field(server: ServerProcess, people: People) -> None:
    make_room(server, "cellar", password="sesame")
    ana, ben = people("Ana", "Ben")
    ben.join(server.url, "cellar", password="sesame")
    page = ana.page
    page.add_init_script(RAW_MICROPHONE)
    page.goto(f"{server.url}/#room=cellar")
    page.locator("#name").fill("Ana")
    page.locator("#join-button").click()
    expect(page.get_by_label("Password of the room")).to_be_focused()
    expect(page.locator("#password-problem")).to_contain_text("has a password")
    page.keyboard.type("simsim")
    page.keyboard.press("Enter")
    expect(page.locator("#password-problem")).to_contain_text("password is wrong")
    expect(page.get_by_label("Password of the room")).to_be_focused()
    page.keyboard.type("sesame")
    page.keyboard.press("Enter")
    ben.hears(ana)
