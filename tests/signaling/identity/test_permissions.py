"""The table of permissions, cell by cell: against what is written here by hand, and against the manual."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signaling.errors import OurMistake
from signaling.identity.claims import Claims
from signaling.identity.grants import RANK, Grants, Role, role_of
from signaling.identity.permissions import (
    ACTIONS,
    GIVEN,
    HIDDEN,
    WITHHELD,
    Asker,
    Service,
    in_room,
    known_scope,
    may,
    may_name_owner,
    may_to_room,
    may_undo,
    owner_of_new,
    reference,
    with_room_role,
)
from signaling.identity.tokens import Tokens

MANUAL = (Path(__file__).parents[3] / "docs" / "permissions.md").read_text()

EXPECTED: dict[str, str] = {
    "member": """
        room.read audio.publish audio.subscribe message.send message.read signal.send participant.list
    """,
    "moderator": """
        room.watch
        participant.history participant.mute participant.unmute participant.deafen participant.undeafen
        participant.give_floor participant.take_floor participant.kick participant.ban participant.unban
        participant.move ban.list invite.create invite.list invite.revoke
        recording.start recording.stop recording.list recording.read
    """,
    "owner": "room.update room.delete recording.render recording.delete audit.read",
    "operator": """
        room.create room.list token.issue event.read webhook.list webhook.create webhook.update webhook.delete
        webhook.test apikey.list apikey.create apikey.revoke
        server_ban.list server_ban.create server_ban.lift server_audit.read
    """,
}
"""What each role may besides what the one before may."""

NEVER_A_SERVICE = {
    "audio.publish", "audio.subscribe", "signal.send", "apikey.list", "apikey.create", "apikey.revoke",
}  # fmt: skip
ROLES: tuple[Role, ...] = ("member", "moderator", "owner", "operator")
ON_SOMEBODY = {
    "participant.mute", "participant.unmute", "participant.deafen", "participant.undeafen", "participant.give_floor",
    "participant.take_floor", "participant.kick", "participant.ban", "participant.move", "server_ban.create",
}  # fmt: skip


def allowed(role: str) -> set[str]:
    return {action for one in ROLES[: RANK[role] + 1] for action in EXPECTED[one].split()}


def claims(role: Role = "member", room: str | None = "lobby", **grants: bool) -> Claims:
    granted = Grants(room=room, room_join=True, **grants)
    return Claims(
        identity="ana",
        name=None,
        grants=granted,
        role=role_of(role, granted),
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
        token_id="t",
    )


@pytest.mark.parametrize(("role", "action"), list(itertools.product(ROLES, ACTIONS)))
def test_each_role_and_each_action(role: Role, action: str) -> None:
    assert may(role, action) is (action in allowed(role))
    assert may(claims(role), action, room="lobby") is (action in allowed(role))


def test_no_action_is_missing_and_the_table_says_which_are_done_to_somebody() -> None:
    assert allowed("operator") == ACTIONS.keys()
    assert {action for action, row in ACTIONS.items() if row.to_somebody} == ON_SOMEBODY


@pytest.mark.parametrize(
    ("role", "action", "target"), list(itertools.product(ROLES, sorted(ON_SOMEBODY), ROLES))
)  # fmt: skip
def test_nobody_acts_on_the_same_or_a_higher_role_but_operators_on_each_other(
    role: Role, action: str, target: Role
) -> None:
    least = "operator" if action == "server_ban.create" else "moderator"
    expected = RANK[role] >= RANK[least] and (RANK[role] > RANK[target] or role == "operator")
    assert may(role, action, target) is expected
    assert may(claims(role), action, target, room="lobby") is expected


@pytest.mark.parametrize(("role", "action"), list(itertools.product(ROLES, ACTIONS)))
def test_a_role_counts_in_the_room_of_the_token_and_an_operators_everywhere(role: Role, action: str) -> None:
    assert may(claims(role), action, room="another") is (role == "operator")
    assert may(claims(role, room=None), action, room="lobby") is (role == "operator")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_service_may_what_its_scopes_say(action: str) -> None:
    family = action.partition(".")[0]
    open_to_services = action not in NEVER_A_SERVICE
    for scope in (action, f"{family}.*", "*"):
        assert may(Service(frozenset({scope})), action) is open_to_services
    for scopes in ((), (family,), (f"{action}.*",), (f"{family}*",), ("**",), (action.upper(),), ("",)):
        assert not may(Service(frozenset(scopes)), action)
    others = Service(frozenset(ACTIONS) - {action})
    assert not may(others, action)


def test_a_service_stands_above_owners_and_below_operators_and_keeps_to_its_rooms() -> None:
    service = Service(frozenset({"participant.*"}))
    assert [may(service, "participant.kick", role) for role in ROLES] == [True, True, True, False]
    bound = Service(frozenset({"*"}), frozenset({"lobby"}))
    assert may(bound, "participant.kick", "owner", room="lobby")
    assert not may(bound, "participant.kick", "owner", room="another")
    assert not may(bound, "room.list")


def test_a_scope_is_known_where_it_allows_anything() -> None:
    assert all(known_scope(scope) for scope in ("*", "room.*", "room.read", "audit.read"))
    assert not any(known_scope(scope) for scope in ("", "room", "rooms.*", "apikey.*", "apikey.create", "audio.*"))


def test_an_action_that_does_not_exist_is_our_mistake() -> None:
    with pytest.raises(OurMistake):
        may("operator", "room.fly")


@pytest.mark.parametrize(("role", "by"), list(itertools.product(ROLES, ROLES)))
def test_nobody_undoes_what_a_higher_role_has_done(role: Role, by: Role) -> None:
    assert may_undo(role, by) is (RANK[role] >= RANK[by])


def test_what_a_service_has_done_is_undone_by_services_and_operators() -> None:
    assert [may_undo(role, "service") for role in ROLES] == [False, False, False, True]
    assert [may_undo("service", role) for role in ROLES] == [True, True, True, False]
    assert may_undo("service", "service")


@pytest.mark.parametrize(("grant", "action"), list(itertools.product(GIVEN, ACTIONS)))
def test_grants_that_give(grant: str, action: str) -> None:
    given = {
        "room_create": {"room.create"},
        "room_list": {"room.list"},
        "room_record": {"recording.start", "recording.stop", "recording.list", "recording.read"},
    }[grant]
    assert may(claims(**{grant: True}), action, room="lobby") is (action in allowed("member") | given)


def test_a_grant_to_record_is_for_the_room_named() -> None:
    recorder = claims(room_record=True)
    assert not may(recorder, "recording.start", room="another")
    assert may(claims(room_create=True), "room.create")


def test_room_admin_makes_a_moderator_at_least() -> None:
    assert role_of(None, Grants(room_admin=True)) == "moderator"
    assert role_of("member", Grants(room_admin=True)) == "moderator"
    assert role_of("owner", Grants(room_admin=True)) == "owner"
    assert role_of(None, Grants()) == "member"


@pytest.mark.parametrize(("grant", "role"), list(itertools.product(WITHHELD, ROLES)))
def test_grants_that_withhold_do_so_from_every_role(grant: str, role: Role) -> None:
    withheld = {
        "can_publish": {"audio.publish"},
        "can_subscribe": {"audio.subscribe"},
        "can_publish_data": {"message.send", "signal.send"},
    }[grant]
    holder = claims(role, **{grant: False})
    assert {action for action in ACTIONS if may(holder, action, room="lobby")} == allowed(role) - withheld


@pytest.mark.parametrize("role", ROLES)
def test_the_hidden_listen_and_say_nothing(role: Role) -> None:
    holder = claims(role, hidden=True)
    assert {action for action in ACTIONS if not may(holder, action, room="lobby")} >= set(HIDDEN)
    assert may(holder, "audio.subscribe", room="lobby")


def test_the_manual_is_drawn_from_the_table() -> None:
    assert reference() in MANUAL, "run python scripts/write_reference.py"


def cells(heading: str) -> dict[str, dict[str, str]]:
    """A table of the manual: first cell of each row -> name of the column -> cell."""
    table = MANUAL[MANUAL.index(heading) :].split("\n\n")[0].splitlines()
    split = [[cell.strip(" `") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    return {row[0]: dict(zip(split[0], row, strict=True)) for row in split[2:]}


def test_each_cell_of_the_manual_is_true() -> None:
    table = cells("| action |")
    assert table.keys() == ACTIONS.keys()
    for action, row in table.items():
        for role in ROLES:
            assert (row[role] == "yes") is may(role, action), (action, role)
        assert (row["service"] == "yes") is may(Service(frozenset({"*"})), action)
    for target, row in cells("| on a |").items():
        for role in ROLES:
            assert (row[role] == "yes") is may(role, "participant.kick", target)  # type: ignore[arg-type]
        assert (row["service"] == "yes") is may(Service(frozenset({"*"})), "participant.kick", target)  # type: ignore[arg-type]


def test_a_person_is_named_by_identity_and_a_service_by_the_prefix_of_its_key() -> None:
    person = Asker(holder=claims("owner"), address="192.0.2.1")
    service = Asker(holder=Service(frozenset({"*"}), None, "abc"), address="192.0.2.1")
    assert (person.identity, person.role) == ("ana", "owner")
    assert (service.identity, service.role) == ("apikey:abc", "service")


def test_a_person_who_is_called_like_a_service_is_counted_apart() -> None:
    from dataclasses import replace

    person = Asker(holder=replace(claims(), identity="apikey:abc"), address="")
    service = Asker(holder=Service(frozenset(), None, "abc"), address="")
    assert person.identity == service.identity
    assert person.counted_by != service.counted_by


SECRET = "a secret of the tests, long enough for HS256"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def claims_of_room_access(
    identity: str = "ana", room: str | None = "lobby", role: str = "member", **grants: bool
) -> Claims:
    tokens = Tokens(SECRET)
    given = Grants(room=room, **grants)
    token = tokens.issue(identity, grants=given, utc=NOW, lifetime=timedelta(minutes=5), role=role)  # type: ignore[arg-type]
    return tokens.verify(token, NOW)


def asker(holder: Claims | Service) -> Asker:
    return Asker(holder=holder, address="192.0.2.1")


def service(*scopes: str, rooms: set[str] | None = None) -> Service:
    return Service(frozenset(scopes), None if rooms is None else frozenset(rooms))


@pytest.mark.parametrize(
    ("holder", "owner", "allowed"),
    [
        (claims_of_room_access(), "ana", True),
        (claims_of_room_access(room=None), "ana", True),
        (claims_of_room_access(room="other"), "ana", False),
        (claims_of_room_access(), "ben", False),
        (claims_of_room_access(), None, False),
        (claims_of_room_access(role="operator"), "ben", True),
        (claims_of_room_access(role="owner"), "ben", True),
        (claims_of_room_access(room="other", role="owner"), "ben", False),
        (service("room.*"), "ben", True),
        (service("room.*", rooms={"lobby"}), None, True),
        (service("room.*", rooms={"other"}), None, False),
        (service("room.read"), "ben", False),
    ],
)
def test_a_room_is_changed_by_role_by_scope_or_by_who_owns_it(
    holder: Claims | Service, owner: str | None, allowed: bool
) -> None:
    assert may_to_room(asker(holder), "room.update", "lobby", owner) is allowed


def test_an_owner_keeps_a_higher_role_and_what_the_token_withholds() -> None:
    operator = asker(claims_of_room_access(role="operator", room=None))
    assert in_room(operator, "lobby", "ana") == operator
    silent = in_room(asker(claims_of_room_access(can_publish_data=False)), "lobby", "ana")
    assert silent.role == "owner"
    assert may(silent.holder, "participant.kick", "moderator", room="lobby")
    assert not may(silent.holder, "message.send", room="lobby")
    assert not may(silent.holder, "room.update", room="other")


def test_a_role_is_raised_and_never_lowered() -> None:
    owner = claims_of_room_access(role="owner")
    assert with_room_role(owner, "lobby", "moderator") is owner
    key = service("*")
    assert with_room_role(key, "lobby", "owner") is key


def test_only_operators_and_services_make_somebody_else_the_owner() -> None:
    assert may_name_owner(asker(claims_of_room_access()), "ana")
    assert not may_name_owner(asker(claims_of_room_access(role="owner")), "ben")
    assert not may_name_owner(asker(claims_of_room_access(role="owner")), None)
    assert may_name_owner(asker(claims_of_room_access(role="operator")), "ben")
    assert may_name_owner(asker(service("room.create")), "ben")
    assert may_name_owner(asker(service("room.create")), None)


def test_a_room_belongs_to_the_person_who_makes_it_and_one_of_a_service_to_nobody() -> None:
    assert owner_of_new(asker(claims_of_room_access())) == "ana"
    assert owner_of_new(asker(service("room.create"))) is None
