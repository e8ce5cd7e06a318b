import pytest

from signaling.call.bans import ban, ban_act, lift, lift_act
from signaling.errors import ClientMistake
from signaling.identity.permissions import Asker, Service
from tests.signaling.fakes import FakeServer


def game(*scopes: str) -> Asker:
    return Asker(holder=Service(frozenset(scopes or {"*"}), None, "abc"), address="192.0.2.9")


def test_somebody_who_is_away_is_kept_out() -> None:
    server = FakeServer()
    made = ban(server.conversation, ban_act(game(), "lobby", 60, "noise"), "ana", server.now)
    assert (made.identity, made.room, made.by, made.by_role, bool(made.id)) == (
        "ana",
        "lobby",
        "apikey:abc",
        "service",
        True,
    )
    assert server.line(server.token("ana")).closed == "banned"
    server.enter("ana", "other")
    server.now += 60
    server.enter("ana")


def test_a_ban_is_shortened_by_no_lower_role_than_imposed_it() -> None:
    server = FakeServer()
    token = server.token("ana")
    boss = Asker(holder=server.tokens.verify(server.token("boss", role="owner"), server.utc()), address="")
    mod = Asker(holder=server.tokens.verify(server.token("mod", role="moderator"), server.utc()), address="")
    ban(server.conversation, ban_act(mod, "lobby", 1), "ana", server.now)
    ban(server.conversation, ban_act(boss, "lobby"), "ana", server.now)
    with pytest.raises(ClientMistake) as caught:
        ban(server.conversation, ban_act(mod, "lobby", 1), "ana", server.now)
    assert (caught.value.code, len(server.audit.events)) == ("forbidden", 2)
    server.now += 10
    assert server.line(token).closed == "banned"
    ban(server.conversation, ban_act(boss, "lobby", 1), "ana", server.now)
    server.now += 1
    assert server.line(token).closed is None


def test_a_ban_from_the_server_ends_all_that_is_open() -> None:
    server = FakeServer()
    lines = [server.enter("ana", room) for room in ("lobby", "other")]
    waiting = server.line(server.token("ana", "third"))
    ban(server.conversation, ban_act(game(), None), "ana", server.now)
    assert [line.closed for line in (*lines, waiting)] == ["banned"] * 3
    assert "moderated" in lines[0].types
    assert [(event.action, event.room) for event in server.audit.events] == [("server_ban.create", None)]
    lift(server.conversation, lift_act(game(), None), "ana")
    server.enter("ben")
    server.enter("ana")


@pytest.mark.parametrize(("known", "present"), [("operator", "member"), ("member", "operator")])
def test_the_highest_role_that_is_known_protects(known: str, present: str) -> None:
    server = FakeServer()
    ana = server.enter("ana", role=present)  # type: ignore[arg-type]
    with pytest.raises(ClientMistake) as caught:
        ban(server.conversation, ban_act(game(), "lobby"), "ana", server.now, known)  # type: ignore[arg-type]
    assert (caught.value.code, ana.closed, server.audit.events) == ("forbidden", None, [])


def test_a_scope_for_rooms_is_none_for_the_server() -> None:
    server = FakeServer()
    for act in (ban_act(game("participant.*"), None), ban_act(game("server_ban.*"), "lobby")):
        with pytest.raises(ClientMistake, match="needs"):
            ban(server.conversation, act, "ana", server.now)
    with pytest.raises(ClientMistake, match="needs"):
        lift(server.conversation, lift_act(game("participant.*"), None), "ana")


def test_what_does_not_hold_is_not_lifted() -> None:
    server = FakeServer()
    ban(server.conversation, ban_act(game(), "lobby"), "ana", server.now)
    for room in ("other", None):
        with pytest.raises(ClientMistake) as caught:
            lift(server.conversation, lift_act(game(), room), "ana")
        assert caught.value.code == "no_such_participant"
