from dataclasses import replace
from datetime import timedelta

import pytest

from signaling.call.room_policy import RoomPolicy
from signaling.identity.grants import Role
from tests.signaling.fakes import START

PLAIN = RoomPolicy()


def test_a_room_that_nobody_keeps_is_open_to_every_token() -> None:
    assert (PLAIN.version, PLAIN.needs_key, PLAIN.needs_floor, PLAIN.has_ended(START)) == (0, False, False, False)


def test_private_rooms_and_those_with_a_password_need_a_key() -> None:
    assert replace(PLAIN, is_private=True).needs_key
    assert replace(PLAIN, has_password=True).needs_key


@pytest.mark.parametrize("policy", [replace(PLAIN, is_moderated=True), replace(PLAIN, room_type="global")])
def test_in_moderated_rooms_and_announcements_members_wait_for_the_floor(policy: RoomPolicy) -> None:
    roles: tuple[Role, ...] = ("member", "moderator", "owner", "operator")
    assert [policy.gives_floor(role) for role in roles] == [False, True, True, True]
    assert all(PLAIN.gives_floor(role) for role in roles)


def test_a_room_ends_at_its_time() -> None:
    policy = replace(PLAIN, scheduled_end=START)
    assert not policy.has_ended(START - timedelta(seconds=1))
    assert policy.has_ended(START)


@pytest.mark.parametrize(
    ("identity", "role", "invited_as", "told"),
    [
        ("ana", "member", None, "member"),
        ("ana", "member", "moderator", "moderator"),
        ("ana", "owner", "member", "owner"),
        ("owen", "member", None, "owner"),
        ("owen", "operator", None, "operator"),
    ],
)
def test_the_highest_role_counts(identity: str, role: Role, invited_as: Role | None, told: Role) -> None:
    assert replace(PLAIN, owner="owen").role_of(identity, role, invited_as) == told
