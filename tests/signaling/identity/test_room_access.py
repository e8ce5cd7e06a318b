from datetime import UTC, datetime, timedelta

import pytest

from signaling.identity.claims import Claims
from signaling.identity.grants import Grants
from signaling.identity.room_access import may_name_owner, may_to_room
from signaling.identity.tokens import Tokens

SECRET = "a secret of the tests, long enough for HS256"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def claims(identity: str = "ana", room: str | None = "lobby", role: str = "member", **grants: bool) -> Claims:
    tokens = Tokens(SECRET)
    given = Grants(room=room, **grants)
    token = tokens.issue(identity, grants=given, utc=NOW, lifetime=timedelta(minutes=5), role=role)  # type: ignore[arg-type]
    return tokens.verify(token, NOW)


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
    ],
)
def test_a_room_is_changed_by_role_or_by_who_owns_it(holder: Claims, owner: str | None, allowed: bool) -> None:
    assert may_to_room(holder, "room.update", "lobby", owner) is allowed


def test_only_an_operator_makes_somebody_else_the_owner() -> None:
    assert may_name_owner(claims(), "ana")
    assert not may_name_owner(claims(role="owner"), "ben")
    assert not may_name_owner(claims(role="owner"), None)
    assert may_name_owner(claims(role="operator"), "ben")
