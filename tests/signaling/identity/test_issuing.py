"""Who may issue which token: the rule that nobody gives what they have not, over all roles and keys."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from signaling.errors import ClientMistake
from signaling.identity.asker import Holder
from signaling.identity.grants import RANK, Grants, Role
from signaling.identity.issuing import TokenOrder, check_order
from signaling.identity.permissions import ACTIONS, Service, may
from tests.signaling.identity.test_permissions import ROLES, claims

MODERATORS = (
    "token.issue", "participant.*", "ban.*", "invite.*",
    "recording.start", "recording.stop", "recording.list", "recording.read",
)  # fmt: skip


def order(role: Role = "member", room: str | None = "lobby", **grants: Any) -> TokenOrder:
    invited = grants.pop("invited", False)
    return TokenOrder(
        identity="ben",
        grants=Grants(room=room, room_join=room is not None, **grants),
        lifetime=timedelta(minutes=10),
        role=role,
        invited=invited,
    )


def key(*scopes: str, rooms: set[str] | None = None) -> Service:
    return Service(frozenset(scopes), None if rooms is None else frozenset(rooms))


def allowed(holder: Holder, wanted: TokenOrder) -> bool:
    try:
        check_order(holder, wanted)
    except ClientMistake as mistake:
        return mistake.code != "forbidden"
    return True


@pytest.mark.parametrize(("role", "wanted"), list(itertools.product(ROLES, ROLES)))
def test_of_people_only_operators_issue_tokens_of_any_role(role: Role, wanted: Role) -> None:
    assert allowed(claims(role), order(wanted)) is (role == "operator")


@pytest.mark.parametrize(
    ("holder", "highest"),
    [
        (key(), None),
        (key("participant.*"), None),
        (key("token.issue"), "member"),
        (key("token.*", "room.*"), "member"),
        (key(*MODERATORS), "moderator"),
        (key(*MODERATORS[:-1]), "member"),
        (key(*MODERATORS, "room.*", "recording.*", "audit.read"), "owner"),
        (key("*"), "owner"),
        (key("*", rooms={"lobby"}), "owner"),
        (key("*", rooms={"other"}), None),
    ],
)
def test_a_key_issues_roles_of_which_it_may_do_everything_and_never_an_operator(
    holder: Service, highest: Role | None
) -> None:
    for role in ROLES:
        assert allowed(holder, order(role)) is (highest is not None and RANK[role] <= RANK[highest]), role


@pytest.mark.parametrize("action", [name for name, row in ACTIONS.items() if row.services])
def test_no_token_allows_what_its_issuer_may_not_beyond_a_member(action: str) -> None:
    holder = key("token.issue", *(name for name in ACTIONS if name != action))
    for role in ROLES:
        if role != "member" and may(role, action) and not may("member", action):
            assert action == "token.issue" or not allowed(holder, order(role))


def test_a_key_that_is_bound_to_rooms_issues_for_these_only() -> None:
    bound = key("token.issue", rooms={"lobby"})
    assert allowed(bound, order())
    assert not allowed(bound, order(room="other"))
    assert not allowed(bound, order(room=None))


def test_room_admin_is_a_role_too() -> None:
    assert not allowed(key("token.issue"), order(room_admin=True))
    assert allowed(key("*"), order(room_admin=True))


def test_grants_that_add_something_are_given_by_who_has_it() -> None:
    issuer = key("token.issue")
    for grants in ({"room_create": True}, {"room_list": True}, {"room_record": True}, {"invited": True}):
        assert not allowed(issuer, order(**grants))
        assert allowed(key("*"), order(**grants))
        assert allowed(claims("operator"), order(**grants))
    assert allowed(issuer, order(can_publish=False, can_subscribe=False, hidden=True))
    bound = key("*", rooms={"lobby"})
    assert not allowed(bound, order(room_create=True)), "it would make rooms that the key does not open"
    assert allowed(bound, order(room_record=True))
