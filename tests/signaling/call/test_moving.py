from dataclasses import replace
from typing import Any

import orjson
import pytest

from sfu.selection import MuteFlags
from signaling.call.joining import Entry
from signaling.call.moderation import Order, act_in_room
from signaling.call.rooms import RoomPolicy
from signaling.errors import ClientMistake
from signaling.identity.deny_list import Ban
from signaling.identity.permissions import Asker, Service
from tests.signaling.fakes import START, FakeCarrier, FakeServer, pid

LOBBY = RoomPolicy(version=1, owner="owen", guild_id="wolves")
ATTIC = replace(LOBBY, owner="amy")


def move(
    server: FakeServer, by: FakeCarrier, target: str, policy: RoomPolicy | None, room: str = "attic", **found: Any
) -> Any:
    """Ask for a move to a room for which this was found; the answer's type, or the code of the error."""
    order = {"action": "move", "target": target, "room": room}
    text = orjson.dumps({"type": "moderate", "id": 99, "payload": order}).decode()
    request = server.conversation.read(by, text, server.now)
    assert request is not None
    entry = Entry(asked_at=server.now, policy=policy, **found)
    server.conversation.act(by, request._replace(found=entry), server.now)
    (answer,) = [frame for frame in by.take() if frame.get("id") == 99]
    return answer["payload"].get("code", answer["type"])


def lobby(*others: str, policy: RoomPolicy = LOBBY) -> tuple[FakeServer, FakeCarrier, list[FakeCarrier]]:
    """A moderator in the lobby, and the others."""
    server = FakeServer()
    max_ = server.enter("max", role="moderator")
    lines = [server.enter(name) for name in others]
    room = server.conversation.rooms.find("lobby")
    assert room is not None
    room.policy = policy
    for line in (max_, *lines):
        line.take()
    return server, max_, lines


def test_who_is_moved_has_left_here_and_is_there_with_the_same_id_and_connection() -> None:
    server, max_, (ana, ben) = lobby("ana", "ben")
    cleo = server.enter("cleo", "attic")
    cleo.take()
    ana_id = pid(ana)
    assert move(server, max_, ana_id, ATTIC) == "ok"
    told = {frame["type"]: frame["payload"] for frame in ana.take()}
    assert told["moderated"]["action"] == "move"
    assert told["moved"]["room"] == "attic"
    attic = server.conversation.rooms.find("attic")
    assert attic is not None
    assert told["moved"]["call"] == attic.call.view()
    assert told["moved"]["participant"]["id"] == ana_id == pid(ana)
    assert {view["identity"] for view in told["moved"]["participants"]} == {"ana", "cleo"}
    assert ben.take("participant-left") == {"participant": ana_id, "reason": "migration"}
    assert cleo.take("participant-joined")["participant"]["id"] == ana_id
    assert server.media.moved == [(ana_id, "attic")]
    assert server.conversation.rooms.population == 4
    server.say(ana, "message", {"topic": "chat", "body": "hello up here"})
    assert cleo.take("message")["body"] == "hello up here"
    assert ben.types == []


def test_the_fresh_token_opens_the_new_room_and_only_that() -> None:
    server, max_, (ana,) = lobby("ana")
    assert move(server, max_, pid(ana), ATTIC) == "ok"
    ana.take()
    server.tick(0.5)
    claims = server.tokens.verify(ana.take("token")["token"], server.utc())
    assert (claims.grants.room, claims.role, claims.invited) == ("attic", "member", True)


def test_the_move_is_in_the_trail() -> None:
    server, max_, (ana,) = lobby("ana")
    move(server, max_, pid(ana), ATTIC)
    assert [(act.action, act.room, act.target) for act in server.audit.events] == [("participant.move", "lobby", "ana")]


@pytest.mark.parametrize(
    ("former", "policy", "code"),
    [
        (LOBBY, ATTIC, "ok"),
        (LOBBY, replace(ATTIC, guild_id=None, owner="owen"), "ok"),
        (LOBBY, replace(ATTIC, guild_id="bears"), "forbidden"),
        (LOBBY, replace(ATTIC, guild_id=None), "forbidden"),
        (replace(LOBBY, guild_id=None, owner=None), replace(ATTIC, guild_id=None, owner=None), "forbidden"),
        (LOBBY, None, "forbidden"),
        (LOBBY, replace(ATTIC, is_private=True, has_password=True), "ok"),
        (LOBBY, replace(ATTIC, scheduled_end=START), "room_closed"),
    ],
)
def test_where_somebody_may_be_moved_to(former: RoomPolicy, policy: RoomPolicy | None, code: str) -> None:
    server, max_, (ana,) = lobby("ana", policy=former)
    assert move(server, max_, pid(ana), policy) == code
    assert (server.media.moved != []) == (code == "ok")
    assert ("moved" in ana.types) == (code == "ok")


def test_an_operator_moves_anybody_anywhere() -> None:
    server, _, (ana,) = lobby("ana")
    root = server.enter("root", role="operator")
    assert move(server, root, pid(ana), None, "nowhere-else") == "ok"


def test_members_move_nobody_and_nobody_moves_who_is_above() -> None:
    server, max_, (ana, ben) = lobby("ana", "ben")
    assert move(server, ana, pid(ben), ATTIC) == "forbidden"
    assert move(server, max_, pid(max_), ATTIC) == "forbidden"


def test_a_full_room_a_second_self_and_a_ban_there_stand_in_the_way() -> None:
    server, max_, (ana, ben, cleo) = lobby("ana", "ben", "cleo")
    server.enter("ben", "attic")
    assert move(server, max_, pid(ana), replace(ATTIC, max_participants=1)) == "room_full"
    assert move(server, max_, pid(ben), replace(ATTIC, max_participants=9)) == "duplicate_identity"
    server.conversation.records.deny_list.ban(Ban("cleo", "attic", START, "owner"))
    assert move(server, max_, pid(cleo), ATTIC) == "banned"
    assert [line.types for line in (ana, ben, cleo)] == [[], [], []]
    assert move(server, max_, pid(ana), ATTIC, "lobby") == "bad_message"


def test_what_the_look_up_was_refused_for_is_the_answer() -> None:
    server, max_, (ana,) = lobby("ana")
    assert move(server, max_, pid(ana), None, refusal=ClientMistake("storage_unavailable")) == "storage_unavailable"
    server.say(max_, "moderate", {"action": "move", "target": pid(ana), "room": "attic"})
    assert max_.take("error")["code"] == "forbidden", "without a look-up the room is nobody's"


def test_a_room_that_was_deleted_meanwhile_takes_nobody() -> None:
    server, max_, (ana,) = lobby("ana")
    server.conversation.rooms.close("attic", server.now)
    assert move(server, max_, pid(ana), ATTIC) == "not_found"
    assert (server.media.moved, ana.types) == ([], [])
    server.now += 1
    assert move(server, max_, pid(ana), ATTIC) == "ok", "one that was made since does"


@pytest.mark.parametrize(("scopes", "code"), [(("participant.move",), "not_found"), (("*",), None)])
def test_where_rooms_have_to_be_made_first_nobody_is_moved_into_none(scopes: tuple[str, ...], code: str | None) -> None:
    server = FakeServer(auto_create_rooms=False)
    root = Asker(holder=Service(frozenset(scopes), None, "abc"), address="192.0.2.9")
    owner = server.line(server.token("owen", role="operator"))
    server.say(owner, "join", {"room": "lobby"})
    ana = server.line(server.token("ana", room_create=True))
    server.say(ana, "join", {"room": "lobby"})
    order = Order(action="move", target=pid(ana), room="attic")
    try:
        act_in_room(server.conversation, root, "lobby", order, server.now, Entry(asked_at=server.now))
        found = None
    except ClientMistake as mistake:
        found = mistake.code
    assert (found, server.media.moved == []) == (code, code is not None)


def test_mutes_go_along_and_the_floor_is_the_new_rooms() -> None:
    server, max_, (ana,) = lobby("ana")
    server.say(max_, "moderate", {"action": "mute", "target": pid(ana)})
    assert move(server, max_, pid(ana), replace(ATTIC, is_moderated=True)) == "ok"
    assert server.media.people[pid(ana)] == MuteFlags(mute=True, suppressed=True)


def test_a_mute_holds_where_it_was_set_whichever_way_somebody_comes_back() -> None:
    server, max_, (ana,) = lobby("ana")
    mia = server.enter("mia", "attic", role="moderator")
    server.say(max_, "moderate", {"action": "mute", "target": pid(ana)})
    server.say(max_, "moderate", {"action": "deafen", "target": pid(ana), "duration": 60})
    assert move(server, max_, pid(ana), ATTIC) == "ok"
    for action in ("unmute", "undeafen"):
        server.say(mia, "moderate", {"action": action, "target": pid(ana)})
    assert server.media.people[pid(ana)] == MuteFlags()
    server.say(mia, "moderate", {"action": "deafen", "target": pid(ana), "duration": 30})
    assert move(server, mia, pid(ana), LOBBY, "lobby") == "ok"
    assert server.media.people[pid(ana)] == MuteFlags(mute=True, deaf=True)
    ana.take()
    server.tick(59)
    assert server.media.people[pid(ana)] == MuteFlags(mute=True, deaf=True), "the later end counts"
    server.tick(1)
    assert server.media.people[pid(ana)] == MuteFlags(mute=True)
    assert move(server, max_, pid(ana), ATTIC) == "ok"
    server.say(mia, "moderate", {"action": "unmute", "target": pid(ana)})
    server.say(ana, "leave")
    assert server.media.people[pid(server.enter("ana"))] == MuteFlags(mute=True)


def test_who_owns_the_new_room_is_its_owner_and_who_comes_home_is_who_they_were() -> None:
    server = FakeServer()
    root = server.enter("root", role="operator")
    mia = server.enter("mia", role="moderator")
    root.take(), mia.take()
    assert move(server, root, pid(mia), replace(ATTIC, owner="mia")) == "ok"
    assert mia.take("moved")["participant"]["role"] == "owner"
    back = server.enter("root2", "attic", role="operator")
    assert move(server, back, pid(mia), LOBBY, "lobby") == "ok"
    assert mia.take("moved")["participant"]["role"] == "moderator"
    assert mia.session is not None
    assert mia.session.claims == mia.session.home


def test_a_seat_that_was_moved_is_resumed_where_it_is_now() -> None:
    server, max_, (ana,) = lobby("ana")
    session = ana.session
    assert session is not None
    move(server, max_, pid(ana), ATTIC)
    server.conversation.lost(ana, server.now)
    again = server.line()
    server.say(again, "resume", {"session": session.id, "secret": session.secret, "seq_ack": 0})
    assert "moved" in again.types
    person = server.conversation.rooms.participant(session.participant_id or "")
    assert person is not None
    assert person.room_id == "attic"
