"""When newcomers are taken."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.selection import MuteFlags
from signaling.call.joining import Entry, check_entry
from signaling.call.leaving import empty_room
from signaling.call.media import audio_view
from signaling.call.rooms import RoomPolicy
from signaling.errors import ClientMistake
from signaling.identity.claims import Claims
from signaling.identity.grants import Grants, Role
from signaling.limits import JoinGate
from tests.signaling.fakes import START, FakeCarrier, FakeServer, pid


def test_it_shuts_above_the_limit_only() -> None:
    gate = JoinGate(0.1)
    assert gate.is_open
    assert gate.look(0.1)
    assert not gate.look(0.101)


def test_it_opens_again_at_half_of_the_limit() -> None:
    gate = JoinGate(0.1)
    gate.look(0.3)
    assert [gate.look(lag) for lag in (0.1, 0.09, 0.051, 0.05, 0.09, 0.1)] == [False, False, False, True, True, True]


@given(lags=st.lists(st.floats(0, 1), max_size=100))
def test_between_the_marks_nothing_changes(lags: list[float]) -> None:
    gate = JoinGate(0.1)
    for lag in lags:
        before, after = gate.is_open, gate.look(lag)
        assert after is gate.is_open
        if before and not after:
            assert lag > 0.1
        if after and not before:
            assert lag <= 0.05
        assert not (after and lag > 0.1)


def come(server: FakeServer, identity: str, policy: RoomPolicy | None, **entry: Any) -> FakeCarrier:
    """Somebody who asks to come into the lobby, for whom this was found."""
    role = entry.pop("role", None)
    line = server.line(server.token(identity, role=role))
    line.take()
    found = Entry(**{"asked_at": server.now, "policy": policy, **entry})
    text = orjson.dumps({"type": "join", "id": 1, "payload": {"room": "lobby"}}).decode()
    request = server.conversation.read(line, text, server.now)
    assert request is not None
    server.conversation.act(line, request._replace(found=found), server.now)
    return line


def claims_of(identity: str, role: Role = "member", *, invited: bool = False) -> Claims:
    grants = Grants.for_room("lobby")
    return Claims(identity, None, grants, role, START, "id", invited=invited)


FOUND = Entry(asked_at=0.0)
OPEN = RoomPolicy(version=1, owner="owen")
PRIVATE = replace(OPEN, is_private=True)
LOCKED = replace(OPEN, has_password=True)


@pytest.mark.parametrize(
    ("policy", "identity", "role", "entry", "comes_as"),
    [
        (OPEN, "ana", "member", FOUND, "member"),
        (OPEN, "owen", "member", FOUND, "owner"),
        (OPEN, "ana", "operator", FOUND, "operator"),
        (OPEN, "ana", "member", replace(FOUND, invited_as="moderator"), "moderator"),
        (OPEN, "ana", "owner", replace(FOUND, invited_as="moderator"), "owner"),
        (PRIVATE, "ana", "member", FOUND, "invite_required"),
        (PRIVATE, "ana", "moderator", FOUND, "moderator"),
        (PRIVATE, "owen", "member", FOUND, "owner"),
        (PRIVATE, "ana", "member", replace(FOUND, invited_as="member"), "member"),
        (LOCKED, "ana", "member", FOUND, "password_required"),
        (LOCKED, "ana", "member", replace(FOUND, password=True), "member"),
        (LOCKED, "ana", "member", replace(FOUND, invited_as="member"), "member"),
        (LOCKED, "ana", "moderator", FOUND, "moderator"),
        (replace(PRIVATE, has_password=True), "ana", "member", FOUND, "password_required"),
        (replace(PRIVATE, has_password=True), "ana", "member", replace(FOUND, password=True), "member"),
    ],
)
def test_who_comes_in_and_as_what(policy: RoomPolicy, identity: str, role: Role, entry: Entry, comes_as: str) -> None:
    try:
        told: str = check_entry(policy, claims_of(identity, role), entry)
    except ClientMistake as mistake:
        told = mistake.code
    assert told == comes_as


def test_a_token_that_says_so_is_an_invite() -> None:
    assert check_entry(PRIVATE, claims_of("ana", invited=True), FOUND) == "member"


def test_what_the_room_gives_counts_in_it_and_nowhere_else() -> None:
    server = FakeServer()
    owen, ana = come(server, "owen", OPEN), come(server, "ana", OPEN)
    assert owen.frames[0]["payload"]["participant"]["role"] == "owner"
    ana.take()
    server.say(owen, "moderate", {"action": "mute", "target": pid(ana)})
    assert ana.take("moderated")["action"] == "mute"
    server.say(owen, "leave")
    assert owen.session is not None
    assert owen.session.standing is None
    assert owen.session.claims is not None
    assert owen.session.claims.role == "member"


def test_why_the_look_up_failed_is_the_answer_and_the_session_goes_on() -> None:
    server = FakeServer()
    line = come(server, "ana", None, refusal=ClientMistake("password_wrong"))
    assert line.take("error")["code"] == "password_wrong"
    assert line.closed is None
    assert not server.conversation.rooms.population


def test_a_kept_room_has_its_own_size_and_policy_for_second_selves() -> None:
    server = FakeServer(max_participants=100)
    small = replace(OPEN, max_participants=2, duplicate_identity="reject_new")
    come(server, "ana", small)
    come(server, "ben", small)
    assert come(server, "cleo", small).take("error")["code"] == "room_full"
    assert come(server, "ana", small).take("error")["code"] == "duplicate_identity"


def test_two_joins_for_the_last_place_and_one_of_them_gets_it() -> None:
    """Both were looked up before either came in."""
    server = FakeServer()
    small = replace(OPEN, max_participants=1)
    lines = [come(server, identity, small, asked_at=server.now) for identity in ("ana", "ben")]
    assert [line.types for line in lines] == [["joined"], ["error"]]


def test_a_room_that_is_deleted_while_somebody_comes_in_stays_deleted() -> None:
    server = FakeServer()
    asked_at = server.now
    server.now += 0.1
    empty_room(server.conversation, "lobby", server.now)
    assert come(server, "ana", OPEN, asked_at=asked_at).take("error")["code"] == "not_found"
    server.now += 0.1
    assert come(server, "ben", None).types == ["joined"]


def test_a_room_whose_time_is_over_takes_nobody() -> None:
    server = FakeServer()
    over = replace(OPEN, scheduled_end=START)
    assert come(server, "ana", over).take("error")["code"] == "room_closed"
    later = replace(OPEN, scheduled_end=START.replace(year=2030))
    assert come(server, "ana", later).types == ["joined"]


def test_where_rooms_have_to_be_made_a_token_makes_none_unless_it_may() -> None:
    server = FakeServer(auto_create_rooms=False)
    assert come(server, "ana", None).take("error")["code"] == "not_found"
    assert come(server, "ana", OPEN).types == ["joined"]
    maker = server.line(server.token("max", "hall", room_create=True))
    server.say(maker, "join", {"room": "hall"})
    assert maker.types == ["welcome", "joined"]


def test_the_rules_that_a_join_has_found_hold_for_whoever_is_there() -> None:
    server = FakeServer()
    ana = come(server, "ana", OPEN)
    ana.take()
    come(server, "max", replace(OPEN, version=2, is_moderated=True), role="moderator")
    assert ana.take("participant-updated")["participant"]["suppressed"]
    assert server.media.people[pid(ana)] == MuteFlags(suppressed=True)
    come(server, "ben", OPEN)
    assert server.media.people[pid(ana)].suppressed, "older rules, looked up late, change nothing"


def test_a_client_is_told_how_the_room_wants_to_sound() -> None:
    server = FakeServer()
    assert come(server, "ana", replace(OPEN, quality_preset="low")).take("joined")["audio"] == audio_view("low")


def test_in_a_moderated_room_members_arrive_suppressed_and_moderators_do_not() -> None:
    server = FakeServer()
    moderated = replace(OPEN, is_moderated=True)
    joined = {name: come(server, name, moderated, role=role).take("joined") for name, role in
              (("ana", None), ("max", "moderator"), ("owen", None))}  # fmt: skip
    assert {name: told["participant"]["suppressed"] for name, told in joined.items()} == {
        "ana": True,
        "max": False,
        "owen": False,
    }


def test_joined_has_the_whole_room_and_the_others_hear_of_it() -> None:
    server = FakeServer(ice_servers=({"urls": ["stun:stun.example.org"]},), slots=4)
    ana = server.enter("ana")
    ana.take()
    ben = server.enter("ben")
    joined = ben.frames[-1]["payload"]
    assert [person["identity"] for person in joined["participants"]] == ["ana", "ben"]
    assert joined["participant"] == joined["participants"][1]
    assert joined["ice_servers"] == [{"urls": ["stun:stun.example.org"]}]
    assert joined["limits"] == {"slots": 4, "max_participants": 200}
    assert ana.take("participant-joined")["participant"]["identity"] == "ben"
    assert set(server.media.people) == {pid(ana), pid(ben)}


def test_the_name_is_the_tokens_then_the_clients_then_the_identity() -> None:
    server = FakeServer()
    named = server.line(
        server.tokens.issue(
            "a",
            grants=server.conversation.tokens.verify(server.token("a"), server.utc()).grants,
            utc=server.utc(),
            name="Token",
        )
    )
    server.say(named, "join", {"room": "lobby", "display_name": "Client"})
    chosen = server.line(server.token("b"))
    server.say(chosen, "join", {"room": "lobby", "display_name": " Cli\u202eent "})
    bare = server.line(server.token("c"))
    server.say(bare, "join", {"room": "lobby", "display_name": "\u200b"})
    assert [line.frames[1]["payload"]["participant"]["name"] for line in (named, chosen, bare)] == [
        "Token",
        "Client",
        "c",
    ]


@pytest.mark.parametrize(
    "grants", [{"room": "other", "room_join": True}, {"room": None, "room_join": True}, {"room": "lobby"}]
)
def test_a_token_for_another_room_does_not_open_this_one(grants: dict[str, object]) -> None:
    from signaling.identity.grants import Grants

    server = FakeServer()
    line = server.line(server.tokens.issue("ana", grants=Grants(**grants), utc=server.utc()))  # type: ignore[arg-type]
    line.take()
    server.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "forbidden"
    assert line.closed is None


def test_joins_are_limited_for_each_identity() -> None:
    server = FakeServer(joins_per_minute=2)
    ana = server.enter("ana")
    server.say(ana, "leave")
    server.say(ana, "join", {"room": "lobby"})
    server.say(ana, "leave")
    ana.take()
    server.say(ana, "join", {"room": "lobby"})
    refused = ana.take("error")
    assert (refused["code"], refused["details"]) == ("rate_limited", {"retry_after": 30})
    assert ana.closed is None
    server.enter("ben")


def test_a_late_loop_takes_no_new_joins() -> None:
    server = FakeServer()
    server.media.lag = 0.2
    line = server.line(server.token("ana"))
    line.take()
    server.say(line, "join", {"room": "lobby"})
    refused = line.take("error")
    assert (refused["code"], refused["details"]) == ("overloaded", {"retry_after": 5})
    assert line.closed is None
    assert server.conversation.counters["joins_shed"] == 1


def test_who_is_sent_away_by_a_late_loop_may_try_as_often_as_it_takes() -> None:
    server = FakeServer(joins_per_minute=1)
    line = server.line(server.token("ana"))
    server.media.lag = 0.2
    for _ in range(5):
        server.say(line, "join", {"room": "lobby"})
    server.media.lag = 0.0
    server.say(line, "join", {"room": "lobby"})
    assert line.types[-1] == "joined"


def test_a_late_loop_is_noticed_between_joins_and_must_settle_first() -> None:
    server = FakeServer()
    line = server.line(server.token("ana"))
    line.take()
    server.media.lag = 0.2
    server.tick(0.5)
    server.media.lag = 0.06
    server.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "overloaded"
    server.media.lag = 0.05
    server.say(line, "join", {"room": "lobby"})
    assert line.types == ["joined"]


def test_a_late_loop_still_takes_back_who_is_here() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    server.media.lag = 1.0
    server.say(ben, "message", {"body": "still here", "topic": "chat"})
    assert ana.types == ["message"]
    session = ana.session
    assert session is not None
    server.conversation.lost(ana, server.now)
    again = server.line()
    server.say(again, "resume", {"session": session.id, "secret": session.secret, "seq_ack": session.seq})
    assert again.types[0] == "welcome"


def test_a_full_room_says_so() -> None:
    server = FakeServer(max_participants=1)
    server.enter("ana")
    line = server.line(server.token("ben"))
    line.take()
    server.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "room_full"
    assert len(server.media.people) == 1


def test_an_older_self_is_told_to_stay_away() -> None:
    server = FakeServer()
    ana, ben = server.people("ana", "ben")
    first = pid(ana)
    again = server.enter("ana")
    assert ana.take("reconnect") == {"action": "disconnect", "reason": "duplicate_identity"}
    assert ana.closed == "duplicate_identity"
    assert [(f["type"], f["payload"].get("reason")) for f in ben.take()] == [
        ("participant-left", "duplicate_identity"),
        ("participant-joined", None),
    ]
    assert first not in server.media.people
    assert pid(again) in server.media.people


def test_under_reject_new_the_older_self_stays() -> None:
    server = FakeServer(duplicate_identity="reject_new")
    (ana,) = server.people("ana")
    line = server.line(server.token("ana"))
    line.take()
    server.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "duplicate_identity"
    assert (ana.closed, line.closed) == (None, None)


def test_a_join_that_the_media_server_cannot_take_leaves_no_ghost() -> None:
    server = FakeServer()
    line = server.line(server.token("ana"))
    server.media.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        server.say(line, "join", {"room": "lobby"})
    assert server.conversation.rooms.population == 0
    assert line.session is not None
    assert line.session.state == "authenticated"


def test_a_join_that_fails_half_way_leaves_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    (ben,) = server.people("ben")
    line = server.line(server.token("ana"))
    monkeypatch.setattr(server.audit, "joined", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        server.say(line, "join", {"room": "lobby"})
    assert [person.identity for room in server.conversation.rooms for person in room] == ["ben"]
    assert set(server.media.people) == {pid(ben)}
    assert line.session is not None
    assert (line.session.state, line.session.participant_id) == ("authenticated", None)
    monkeypatch.undo()
    server.say(line, "join", {"room": "lobby"})
    assert line.types[-1] == "joined"


def test_grants_become_flags() -> None:
    server = FakeServer()
    ana = server.enter("ana", can_publish=False, can_subscribe=False)
    flags = server.media.people[pid(ana)]
    assert (flags.suppressed, flags.deaf) == (True, True)
    assert ana.frames[-1]["payload"]["participant"]["suppressed"]


def test_the_hidden_come_and_go_unseen() -> None:
    server = FakeServer()
    (ana,) = server.people("ana")
    spy = server.enter("spy", hidden=True)
    server.say(spy, "mute")
    server.say(ana, "participants")
    assert [person["identity"] for person in ana.take("participants")["participants"]] == ["ana"]
    server.say(spy, "leave")
    assert ana.frames == []
