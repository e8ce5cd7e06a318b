from datetime import UTC, datetime, timedelta

import pytest

from signaling.errors import ClientMistake
from signaling.identity import inviting
from signaling.identity.claims import Claims
from signaling.identity.grants import Grants
from signaling.identity.permissions import Service

SOON = datetime(2026, 1, 1, tzinfo=UTC)


def claims(role="member", room="den", name=None, **grants):
    return Claims("ana", name, Grants(room=room, room_join=True, **grants), role, SOON, "t-1")


@pytest.mark.parametrize(
    ("holder", "highest"),
    [
        (claims("moderator"), "moderator"),
        (claims("owner"), "owner"),
        (claims("operator", room=None), "owner"),
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
        inviting.check_role(holder, role, "den")
    for role in order[order.index(highest) + 1 :]:
        with pytest.raises(ClientMistake) as caught:
            inviting.check_role(holder, role, "den")
        assert caught.value.code == "forbidden"


def test_guests_are_told_apart():
    assert inviting.new_guest(lambda count: b"\x00\xff" * (count // 2)) == "guest-00ff00ff00ff00ff00ff"


@pytest.mark.parametrize(("role", "admin"), [("member", False), ("moderator", True), ("owner", True)])
def test_a_guest_is_given_a_token_for_the_room_in_the_role_of_the_invite(role, admin):
    order = inviting.token_of(None, "guest-1", " Ben\n", "den", role)
    assert (order.identity, order.name, order.role, order.invited) == ("guest-1", "Ben", role, True)
    assert order.grants == Grants(room="den", room_join=True, room_admin=admin)
    assert order.lifetime == timedelta(minutes=10)
    assert inviting.token_of(None, "guest-1", "", "den", role).name is None


def test_of_a_token_that_was_shown_only_the_person_is_kept():
    shown = claims("owner", room="hall", name="Ana", room_record=True, hidden=True)
    order = inviting.token_of(shown, "ana", "Somebody", "den", "member")
    assert (order.identity, order.name, order.role) == ("ana", "Ana", "member")
    assert order.grants == Grants.for_room("den")
    assert inviting.token_of(claims(), "ana", "Anna", "den", "member").name == "Anna"


@pytest.mark.parametrize("page", ["https://talk.example", "https://talk.example/"])
def test_the_token_stands_in_the_fragment_of_the_link(page):
    assert inviting.link_to(page, "abc-_1") == "https://talk.example/#invite=abc-_1"
