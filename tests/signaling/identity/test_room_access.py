from datetime import UTC, datetime, timedelta

import pytest

from signaling.identity.asker import Asker
from signaling.identity.claims import Claims
from signaling.identity.grants import Grants
from signaling.identity.permissions import Service, may
from signaling.identity.room_access import in_room, may_name_owner, may_to_room, owner_of_new, with_room_role
from signaling.identity.tokens import Tokens

SECRET = "a secret of the tests, long enough for HS256"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def claims(identity: str = "ana", room: str | None = "lobby", role: str = "member", **grants: bool) -> Claims:
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
        (claims(), "ana", True),
        (claims(room=None), "ana", True),
        (claims(room="other"), "ana", False),
        (claims(), "ben", False),
        (claims(), None, False),
        (claims(role="operator"), "ben", True),
        (claims(role="owner"), "ben", True),
        (claims(room="other", role="owner"), "ben", False),
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
    operator = asker(claims(role="operator", room=None))
    assert in_room(operator, "lobby", "ana") == operator
    silent = in_room(asker(claims(can_publish_data=False)), "lobby", "ana")
    assert silent.role == "owner"
    assert may(silent.holder, "participant.kick", "moderator", room="lobby")
    assert not may(silent.holder, "message.send", room="lobby")
    assert not may(silent.holder, "room.update", room="other")


def test_a_role_is_raised_and_never_lowered() -> None:
    owner = claims(role="owner")
    assert with_room_role(owner, "lobby", "moderator") is owner
    key = service("*")
    assert with_room_role(key, "lobby", "owner") is key


def test_only_operators_and_services_make_somebody_else_the_owner() -> None:
    assert may_name_owner(asker(claims()), "ana")
    assert not may_name_owner(asker(claims(role="owner")), "ben")
    assert not may_name_owner(asker(claims(role="owner")), None)
    assert may_name_owner(asker(claims(role="operator")), "ben")
    assert may_name_owner(asker(service("room.create")), "ben")
    assert may_name_owner(asker(service("room.create")), None)


def test_a_room_belongs_to_the_person_who_makes_it_and_one_of_a_service_to_nobody() -> None:
    assert owner_of_new(asker(claims())) == "ana"
    assert owner_of_new(asker(service("room.create"))) is None
