"""An operator looks after a room on the admin page, judged on the audio that another browser decoded."""

from playwright.sync_api import expect

from tests.e2e.conftest import People
from tests.e2e.test_page import RAW_MICROPHONE
from tests.support.server import ServerProcess


def test_an_operator_makes_a_room_mutes_and_removes_somebody_and_reads_the_trail(
    server: ServerProcess, people: People
) -> None:
    """Chidi operates, Ben is in the call by its page, and Ana listens."""
    chidi, ben, ana = people("Chidi", "Ben", "Ana")
    page = chidi.page
    page.goto(f"{server.url}/admin")
    page.get_by_role("button", name="Try it as an operator").click()
    page.get_by_role("button", name="Make a room").click()
    page.get_by_label("Name", exact=True).fill("The den")
    page.get_by_label("Id", exact=True).fill("den")
    page.get_by_role("button", name="Make the room").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The den")
    expect(page.get_by_text("Nobody is here.")).to_be_visible()

    ben.page.add_init_script(RAW_MICROPHONE)
    ben.page.goto(f"{server.url}/#room=den")
    ben.page.locator("#name").fill("Ben")
    ben.page.locator("#join-button").click()
    row = page.get_by_role("list", name="People in this room now").get_by_role("listitem").filter(has_text="Ben")
    expect(row).to_contain_text("Can be heard")
    identity = row.get_attribute("data-identity")
    ana.join(server.url, "den")
    ana.hears(ben)

    row.get_by_role("button", name="Mute: Ben").click()
    expect(row).to_contain_text("Muted by a moderator")
    ana.hears_no_longer(ben)
    expect(ben.page.locator("#notices")).to_contain_text("A moderator muted you")

    row.get_by_role("button", name="Remove… Ben").click()
    page.get_by_label("Reason").fill("Humming")
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)
    expect(ben.page.get_by_role("heading", level=1)).to_have_text("You were removed")
    ana.until("client.participants.size === 1")

    page.get_by_role("link", name="Audit trail").click()
    trail = page.get_by_role("list", name="Audit trail").get_by_role("listitem")
    expect(trail).to_have_count(2)
    expect(trail.first).to_contain_text(f"dev-operator removed {identity}")
    expect(trail.first).to_contain_text("Humming")
    expect(trail.last).to_contain_text(f"dev-operator muted {identity}")
