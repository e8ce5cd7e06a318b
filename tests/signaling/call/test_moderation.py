import itertools

import pytest

from sfu.selection import MuteFlags
from signaling.clock import rfc3339
from signaling.identity.grants import RANK, Role
from signaling.identity.permissions import may
from tests.signaling.call.test_sessions import seat_of
from tests.signaling.fakes import FakeCarrier, FakeServer, pid

ROLES: tuple[Role, ...] = ("member", "moderator", "owner", "operator")


def refusal(line: FakeCarrier) -> str:
    frame = line.take()[-1]
    assert frame["type"] == "error", frame
    return str(frame["payload"]["code"])


@pytest.mark.parametrize(("do", "undo", "flag"), [("mute", "unmute", "mute"), ("deafen", "undeafen", "deaf")])
def test_a_moderators_flags_are_enforced_told_and_seen(do: str, undo: str, flag: str) -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    ana, ben = server.people("ana", "ben")
    boss.take()
    for action, value in ((do, True), (undo, False)):
        server.say(boss, "moderate", {"action": action, "target": pid(ana), "reason": "noise"})
        assert getattr(server.media.people[pid(ana)], flag) is value
        notice, update = ana.take()
        assert notice["payload"] == {"action": action, "by": pid(boss), "reason": "noise"}
        assert update["payload"]["participant"][flag] is value
        assert ben.take("participant-updated")["participant"][flag] is value
        assert [frame["type"] for frame in boss.take()] == ["participant-updated", "ok"]


def test_what_is_so_already_changes_nothing_for_the_others() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    ana, ben = server.people("ana", "ben")
    server.say(boss, "moderate", {"action": "unmute", "target": pid(ana)})
    assert (ana.types, ben.types) == (["moderated"], [])


@pytest.mark.parametrize(("own", "action"), [("mute", "unmute"), ("deafen", "undeafen")])
def test_a_moderator_lifts_nobodys_own_mute(own: str, action: str) -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    (ana,) = server.people("ana")
    server.say(ana, own)
    before = server.media.people[pid(ana)]
    server.say(boss, "moderate", {"action": action, "target": pid(ana)})
    assert server.media.people[pid(ana)] == before != MuteFlags()


@pytest.mark.parametrize(("action", "undone", "flag"), [("mute", "unmute", "mute"), ("deafen", "undeafen", "deaf")])
def test_a_mute_for_a_time_ends_by_itself_and_is_told(action: str, undone: str, flag: str) -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    ana, ben = server.people("ana", "ben")
    who = pid(ana)
    server.say(boss, "moderate", {"action": action, "target": who, "duration": 60})
    assert ana.take()[0]["payload"]["until"] == "2026-01-01T00:01:00.000Z"
    ben.take()
    server.tick(59.9)
    assert getattr(server.media.people[who], flag)
    server.tick(0.1)
    assert not getattr(server.media.people[who], flag)
    notice, update = ana.take()
    assert notice["payload"] == {"action": undone, "by": None, "reason": None}
    assert update["payload"]["participant"][flag] is False
    assert ben.types == ["participant-updated"]


def test_a_mute_that_was_renewed_or_lifted_has_no_former_end() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    (ana,) = server.people("ana")
    who = pid(ana)
    server.say(boss, "moderate", {"action": "mute", "target": who, "duration": 10})
    server.say(boss, "moderate", {"action": "mute", "target": who})
    server.tick(11)
    assert server.media.people[who].mute
    server.say(boss, "moderate", {"action": "mute", "target": who, "duration": 10})
    server.say(boss, "moderate", {"action": "unmute", "target": who})
    ana.take()
    server.tick(11)
    assert ana.frames == []
    server.say(boss, "moderate", {"action": "mute", "target": who, "duration": 10})
    server.say(ana, "leave")
    server.tick(11)


def test_a_kick_ends_the_session_and_says_so() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    ana, ben = server.people("ana", "ben")
    who = pid(ana)
    server.say(boss, "moderate", {"action": "kick", "target": who})
    assert ana.types == ["moderated", "participant-left", "reconnect"]
    assert ana.frames[-1]["payload"] == {"action": "disconnect", "reason": "removed"}
    assert ana.closed == "forbidden"
    assert ben.take("participant-left") == {"participant": who, "reason": "removed"}
    assert who not in server.media.people
    assert len(server.conversation.sessions) == 2


def test_a_seat_without_a_line_can_be_kicked_too() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    (ana,) = server.people("ana")
    who = pid(ana)
    server.conversation.lost(ana, server.now)
    server.say(boss, "moderate", {"action": "kick", "target": who})
    assert (len(server.conversation.sessions), server.conversation.rooms.population) == (1, 1)


@pytest.mark.parametrize("action", ["mute", "unmute", "deafen", "undeafen", "kick", "ban"])
@pytest.mark.parametrize(("role", "target"), list(itertools.product(ROLES, ROLES)))
def test_who_may_do_what_to_whom_is_what_the_table_says(role: Role, target: Role, action: str) -> None:
    server = FakeServer()
    actor = server.enter("actor", role=role)
    other = server.enter("other", role=target)
    other.take()
    server.say(actor, "moderate", {"action": action, "target": pid(other)})
    expected = may(role, f"participant.{action}", target)
    assert expected is (RANK[role] >= 1 and (RANK[role] > RANK[target] or role == "operator"))
    assert (actor.frames[-1]["type"] == "ok") is expected
    assert bool(other.frames) is expected
    assert bool(server.audit.events) is expected
    if not expected:
        assert refusal(actor) == "forbidden"


def test_nobody_acts_on_himself_so_a_muted_moderator_stays_muted() -> None:
    server = FakeServer()
    boss = server.enter("boss", role="owner")
    mod = server.enter("mod", role="moderator")
    who = pid(mod)
    server.say(boss, "moderate", {"action": "mute", "target": who})
    server.say(mod, "moderate", {"action": "unmute", "target": who})
    assert refusal(mod) == "forbidden"
    server.say(mod, "unmute")
    assert server.media.people[who].mute


def test_nobody_is_found_who_is_not_in_the_same_room() -> None:
    server = FakeServer()
    boss = server.enter("boss", role="owner")
    elsewhere = server.enter("ana", room="other")
    for target in ("nobody", pid(elsewhere)):
        server.say(boss, "moderate", {"action": "kick", "target": target})
        assert refusal(boss) == "no_such_participant"


def test_a_hidden_moderator_stays_hidden() -> None:
    server = FakeServer()
    boss = server.enter("boss", role="owner", hidden=True)
    (ana,) = server.people("ana")
    server.say(boss, "moderate", {"action": "mute", "target": pid(ana)})
    assert ana.take()[0]["payload"]["by"] is None


# -- a removed person does not come back -------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "code"), [("kick", "token_invalid"), ("ban", "banned")])
def test_who_was_removed_does_not_come_back_with_the_same_token_on_any_path(action: str, code: str) -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    token = server.token("ana")
    waiting = server.line(token)
    ana = server.line(token)
    server.say(ana, "join", {"room": "lobby"})
    server.tick(480)
    fresh = next(frame for frame in ana.take() if frame["type"] == "token")["payload"]["token"]
    seat = seat_of(ana)
    server.say(boss, "moderate", {"action": action, "target": pid(ana)})
    assert ana.closed == ("forbidden" if action == "kick" else "banned")
    assert waiting.closed == ana.closed, "who has authenticated with the token, and not joined"
    assert waiting.frames[-1]["payload"]["action"] == "disconnect"
    for one in (token, fresh):
        again = server.line(one)
        assert (again.take("error")["code"], again.closed) == (code, code)
        by_message = server.line()
        server.say(by_message, "auth", {"token": one})
        assert by_message.closed == code
    resumed = server.line()
    server.say(resumed, "resume", seat)
    assert resumed.types == ["resume-lost"]
    assert server.conversation.rooms.population == 1
    assert not any(
        session.claims and session.claims.identity == "ana" for session in server.conversation.sessions.values()
    )


def test_a_kicked_person_may_come_back_with_a_new_token_and_a_banned_one_may_not() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    for action in ("kick", "ban"):
        ana = server.enter("ana")
        server.say(boss, "moderate", {"action": action, "target": pid(ana)})
    server.tick(3600)
    assert server.line(server.token("ana")).closed == "banned"
    assert server.line(server.token("ana", "other")).closed is None
    assert server.line(server.token("anna")).closed is None


def test_a_ban_is_told_to_the_person_and_to_the_others() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    ana, ben = server.people("ana", "ben")
    who = pid(ana)
    server.say(boss, "moderate", {"action": "ban", "target": who, "duration": 3600, "reason": "noise"})
    moderated, left, reconnect = ana.take()
    until = "2026-01-01T01:00:00.000Z"
    assert moderated["payload"] == {"action": "ban", "by": pid(boss), "reason": "noise", "until": until}
    assert left["payload"] == {"participant": who, "reason": "banned"}
    assert reconnect["payload"] == {"action": "disconnect", "reason": "banned"}
    assert ana.closed == "banned"
    assert ben.take("participant-left") == {"participant": who, "reason": "banned"}
    assert who not in server.media.people
    again = server.line(server.token("ana"))
    assert again.take("error")["details"] == {"until": until}


def test_a_ban_ends_by_itself() -> None:
    server = FakeServer()
    boss = server.enter("boss", room_admin=True)
    (ana,) = server.people("ana")
    server.say(boss, "moderate", {"action": "ban", "target": pid(ana), "duration": 3600})
    server.tick(3599)
    assert server.line(server.token("ana")).closed == "banned"
    server.tick(1)
    assert server.line(server.token("ana")).closed is None


def test_a_ban_is_lifted_by_identity_and_by_no_lower_role_than_imposed_it() -> None:
    server = FakeServer()
    boss, mod = server.enter("boss", role="owner"), server.enter("mod", role="moderator")
    (ana,) = server.people("ana")
    server.say(boss, "moderate", {"action": "ban", "target": pid(ana)})
    elsewhere = server.enter("chief", room="other", role="owner")
    for line, code in ((mod, "forbidden"), (elsewhere, "no_such_participant")):
        server.say(line, "moderate", {"action": "unban", "target": "ana"})
        assert refusal(line) == code
    server.say(boss, "moderate", {"action": "unban", "target": "ana"})
    assert boss.types[-1] == "ok"
    server.enter("ana")
    server.say(boss, "moderate", {"action": "unban", "target": "ana"})
    assert refusal(boss) == "no_such_participant"


def test_who_imposed_a_ban_may_lift_it_and_a_member_learns_nothing_of_bans() -> None:
    server = FakeServer()
    mod, second = server.enter("mod", role="moderator"), server.enter("second", role="moderator")
    ana, ben = server.people("ana", "ben")
    server.say(mod, "moderate", {"action": "ban", "target": pid(ana)})
    for identity in ("ana", "nobody"):
        server.say(ben, "moderate", {"action": "unban", "target": identity})
        assert refusal(ben) == "forbidden"
    server.say(second, "moderate", {"action": "unban", "target": "ana"})
    assert second.types[-1] == "ok"


def test_each_act_that_was_done_leaves_a_trail() -> None:
    server = FakeServer()
    boss = server.enter("boss", role="owner")
    ana, ben = server.people("ana", "ben")
    server.say(boss, "moderate", {"action": "mute", "target": pid(ana), "duration": 5})
    server.say(ben, "moderate", {"action": "mute", "target": pid(ana)})
    server.say(boss, "moderate", {"action": "ban", "target": pid(ana), "reason": "noise", "duration": 60})
    server.say(boss, "moderate", {"action": "unban", "target": "ana"})
    found = [(event.action, event.actor, event.actor_role, event.target, event.reason) for event in server.audit.events]
    assert found == [
        ("participant.mute", "boss", "owner", "ana", None),
        ("participant.ban", "boss", "owner", "ana", "noise"),
        ("participant.unban", "boss", "owner", "ana", None),
    ]
    ban = server.audit.events[1]
    assert (ban.room, ban.address, ban.at) == ("lobby", "192.0.2.1", server.utc())
    assert ban.until is not None
    assert rfc3339(ban.until) == "2026-01-01T00:01:00.000Z"
