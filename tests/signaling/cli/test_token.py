from datetime import UTC, datetime, timedelta

import pytest

from signaling.cli.token import TokenOrder, make_token
from signaling.errors import BadSettings
from signaling.identity.tokens import Tokens
from tests.signaling.serving import SECRET, settings_for

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_a_token_says_what_was_ordered(tmp_path):
    order = TokenOrder(room="lobby", identity="ana", name="Ana", role="moderator", ttl="1h")
    made = make_token(settings_for(tmp_path), order, NOW)
    claims = Tokens(SECRET).verify(made["token"], NOW)
    assert (claims.identity, claims.name, claims.role) == ("ana", "Ana", "moderator")
    assert (claims.grants.room, claims.grants.room_admin) == ("lobby", True)
    assert claims.expires_at == NOW + timedelta(hours=1)
    assert made["expires_at"] == "2026-11-21T13:00:00+00:00"
    assert made["fragment"] == f"#room=lobby&token={made['token']}"


def test_a_member_administers_nothing_and_issuer_and_audience_are_those_of_the_settings(tmp_path):
    settings = settings_for(tmp_path, token_issuer="me", token_audience="you")
    made = make_token(settings, TokenOrder(room="lobby", identity="ana"), NOW)
    claims = Tokens(SECRET, issuer="me", audience="you").verify(made["token"], NOW)
    assert not claims.grants.room_admin
    assert claims.name is None


def test_further_grants_are_given_and_taken_by_name(tmp_path):
    asked = ("roomRecord", "canPublish=false", "hidden=yes")
    made = make_token(settings_for(tmp_path), TokenOrder(room="lobby", identity="ana", grants=asked), NOW)
    grants = Tokens(SECRET).verify(made["token"], NOW).grants
    assert (grants.room_record, grants.can_publish, grants.hidden, grants.room_join) == (True, False, True, True)
    assert made["grants"] == {
        "room": "lobby", "roomJoin": True, "roomRecord": True, "canPublish": False, "hidden": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grants": ("canFly",)}, "--grant 'canFly'"),
        ({"grants": ("canPublish=maybe",)}, "canPublish=maybe"),
        ({"grants": ("room=other",)}, "--grant 'room=other'"),
        ({"room": "a b"}, "--room 'a b'"),
        ({"identity": ""}, "--identity ''"),
        ({"identity": " x"}, "white space"),
        ({"role": "king"}, "--role 'king'"),
        ({"ttl": "soon"}, "--ttl 'soon'"),
        ({"ttl": "31h31h"}, "duration"),
        ({"ttl": "1000h"}, "30 days"),
        ({"ttl": "0"}, "a second"),
    ],
)
def test_an_order_that_cannot_be_filled_is_named(tmp_path, change, says):
    with pytest.raises(BadSettings) as caught:
        make_token(settings_for(tmp_path), TokenOrder(**{"room": "lobby", "identity": "ana", **change}), NOW)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2
