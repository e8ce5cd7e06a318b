from datetime import timedelta

import pytest
from pydantic import ValidationError

from signaling.api.key_models import KeyRequest, KeyView, NewKey
from signaling.storage.api_keys import ApiKey
from tests.signaling.fakes import START


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"scopes": []},
        {"scopes": ["fly"]},
        {"scopes": ["apikey.create"]},
        {"scopes": ["*"], "rooms": []},
        {"scopes": ["*"], "rooms": ["a b"]},
        {"scopes": ["*"], "ttl": 0},
        {"scopes": ["*"], "ttl": "9"},
        {"scopes": "*"},
        {"scopes": ["*"], "secret": "x"},
    ],
)
def test_what_cannot_be_asked_for(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KeyRequest.model_validate({"name": "game"} | wrong)


def test_what_is_asked_for_becomes_an_order() -> None:
    order = KeyRequest(name=" The  game ", scopes=["*", "*"], rooms=["den"], ttl=60).order("ops", START)
    assert (order.name, order.created_by, order.scopes, order.rooms) == ("The game", "ops", {"*"}, {"den"})
    assert order.expires_at == START + timedelta(seconds=60)
    assert KeyRequest(name="game", scopes=["room.*"]).order("ops", START).expires_at is None


def test_a_key_in_one_line_says_how_it_stands() -> None:
    key = ApiKey(
        id="k",
        prefix="abc",
        name="game",
        scopes=("room.*", "token.issue"),
        rooms=None,
        created_by="ops",
        created_at=START,
        expires_at=START + timedelta(seconds=60),
    )
    view = KeyView.of(key)
    assert view.as_text(START) == "k  abc  game  active  (room.*, token.issue; all rooms)"
    assert "expired" in view.as_text(START + timedelta(seconds=60))
    assert "revoked" in view.model_copy(update={"revoked_at": START}).as_text(START)
    assert NewKey.of_new(key, "parley_abc_x").key == "parley_abc_x"
