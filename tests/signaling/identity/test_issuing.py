"""Who may issue which token: the rule that nobody gives what they have not, over all roles and keys."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signaling.errors import ClientMistake
from signaling.identity import issuing
from signaling.identity.claims import Claims
from signaling.identity.grants import RANK, Grants, Role
from signaling.identity.issuing import TokenOrder, check_order
from signaling.identity.permissions import ACTIONS, Holder, Service, may
from tests.signaling.identity.test_permissions import ROLES, claims

MODERATORS = (
    "token.issue", "participant.*", "ban.*", "invite.*", "room.watch",
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


SOON = datetime(2026, 1, 1, tzinfo=UTC)


def invited_claims(role="member", room="den", name=None, **grants):
    return Claims("ana", name, Grants(room=room, room_join=True, **grants), role, SOON, "t-1")


@pytest.mark.parametrize(
    ("holder", "highest"),
    [
        (invited_claims("moderator"), "moderator"),
        (invited_claims("owner"), "owner"),
        (invited_claims("operator", room=None), "owner"),
        (Service(frozenset({"*"})), "owner"),
        (Service(frozenset({"invite.create"})), "member"),
        (Service(frozenset({"*"}), frozenset({"den"})), "owner"),
        (Service(frozenset({"*"}), frozenset({"hall"})), "member"),
    ],
    ids=["moderator", "owner", "operator", "service", "scope", "bound", "bound elsewhere"],
)
def test_nobody_invites_into_a_higher_role_than_their_own(holder, highest):
    order = ["member", "moderator", "owner"]
    for role in order[: order.index(highest) + 1]:
        issuing.check_role(holder, role, "den")
    for role in order[order.index(highest) + 1 :]:
        with pytest.raises(ClientMistake) as caught:
            issuing.check_role(holder, role, "den")
        assert caught.value.code == "forbidden"


def test_guests_are_told_apart():
    assert issuing.new_guest(lambda count: b"\x00\xff" * (count // 2)) == "guest-00ff00ff00ff00ff00ff"


@pytest.mark.parametrize(("role", "admin"), [("member", False), ("moderator", True), ("owner", True)])
def test_a_guest_is_given_a_token_for_the_room_in_the_role_of_the_invite(role, admin):
    order = issuing.token_of(None, "guest-1", " Ben\n", "den", role)
    assert (order.identity, order.name, order.role, order.invited) == ("guest-1", "Ben", role, True)
    assert order.grants == Grants(room="den", room_join=True, room_admin=admin)
    assert order.lifetime == timedelta(minutes=10)
    assert issuing.token_of(None, "guest-1", "", "den", role).name is None


def test_of_a_token_that_was_shown_only_the_person_is_kept():
    shown = invited_claims("owner", room="hall", name="Ana", room_record=True, hidden=True)
    order = issuing.token_of(shown, "ana", "Somebody", "den", "member")
    assert (order.identity, order.name, order.role) == ("ana", "Ana", "member")
    assert order.grants == Grants.for_room("den")
    assert issuing.token_of(invited_claims(), "ana", "Anna", "den", "member").name == "Anna"


@pytest.mark.parametrize("page", ["https://talk.example", "https://talk.example/"])
def test_the_token_stands_in_the_fragment_of_the_link(page):
    assert issuing.link_to(page, "abc-_1") == "https://talk.example/#invite=abc-_1"
