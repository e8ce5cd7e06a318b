import pytest
from pydantic import ValidationError

from signaling.api.token_models import IssuedToken, KeyExchange, TokenRequest
from tests.signaling.fakes import START


def test_what_is_asked_for_becomes_an_order() -> None:
    wanted = TokenRequest(identity="ana", name=" Ana ", room="den", ttl=60, metadata="m", invited=True)
    order = wanted.order()
    assert (order.identity, order.name, order.role, order.metadata, order.invited) == (
        "ana",
        "Ana",
        "member",
        "m",
        True,
    )
    assert order.lifetime.total_seconds() == 60
    assert order.grants.as_claim() == {"room": "den", "roomJoin": True}


def test_a_role_that_moderates_has_the_grant_too_and_a_token_for_no_room_joins_none() -> None:
    wanted = TokenRequest.model_validate(
        {"identity": "ana", "room": "den", "role": "owner", "grants": {"canPublish": False, "roomRecord": True}}
    )
    granted = {"room": "den", "roomJoin": True, "roomAdmin": True, "canPublish": False, "roomRecord": True}
    assert wanted.order().grants.as_claim() == granted
    assert TokenRequest(identity="ana", role="operator").order().grants.as_claim() == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"identity": ""},
        {"identity": " ana"},
        {"identity": "ana\n"},
        {"identity": "ana", "room": "a b"},
        {"identity": "ana", "room": ""},
        {"identity": "ana", "role": "king"},
        {"identity": "ana", "ttl": 0},
        {"identity": "ana", "ttl": 86_401},
        {"identity": "ana", "ttl": "60"},
        {"identity": "ana", "ttl": True},
        {"identity": "ana", "metadata": "x" * 4097},
        {"identity": "ana", "grants": {"room": "other"}},
        {"identity": "ana", "grants": {"canPublish": 0}},
        {"identity": "ana", "sub": "ben"},
    ],
)
def test_what_cannot_be_asked_for(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TokenRequest.model_validate(wrong)


def test_a_short_token_has_no_life_of_its_own_to_choose() -> None:
    assert KeyExchange(identity="ana", api_key="parley_x").order().lifetime.total_seconds() == 600
    with pytest.raises(ValidationError):
        KeyExchange.model_validate({"identity": "ana", "ttl": 60})


def test_what_is_told_of_a_token() -> None:
    told = IssuedToken.of("t", TokenRequest(identity="ana", room="den", ttl=60).order(), START)
    assert (told.expires_in, (told.expires_at - START).total_seconds(), told.room) == (60, 60, "den")
