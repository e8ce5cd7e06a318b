from dataclasses import replace
from typing import Any

import orjson
import pytest

from sfu.selection import MuteFlags
from signaling.call.admission import empty_room
from signaling.call.entry import Entry, check_entry
from signaling.call.quality_presets import audio_view
from signaling.call.room_policy import RoomPolicy
from signaling.errors import ClientMistake
from signaling.identity.claims import Claims
from signaling.identity.grants import Grants, Role
from tests.signaling.fakes import START, FakeLine, House, pid


def come(house: House, identity: str, policy: RoomPolicy | None, **entry: Any) -> FakeLine:
    """Somebody who asks to come into the lobby, for whom this was found."""
    role = entry.pop("role", None)
    line = house.line(house.token(identity, role=role))
    line.take()
    found = Entry(**{"asked_at": house.now, "policy": policy, **entry})
    text = orjson.dumps({"type": "join", "id": 1, "payload": {"room": "lobby"}}).decode()
    request = house.talk.read(line, text, house.now)
    assert request is not None
    house.talk.act(line, request._replace(found=found), house.now)
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
    house = House()
    owen, ana = come(house, "owen", OPEN), come(house, "ana", OPEN)
    assert owen.frames[0]["payload"]["participant"]["role"] == "owner"
    ana.take()
    house.say(owen, "moderate", {"action": "mute", "target": pid(ana)})
    assert ana.take("moderated")["action"] == "mute"
    house.say(owen, "leave")
    assert owen.session is not None
    assert owen.session.standing is None
    assert owen.session.claims is not None
    assert owen.session.claims.role == "member"


def test_why_the_look_up_failed_is_the_answer_and_the_session_goes_on() -> None:
    house = House()
    line = come(house, "ana", None, refusal=ClientMistake("password_wrong"))
    assert line.take("error")["code"] == "password_wrong"
    assert line.closed is None
    assert not house.talk.rooms.population


def test_a_kept_room_has_its_own_size_and_policy_for_second_selves() -> None:
    house = House(max_participants=100)
    small = replace(OPEN, max_participants=2, duplicate_identity="reject_new")
    come(house, "ana", small)
    come(house, "ben", small)
    assert come(house, "cleo", small).take("error")["code"] == "room_full"
    assert come(house, "ana", small).take("error")["code"] == "duplicate_identity"


def test_two_joins_for_the_last_place_and_one_of_them_gets_it() -> None:
    """Both were looked up before either came in."""
    house = House()
    small = replace(OPEN, max_participants=1)
    lines = [come(house, identity, small, asked_at=house.now) for identity in ("ana", "ben")]
    assert [line.types for line in lines] == [["joined"], ["error"]]


def test_a_room_that_is_deleted_while_somebody_comes_in_stays_deleted() -> None:
    house = House()
    asked_at = house.now
    house.now += 0.1
    empty_room(house.talk, "lobby", house.now)
    assert come(house, "ana", OPEN, asked_at=asked_at).take("error")["code"] == "not_found"
    house.now += 0.1
    assert come(house, "ben", None).types == ["joined"]


def test_a_room_whose_time_is_over_takes_nobody() -> None:
    house = House()
    over = replace(OPEN, scheduled_end=START)
    assert come(house, "ana", over).take("error")["code"] == "room_closed"
    later = replace(OPEN, scheduled_end=START.replace(year=2030))
    assert come(house, "ana", later).types == ["joined"]


def test_where_rooms_have_to_be_made_a_token_makes_none_unless_it_may() -> None:
    house = House(auto_create_rooms=False)
    assert come(house, "ana", None).take("error")["code"] == "not_found"
    assert come(house, "ana", OPEN).types == ["joined"]
    maker = house.line(house.token("max", "hall", room_create=True))
    house.say(maker, "join", {"room": "hall"})
    assert maker.types == ["welcome", "joined"]


def test_the_rules_that_a_join_has_found_hold_for_whoever_is_there() -> None:
    house = House()
    ana = come(house, "ana", OPEN)
    ana.take()
    come(house, "max", replace(OPEN, version=2, is_moderated=True), role="moderator")
    assert ana.take("participant-updated")["participant"]["suppressed"]
    assert house.media.people[pid(ana)] == MuteFlags(suppressed=True)
    come(house, "ben", OPEN)
    assert house.media.people[pid(ana)].suppressed, "older rules, looked up late, change nothing"


def test_a_client_is_told_how_the_room_wants_to_sound() -> None:
    house = House()
    assert come(house, "ana", replace(OPEN, quality_preset="low")).take("joined")["audio"] == audio_view("low")


def test_in_a_moderated_room_members_arrive_suppressed_and_moderators_do_not() -> None:
    house = House()
    moderated = replace(OPEN, is_moderated=True)
    joined = {name: come(house, name, moderated, role=role).take("joined") for name, role in
              (("ana", None), ("max", "moderator"), ("owen", None))}  # fmt: skip
    assert {name: told["participant"]["suppressed"] for name, told in joined.items()} == {
        "ana": True,
        "max": False,
        "owen": False,
    }


def test_joined_has_the_whole_room_and_the_others_hear_of_it() -> None:
    house = House(ice_servers=({"urls": ["stun:stun.example.org"]},), slots=4)
    ana = house.enter("ana")
    ana.take()
    ben = house.enter("ben")
    joined = ben.frames[-1]["payload"]
    assert [person["identity"] for person in joined["participants"]] == ["ana", "ben"]
    assert joined["participant"] == joined["participants"][1]
    assert joined["ice_servers"] == [{"urls": ["stun:stun.example.org"]}]
    assert joined["limits"] == {"slots": 4, "max_participants": 200}
    assert ana.take("participant-joined")["participant"]["identity"] == "ben"
    assert set(house.media.people) == {pid(ana), pid(ben)}


def test_the_name_is_the_tokens_then_the_clients_then_the_identity() -> None:
    house = House()
    named = house.line(
        house.tokens.issue(
            "a", grants=house.talk.tokens.verify(house.token("a"), house.utc()).grants, utc=house.utc(), name="Token"
        )
    )
    house.say(named, "join", {"room": "lobby", "display_name": "Client"})
    chosen = house.line(house.token("b"))
    house.say(chosen, "join", {"room": "lobby", "display_name": " Cli\u202eent "})
    bare = house.line(house.token("c"))
    house.say(bare, "join", {"room": "lobby", "display_name": "\u200b"})
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

    house = House()
    line = house.line(house.tokens.issue("ana", grants=Grants(**grants), utc=house.utc()))  # type: ignore[arg-type]
    line.take()
    house.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "forbidden"
    assert line.closed is None


def test_joins_are_limited_for_each_identity() -> None:
    house = House(joins_per_minute=2)
    ana = house.enter("ana")
    house.say(ana, "leave")
    house.say(ana, "join", {"room": "lobby"})
    house.say(ana, "leave")
    ana.take()
    house.say(ana, "join", {"room": "lobby"})
    refused = ana.take("error")
    assert (refused["code"], refused["details"]) == ("rate_limited", {"retry_after": 30})
    assert ana.closed is None
    house.enter("ben")


def test_a_late_loop_takes_no_new_joins() -> None:
    house = House()
    house.media.lag = 0.2
    line = house.line(house.token("ana"))
    line.take()
    house.say(line, "join", {"room": "lobby"})
    refused = line.take("error")
    assert (refused["code"], refused["details"]) == ("overloaded", {"retry_after": 5})
    assert line.closed is None
    assert house.talk.counters["joins_shed"] == 1


def test_who_is_sent_away_by_a_late_loop_may_try_as_often_as_it_takes() -> None:
    house = House(joins_per_minute=1)
    line = house.line(house.token("ana"))
    house.media.lag = 0.2
    for _ in range(5):
        house.say(line, "join", {"room": "lobby"})
    house.media.lag = 0.0
    house.say(line, "join", {"room": "lobby"})
    assert line.types[-1] == "joined"


def test_a_late_loop_is_noticed_between_joins_and_must_settle_first() -> None:
    house = House()
    line = house.line(house.token("ana"))
    line.take()
    house.media.lag = 0.2
    house.tick(0.5)
    house.media.lag = 0.06
    house.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "overloaded"
    house.media.lag = 0.05
    house.say(line, "join", {"room": "lobby"})
    assert line.types == ["joined"]


def test_a_late_loop_still_takes_back_who_is_here() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    house.media.lag = 1.0
    house.say(ben, "message", {"body": "still here", "topic": "chat"})
    assert ana.types == ["message"]
    session = ana.session
    assert session is not None
    house.talk.lost(ana, house.now)
    again = house.line()
    house.say(again, "resume", {"session": session.id, "secret": session.secret, "seq_ack": session.seq})
    assert again.types[0] == "welcome"


def test_a_full_room_says_so() -> None:
    house = House(max_participants=1)
    house.enter("ana")
    line = house.line(house.token("ben"))
    line.take()
    house.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "room_full"
    assert len(house.media.people) == 1


def test_an_older_self_is_told_to_stay_away() -> None:
    house = House()
    ana, ben = house.people("ana", "ben")
    first = pid(ana)
    again = house.enter("ana")
    assert ana.take("reconnect") == {"action": "disconnect", "reason": "duplicate_identity"}
    assert ana.closed == "duplicate_identity"
    assert [(f["type"], f["payload"].get("reason")) for f in ben.take()] == [
        ("participant-left", "duplicate_identity"),
        ("participant-joined", None),
    ]
    assert first not in house.media.people
    assert pid(again) in house.media.people


def test_under_reject_new_the_older_self_stays() -> None:
    house = House(duplicate_identity="reject_new")
    (ana,) = house.people("ana")
    line = house.line(house.token("ana"))
    line.take()
    house.say(line, "join", {"room": "lobby"})
    assert line.take("error")["code"] == "duplicate_identity"
    assert (ana.closed, line.closed) == (None, None)


def test_a_join_that_the_media_server_cannot_take_leaves_no_ghost() -> None:
    house = House()
    line = house.line(house.token("ana"))
    house.media.fault = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        house.say(line, "join", {"room": "lobby"})
    assert house.talk.rooms.population == 0
    assert line.session is not None
    assert line.session.state == "authenticated"


def test_a_join_that_fails_half_way_leaves_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    (ben,) = house.people("ben")
    line = house.line(house.token("ana"))
    monkeypatch.setattr(house.audit, "joined", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        house.say(line, "join", {"room": "lobby"})
    assert [person.identity for room in house.talk.rooms for person in room] == ["ben"]
    assert set(house.media.people) == {pid(ben)}
    assert line.session is not None
    assert (line.session.state, line.session.participant_id) == ("authenticated", None)
    monkeypatch.undo()
    house.say(line, "join", {"room": "lobby"})
    assert line.types[-1] == "joined"


def test_grants_become_flags() -> None:
    house = House()
    ana = house.enter("ana", can_publish=False, can_subscribe=False)
    flags = house.media.people[pid(ana)]
    assert (flags.suppressed, flags.deaf) == (True, True)
    assert ana.frames[-1]["payload"]["participant"]["suppressed"]


def test_the_hidden_come_and_go_unseen() -> None:
    house = House()
    (ana,) = house.people("ana")
    spy = house.enter("spy", hidden=True)
    house.say(spy, "mute")
    house.say(ana, "participants")
    assert [person["identity"] for person in ana.take("participants")["participants"]] == ["ana"]
    house.say(spy, "leave")
    assert ana.frames == []
