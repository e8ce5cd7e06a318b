from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from signaling.api.invite_models import AcceptedInvite, InviteRequest, InviteToken, InviteView, NewInvite
from signaling.identity.issuing import token_of
from signaling.storage.invites import Invite

MADE = datetime(2026, 1, 1, 12, tzinfo=UTC)
INVITE = Invite(
    id="i-1",
    room_id="den",
    role="member",
    invitee=None,
    max_uses=2,
    uses=0,
    created_by="ana",
    created_at=MADE,
    expires_at=MADE + timedelta(hours=24),
)


def test_an_invite_lets_one_member_in_within_a_day_unless_more_is_asked_for():
    order = InviteRequest().order("den", "ana")
    assert (order.room_id, order.created_by, order.role, order.invitee) == ("den", "ana", "member", None)
    assert (order.max_uses, order.lifetime) == (1, timedelta(hours=24))
    order = InviteRequest(role="owner", invitee="ben", max_uses=7, expires_in=60).order("den", "ana")
    assert (order.role, order.invitee, order.max_uses, order.lifetime) == ("owner", "ben", 7, timedelta(minutes=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "operator"},
        {"role": 1},
        {"max_uses": 0},
        {"max_uses": True},
        {"max_uses": 100_001},
        {"expires_in": 0},
        {"expires_in": 30 * 86_400 + 1},
        {"expires_in": "60"},
        {"invitee": ""},
        {"invitee": "a\nb"},
        {"invitee": "x" * 129},
        {"token": "chosen"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        InviteRequest(**wrong)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "open"),
        ({"uses": 2}, "used_up"),
        ({"expires_at": MADE}, "expired"),
        ({"uses": 2, "expires_at": MADE}, "expired"),
        ({"rejected_at": MADE}, "rejected"),
        ({"revoked_at": MADE, "revoked_by": "ana", "rejected_at": MADE}, "revoked"),
    ],
)
def test_what_has_become_of_an_invite_is_told(changes, state):
    assert InviteView.of(replace(INVITE, **changes), MADE).state == state


def test_people_read_one_line():
    assert InviteView.of(INVITE, MADE).as_text() == (
        "i-1  open  member  0/2  until 2026-01-02 12:00Z  (anybody with the link)"
    )
    assert InviteView.of(replace(INVITE, invitee="ben"), MADE).as_text().endswith("(ben)")


def test_the_token_is_told_once_and_in_a_link():
    made = NewInvite.of_new(INVITE, "secret", "https://talk.example")
    assert (made.token, made.link, made.state) == ("secret", "https://talk.example/#invite=secret", "open")
    assert "secret" not in InviteView.of(INVITE, MADE).model_dump_json()


@pytest.mark.parametrize("wrong", ["", "x" * 257, None, 5])
def test_a_token_that_cannot_be_one_is_refused(wrong):
    with pytest.raises(ValidationError) as caught:
        InviteToken(token=wrong)
    assert "xxx" not in str(caught.value)


def test_whoever_accepts_learns_where_they_go_and_as_whom():
    told = AcceptedInvite.of_accepted(
        "a.b.c", token_of(None, "guest-1", "Ben", "den", "moderator"), MADE, room_name="The den", guest=True
    )
    assert (told.token, told.room, told.room_name, told.role) == ("a.b.c", "den", "The den", "moderator")
    assert (told.identity, told.guest, told.expires_in) == ("guest-1", True, 600)
