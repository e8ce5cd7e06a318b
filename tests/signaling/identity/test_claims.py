from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signaling.errors import ClientMistake
from signaling.identity.claims import Claims, check_parties, read_claims
from tests.signaling.identity.forging import AT, NOW, claims


def read(**changes: Any) -> Claims:
    return read_claims(claims(**changes), "sha256:x", NOW, 10.0)


def test_what_a_payload_says() -> None:
    """RFC 7519 section 4.1."""
    found = read(name=" Ana ", jti="t1", metadata="m")
    assert (found.identity, found.name, found.token_id, found.metadata) == ("ana", "Ana", "t1", "m")
    assert (found.expires_at, found.issued_at) == (NOW + timedelta(minutes=10), NOW)


@pytest.mark.parametrize("jti", [..., "", "ana"])
def test_a_token_without_a_name_of_its_own_is_known_by_its_fingerprint(jti: object) -> None:
    assert read(jti=jti).token_id == "sha256:x"


def test_a_chain_begins_with_the_origin_or_with_the_token_itself() -> None:
    assert read(jti="t1").first.token_id == "t1"
    assert read(jti="t1").first.expires_at == read().expires_at
    refreshed = read(jti="t2", origin={"jti": "t1", "exp": AT + 9000})
    assert (refreshed.first.token_id, refreshed.first.expires_at) == ("t1", NOW + timedelta(seconds=9000))


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ({}, "member"),
        ({"role": "owner"}, "owner"),
        ({"video": {"room": "r", "roomAdmin": True}}, "moderator"),
        ({"role": "member", "video": {"room": "r", "roomAdmin": True}}, "moderator"),
        ({"role": "operator", "video": {"room": "r", "roomAdmin": True}}, "operator"),
    ],
)
def test_the_role_is_the_higher_one_of_the_named_and_the_granted(said: dict[str, Any], role: str) -> None:
    assert read(**said).role == role


def test_a_time_far_away_is_the_last_one_that_there_is() -> None:
    assert read(exp=2**39).expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_only_the_time_being_wrong_is_told_apart() -> None:
    for changes, code in (({"exp": AT - 11}, "token_expired"), ({"nbf": AT + 11}, "token_invalid")):
        with pytest.raises(ClientMistake) as caught:
            read(**changes)
        assert caught.value.code == code


def test_issuer_and_audience_are_looked_at_where_they_are_configured() -> None:
    check_parties({}, None, None)
    check_parties({"iss": "us", "aud": ["a", "b"]}, "us", "b")
    for payload in (
        {"iss": "them", "aud": "b"},
        {"iss": "us"},
        {"iss": "us", "aud": ["c"]},
        {"iss": "us", "aud": "ab"},
    ):
        with pytest.raises(ClientMistake):
            check_parties(payload, "us", "b")
