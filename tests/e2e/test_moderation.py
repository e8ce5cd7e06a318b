"""What moderators do to people in real Chromium, judged on the audio that each browser decoded."""

import json
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import jwt

from tests.e2e.conftest import LOOPBACK, People
from tests.e2e.person import Person, dev_token
from tests.support.patience import PATIENCE
from tests.support.server import ServerProcess

CONNECTION = """client.statistics().then((all) =>
    [...all.values()].find(({ type }) => type === "transport").iceLocalUsernameFragment)"""
"""What names a peer connection."""


def token_for(identity: str, role: str, room: str | None = None) -> str:
    """As any tool makes one that knows the secret."""
    grants = {"room": room, "roomJoin": True} if room else {}
    claims = {"sub": identity, "role": role, "exp": int(time.time()) + 600, "video": grants}
    return jwt.encode(claims, LOOPBACK["PARLEY_JWT_SECRET"], algorithm="HS256")


def make_room(server: ServerProcess, room: str, **settings: object) -> None:
    """A room that is kept, with these settings."""
    connection = HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {token_for('operator', 'operator')}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/rooms", json.dumps({"id": room, "name": room, **settings}), headers)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    connection.close()


def actions(person: Person) -> list[str]:
    return [one["action"] for one in person.events("moderated")]


def test_who_is_given_the_floor_of_a_moderated_room_is_heard(server: ServerProcess, people: People) -> None:
    make_room(server, "assembly", is_moderated=True)
    ana, ben, chidi = people("Ana", "Ben", "Chidi")
    ana.join(server.url, "assembly", token=token_for("ana", "moderator", "assembly"))
    ben.join(server.url, "assembly")
    chidi.join(server.url, "assembly")
    ben.hears(ana)
    ben.hears_no_longer(chidi)
    ben.until("client.me.suppressed")

    ana.call("id => client.moderate('give_floor', id)", ben.id)
    chidi.hears(ben)
    ana.hears(ben)
    ben.until("!client.me.suppressed")
    ana.call("id => client.moderate('take_floor', id, 'thank you')", ben.id)
    chidi.hears_no_longer(ben)
    ben.until("client.me.suppressed")
    assert actions(ben) == ["give_floor", "take_floor"]


def test_who_is_banned_is_out_and_the_token_opens_nothing_any_more(server: ServerProcess, people: People) -> None:
    ana, ben = people("Ana", "Ben")
    token = dev_token(server.url, "Ben", "barred")
    ana.join(server.url, "barred", token=token_for("ana", "moderator", "barred"))
    ben.join(server.url, "barred", token=token)
    ana.hears(ben)
    ana.call("id => client.moderate('ban', id, 'enough')", ben.id)
    ben.until("client.state === 'disconnected'")
    assert [(one["action"], one["reason"]) for one in ben.events("moderated")] == [("ban", "enough")]
    ana.hears_no_longer(ben)
    refused = ben.call("token => join(token, {room: 'barred'}).then(() => 'let in', (error) => error.code)", token)
    assert refused in ("banned", "token_invalid")


def test_who_is_moved_is_heard_in_the_other_room_over_the_same_connection(
    server: ServerProcess, people: People
) -> None:
    make_room(server, "downstairs", guild_id="house")
    make_room(server, "upstairs", guild_id="house")
    ana, ben, chidi = people("Ana", "Ben", "Chidi")
    ana.join(server.url, "downstairs", token=token_for("ana", "moderator", "downstairs"))
    ben.join(server.url, "downstairs")
    chidi.join(server.url, "upstairs")
    ana.hears(ben)
    chidi.hears_no_longer(ben)
    before = ben.call(CONNECTION)

    move = "id => client.signaling.request('moderate', {action: 'move', target: id, room: 'upstairs'})"
    ana.call(move, ben.id)
    chidi.hears(ben)
    ben.hears(chidi)
    ana.hears_no_longer(ben)
    assert (ben.call("client.room"), ben.call("client.me.id"), ben.call("client.participants.size")) == (
        "upstairs",
        ben.id,
        2,
    )
    assert ben.call(CONNECTION) == before


def test_a_password_is_asked_for_and_opens_the_room(server: ServerProcess, people: People) -> None:
    make_room(server, "den", password="sesame")
    ana, ben = people("Ana", "Ben")
    ana.join(server.url, "den", password="sesame")
    token = dev_token(server.url, "Ben", "den")
    ben.join(server.url, "den", token=token, password="sesame")
    ana.hears(ben)
    for password, code in (("simsim", "password_wrong"), (None, "password_required")):
        ask = "([token, password]) => join(token, {room: 'den', password}).then(() => 'in', (error) => error.code)"
        assert ben.call(ask, [dev_token(server.url, "Cleo", "den"), password]) == code
