"""Resources of WHIP and WHEP live as long as their media (RFC 9725 section 4.2, RFC 7675)."""

import orjson
import pytest

from signaling.call.media import connected, gone
from signaling.carriers.whip_carrier import WhipCarrier, WhipResources, part
from signaling.errors import ClientMistake
from signaling.protocol.whip import WHEP, WHIP
from tests.signaling.fakes import FakeCarrier, FakeServer, pid, receive

OFFER = "v=0\r\na=ice-ufrag:abcd\r\n"
ANSWER = "v=0\r\na=ice-ufrag:ours\r\n"


def resource(server: FakeServer, identity: str = "studio", name: str = "one") -> WhipCarrier:
    """A resource whose person has joined the lobby."""
    line, token = WhipCarrier("192.0.2.1", "OBS/31", server.now), server.token(identity)
    line.open_as(name, "lobby", WHIP, identity, token)
    server.conversation.open(line, server.now, token)
    line.opened = line.session
    receive(server.conversation, line, orjson.dumps({"type": "join", "payload": {"room": "lobby"}}), server.now)
    line.began(OFFER, ANSWER)
    return line


def left(line: FakeCarrier) -> list[str]:
    return [frame["payload"]["reason"] for frame in line.take() if frame["type"] == "participant-left"]


def test_it_is_found_by_its_path_and_by_no_other() -> None:
    server, resources = FakeServer(), WhipResources()
    line = resource(server)
    resources.add(line)
    assert resources.find(WHIP, "lobby", "one", server.now) is line
    for way, room, name in ((WHEP, "lobby", "one"), (WHIP, "den", "one"), (WHIP, "lobby", "two")):
        with pytest.raises(ClientMistake) as refused:
            resources.find(way, room, name, server.now)
        assert refused.value.code == "not_found"


def test_it_lives_on_without_a_request_for_as_long_as_its_media() -> None:
    server, resources = FakeServer(), WhipResources()
    (ana,) = server.people("ana")
    line = resource(server)
    resources.add(line)
    connected(server.conversation, pid(line), None, server.now)  # type: ignore[arg-type]
    for _ in range(100):
        server.tick(60)
        resources.advance(server.conversation, server.now)
    assert (len(resources), left(ana)) == (1, [])
    person = pid(line)  # type: ignore[arg-type]
    gone(server.conversation, person, "consent_expired", server.now)
    with pytest.raises(ClientMistake):
        resources.find(WHIP, "lobby", "one", server.now)
    resources.advance(server.conversation, server.now)
    assert (len(resources), left(ana)) == (0, ["media_failure"]), "there is no seat to come back to"
    assert person in server.media.removed
    assert [session.claims.identity for session in server.conversation.sessions.values() if session.claims] == ["ana"]


def test_what_the_others_were_sent_is_not_kept_for_it() -> None:
    server, resources = FakeServer(), WhipResources()
    line = resource(server)
    resources.add(line)
    server.people("ana", "ben")
    session = line.session
    assert session is not None
    assert session.replay.after(0)
    resources.advance(server.conversation, server.now)
    assert session.replay.after(session.seq) == []


def test_a_kick_ends_it() -> None:
    server, resources = FakeServer(), WhipResources()
    owner = server.enter("ana", role="owner")
    line = resource(server)
    resources.add(line)
    person = pid(line)  # type: ignore[arg-type]
    server.say(owner, "moderate", {"action": "kick", "target": person})
    assert (line.ended, line.session) == ("forbidden", None)
    assert person in server.media.removed
    resources.advance(server.conversation, server.now)
    assert len(resources) == 0


def test_the_same_identity_takes_the_place_of_the_older_one() -> None:
    server = FakeServer()
    older, newer = resource(server), resource(server, name="two")
    assert (older.ended, older.is_over(server.now)) == ("duplicate_identity", True)
    assert not newer.is_over(server.now)


def test_parting_ends_the_session_wherever_it_stands() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    joined, never = resource(server), WhipCarrier("192.0.2.1", "", server.now)
    server.conversation.open(never, server.now)
    for line in (joined, never, WhipCarrier("192.0.2.1", "", server.now)):
        part(server.conversation, line, "join_failure", server.now)
        part(server.conversation, line, "join_failure", server.now)
        assert line.is_over(server.now)
    assert left(ana) == ["join_failure"]
    assert len(server.conversation.sessions) == 1


def test_it_knows_its_token_and_its_ice_session() -> None:
    server = FakeServer()
    line = WhipCarrier("192.0.2.1", "", server.now)
    line.open_as("one", "lobby", WHIP, "studio", "a.b.c")
    assert line.was_opened_with("a.b.c")
    assert not line.was_opened_with("a.b.d")
    assert not line.was_opened_with("\udcff")
    line.began(OFFER, ANSWER)
    assert (line.tag, line.client_username) == ('"ours"', "abcd")
