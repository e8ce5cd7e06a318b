import pytest

from signaling.call.banning import ban, ban_act, lift, lift_act
from signaling.errors import ClientMistake
from signaling.identity.asker import Asker
from signaling.identity.permissions import Service
from tests.signaling.fakes import House


def game(*scopes: str) -> Asker:
    return Asker(holder=Service(frozenset(scopes or {"*"}), None, "abc"), address="192.0.2.9")


def test_somebody_who_is_away_is_kept_out() -> None:
    house = House()
    made = ban(house.talk, ban_act(game(), "lobby", 60, "noise"), "ana", house.now)
    assert (made.identity, made.room, made.by, made.by_role, bool(made.id)) == (
        "ana",
        "lobby",
        "apikey:abc",
        "service",
        True,
    )
    assert house.line(house.token("ana")).closed == "banned"
    house.enter("ana", "other")
    house.now += 60
    house.enter("ana")


def test_a_ban_is_shortened_by_no_lower_role_than_imposed_it() -> None:
    house = House()
    token = house.token("ana")
    boss = Asker(holder=house.tokens.verify(house.token("boss", role="owner"), house.utc()), address="")
    mod = Asker(holder=house.tokens.verify(house.token("mod", role="moderator"), house.utc()), address="")
    ban(house.talk, ban_act(mod, "lobby", 1), "ana", house.now)
    ban(house.talk, ban_act(boss, "lobby"), "ana", house.now)
    with pytest.raises(ClientMistake) as caught:
        ban(house.talk, ban_act(mod, "lobby", 1), "ana", house.now)
    assert (caught.value.code, len(house.audit.events)) == ("forbidden", 2)
    house.now += 10
    assert house.line(token).closed == "banned"
    ban(house.talk, ban_act(boss, "lobby", 1), "ana", house.now)
    house.now += 1
    assert house.line(token).closed is None


def test_a_ban_from_the_server_ends_all_that_is_open() -> None:
    house = House()
    lines = [house.enter("ana", room) for room in ("lobby", "other")]
    waiting = house.line(house.token("ana", "third"))
    ban(house.talk, ban_act(game(), None), "ana", house.now)
    assert [line.closed for line in (*lines, waiting)] == ["banned"] * 3
    assert "moderated" in lines[0].types
    assert [(event.action, event.room) for event in house.audit.events] == [("server_ban.create", None)]
    lift(house.talk, lift_act(game(), None), "ana")
    house.enter("ben")
    house.enter("ana")


@pytest.mark.parametrize(("known", "present"), [("operator", "member"), ("member", "operator")])
def test_the_highest_role_that_is_known_protects(known: str, present: str) -> None:
    house = House()
    ana = house.enter("ana", role=present)  # type: ignore[arg-type]
    with pytest.raises(ClientMistake) as caught:
        ban(house.talk, ban_act(game(), "lobby"), "ana", house.now, known)  # type: ignore[arg-type]
    assert (caught.value.code, ana.closed, house.audit.events) == ("forbidden", None, [])


def test_a_scope_for_rooms_is_none_for_the_server() -> None:
    house = House()
    for act in (ban_act(game("participant.*"), None), ban_act(game("server_ban.*"), "lobby")):
        with pytest.raises(ClientMistake, match="needs"):
            ban(house.talk, act, "ana", house.now)
    with pytest.raises(ClientMistake, match="needs"):
        lift(house.talk, lift_act(game("participant.*"), None), "ana")


def test_what_does_not_hold_is_not_lifted() -> None:
    house = House()
    ban(house.talk, ban_act(game(), "lobby"), "ana", house.now)
    for room in ("other", None):
        with pytest.raises(ClientMistake) as caught:
            lift(house.talk, lift_act(game(), room), "ana")
        assert caught.value.code == "no_such_participant"
