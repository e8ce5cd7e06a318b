from datetime import UTC, datetime, timedelta

import pytest

from signaling.cli import apikey_command
from signaling.identity.bearer_secrets import parse_api_key
from signaling.refusals import BadSettings, Refusal
from signaling.settings.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_keys_are_made_listed_and_revoked(tmp_path):
    settings = Settings(data_dir=tmp_path)
    request = apikey_command.request_of("game", ["room.*"], ["den"], 60)
    made = apikey_command.create(settings, request, NOW)
    assert parse_api_key(made.key).prefix == made.prefix
    assert (made.created_by, made.rooms, made.expires_at) == ("cli", ["den"], NOW + timedelta(seconds=60))
    (listed,) = apikey_command.listing(settings)
    assert listed.model_dump() == {name: value for name, value in made.model_dump().items() if name != "key"}
    assert apikey_command.revoke(settings, made.id, NOW).revoked_at == NOW
    with pytest.raises(Refusal, match="no such API key") as caught:
        apikey_command.revoke(settings, made.id, NOW)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (("game", ["fly"], None, None), "--scope"),
        (("game", ["*"], ["a b"], None), "--room"),
        (("game", ["*"], None, 10**12), "--ttl"),
    ],
)
def test_what_cannot_be_asked_for_names_its_flag(arguments, flag):
    with pytest.raises(BadSettings, match=flag):
        apikey_command.request_of(*arguments)


def test_a_key_without_rooms_opens_all():
    assert apikey_command.request_of("game", ["*"], [], None).rooms is None
