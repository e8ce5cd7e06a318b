"""Resources of WHIP and WHEP live as long as their media (RFC 9725 section 4.2, RFC 7675)."""

import orjson
import pytest

from signaling.call.media_events import connected, gone
from signaling.carriers.whip_line import WhipLine, WhipResources, part
from signaling.errors import ClientMistake
from signaling.protocol.whip import WHEP, WHIP
from tests.signaling.fakes import FakeLine, House, pid, receive

OFFER = "v=0\r\na=ice-ufrag:abcd\r\n"
ANSWER = "v=0\r\na=ice-ufrag:ours\r\n"


def resource(house: House, identity: str = "studio", name: str = "one") -> WhipLine:
    """A resource whose person has joined the lobby."""
    line, token = WhipLine("192.0.2.1", "OBS/31", house.now), house.token(identity)
    line.open_as(name, "lobby", WHIP, identity, token)
    house.talk.open(line, house.now, token)
    line.seat = line.session
    receive(house.talk, line, orjson.dumps({"type": "join", "payload": {"room": "lobby"}}), house.now)
    line.began(OFFER, ANSWER)
    return line


def left(line: FakeLine) -> list[str]:
    return [frame["payload"]["reason"] for frame in line.take() if frame["type"] == "participant-left"]


def test_it_is_found_by_its_path_and_by_no_other() -> None:
    house, resources = House(), WhipResources()
    line = resource(house)
    resources.add(line)
    assert resources.find(WHIP, "lobby", "one", house.now) is line
    for way, room, name in ((WHEP, "lobby", "one"), (WHIP, "den", "one"), (WHIP, "lobby", "two")):
        with pytest.raises(ClientMistake) as refused:
            resources.find(way, room, name, house.now)
        assert refused.value.code == "not_found"


def test_it_lives_on_without_a_request_for_as_long_as_its_media() -> None:
    house, resources = House(), WhipResources()
    (ana,) = house.people("ana")
    line = resource(house)
    resources.add(line)
    connected(house.talk, pid(line), None, house.now)  # type: ignore[arg-type]
    for _ in range(100):
        house.tick(60)
        resources.advance(house.talk, house.now)
    assert (len(resources), left(ana)) == (1, [])
    person = pid(line)  # type: ignore[arg-type]
    gone(house.talk, person, "consent_expired", house.now)
    with pytest.raises(ClientMistake):
        resources.find(WHIP, "lobby", "one", house.now)
    resources.advance(house.talk, house.now)
    assert (len(resources), left(ana)) == (0, ["media_failure"]), "there is no seat to come back to"
    assert person in house.media.removed
    assert [session.claims.identity for session in house.talk.sessions.values() if session.claims] == ["ana"]


def test_what_the_others_were_sent_is_not_kept_for_it() -> None:
    house, resources = House(), WhipResources()
    line = resource(house)
    resources.add(line)
    house.people("ana", "ben")
    session = line.session
    assert session is not None
    assert session.replay.after(0)
    resources.advance(house.talk, house.now)
    assert session.replay.after(session.seq) == []


def test_a_kick_ends_it() -> None:
    house, resources = House(), WhipResources()
    owner = house.enter("ana", role="owner")
    line = resource(house)
    resources.add(line)
    person = pid(line)  # type: ignore[arg-type]
    house.say(owner, "moderate", {"action": "kick", "target": person})
    assert (line.ended, line.session) == ("forbidden", None)
    assert person in house.media.removed
    resources.advance(house.talk, house.now)
    assert len(resources) == 0


def test_the_same_identity_takes_the_place_of_the_older_one() -> None:
    house = House()
    older, newer = resource(house), resource(house, name="two")
    assert (older.ended, older.is_over(house.now)) == ("duplicate_identity", True)
    assert not newer.is_over(house.now)


def test_parting_ends_the_session_wherever_it_stands() -> None:
    house = House()
    (ana,) = house.people("ana")
    joined, never = resource(house), WhipLine("192.0.2.1", "", house.now)
    house.talk.open(never, house.now)
    for line in (joined, never, WhipLine("192.0.2.1", "", house.now)):
        part(house.talk, line, "join_failure", house.now)
        part(house.talk, line, "join_failure", house.now)
        assert line.is_over(house.now)
    assert left(ana) == ["join_failure"]
    assert len(house.talk.sessions) == 1


def test_it_knows_its_token_and_its_ice_session() -> None:
    house = House()
    line = WhipLine("192.0.2.1", "", house.now)
    line.open_as("one", "lobby", WHIP, "studio", "a.b.c")
    assert line.was_opened_with("a.b.c")
    assert not line.was_opened_with("a.b.d")
    assert not line.was_opened_with("\udcff")
    line.began(OFFER, ANSWER)
    assert (line.tag, line.client_username) == ('"ours"', "abcd")
