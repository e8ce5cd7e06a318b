import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake, WeakSecret
from signaling.identity.grants import Grants
from signaling.identity.keys import KeyRing, public_key
from signaling.identity.tokens import (
    LONGEST_TOKEN,
    Header,
    Tokens,
    fingerprint,
    read_header,
    read_payload,
    refresh_time,
)
from tests.signaling.identity.forging import (
    AT,
    CONFIGURATIONS,
    ED_KEY,
    ED_PUBLIC,
    KIDS,
    NOW,
    OTHER_RSA_KEY,
    RSA_KEY,
    RSA_PUBLIC,
    SECRET,
    b64,
    claims,
    forge,
    forgeries,
    sign_ed,
    sign_rsa,
)


def token(header: object) -> str:
    return f"{b64(header)}.e30.c2ln"


def test_a_header_says_algorithm_and_kid() -> None:
    """RFC 7515 section 3.1."""
    assert read_header(token({"alg": "RS256", "kid": "r1", "typ": "jwt"})) == Header("RS256", "r1")
    assert read_header(token({"alg": "HS256"})) == Header("HS256", None)


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        [],
        {},
        {"alg": 1},
        {"alg": "RS256", "kid": ""},
        {"alg": "RS256", "kid": None},
        {"alg": "RS256", "typ": None},
        {"alg": "RS256", "jku": "x"},
        '{"alg": "RS256", "alg": "RS256"}',
        '{"alg": "RS256", "kid": "a", "kid": "b"}',
    ],
)
def test_any_other_header_is_refused(header: object) -> None:
    with pytest.raises(ClientMistake) as caught:
        read_header(token(header))
    assert caught.value.code == "token_invalid"


def test_a_token_is_bounded() -> None:
    with pytest.raises(ClientMistake):
        read_header(token({"alg": "RS256"}) + "x" * LONGEST_TOKEN)


def test_rfc_7519_section_4_the_names_of_a_payload_are_unique_at_every_depth() -> None:
    assert read_payload(b'{"a": {"b": 1}}') == {"a": {"b": 1}}
    for text in (b'{"a": 1, "a": 1}', b'{"a": {"b": 1, "b": 2}}', b'{"a": [{"b": 1, "b": 2}]}', b"[]", b"1", b"\xff"):
        with pytest.raises(ClientMistake):
            read_payload(text)


def test_a_fingerprint_is_of_what_is_signed() -> None:
    """RFC 4648 section 3.5: the same signature can be written in more than one way."""
    assert fingerprint("a.b.c") == fingerprint("a.b.d")
    assert fingerprint("a.b.c") != fingerprint("a.c.c")


@given(st.binary())
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with contextlib.suppress(ClientMistake):
        read_payload(raw)
    with contextlib.suppress(ClientMistake):
        read_header(f"{b64(raw)}.a.b")


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "x"]), st.none() | st.text() | st.integers()))
def test_no_header_raises_anything_else(header: dict[str, object]) -> None:
    with contextlib.suppress(ClientMistake):
        read_header(token(json.dumps(header)))


TOKENS = Tokens(SECRET)
STRICT = Tokens(SECRET, issuer="us", audience="parley")
HS = {"alg": "HS256", "typ": "JWT"}
GOOD = forge(HS, claims())
FORGED = {name: forgeries(configuration) for name, configuration in CONFIGURATIONS.items()}

each_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


@pytest.mark.parametrize(("name", "forgery"), [(name, forgery) for name, tried in FORGED.items() for forgery in tried])
def test_a_forged_token_is_refused_whatever_the_configuration(name: str, forgery: str) -> None:
    """RFC 8725 sections 2 and 3: the algorithm and the key are ours to choose."""
    token = FORGED[name][forgery]
    with pytest.raises(ClientMistake) as caught:
        CONFIGURATIONS[name].tokens.verify(token, NOW)
    assert caught.value.code == "token_invalid"
    assert token == "" or token not in caught.value.message


@each_configuration
def test_what_is_signed_by_the_key_is_taken(name: str) -> None:
    configuration = CONFIGURATIONS[name]
    found = configuration.tokens.verify(configuration.sign(configuration.header, claims()), NOW)
    assert (found.identity, found.grants.room) == ("ana", "lobby")


def test_a_kid_is_a_name_and_nothing_else() -> None:
    """A key whose kid looks like a path, a URL or SQL is found by exactly that text."""
    for kid in KIDS.values():
        if 1 <= len(kid) <= 256:
            tokens = Tokens(SECRET, ring=KeyRing([public_key(ED_PUBLIC, kid)]))
            assert tokens.verify(sign_ed({"alg": "EdDSA", "kid": kid}, claims()), NOW).identity == "ana"


@each_configuration
def test_the_clocks_of_two_machines_may_differ_by_the_leeway(name: str) -> None:
    tokens, header, sign = CONFIGURATIONS[name]
    for changes in ({"nbf": AT + 10}, {"iat": AT + 10}, {"exp": AT - 9}, {"iat": AT - 10_000}):
        assert tokens.verify(sign(header, claims(**changes)), NOW).identity == "ana"
    for exp in (AT - 10, AT - 3600, 0):
        with pytest.raises(ClientMistake) as caught:
            tokens.verify(sign(header, claims(exp=exp)), NOW)
        assert caught.value.code == "token_expired"


def test_a_token_without_kid_finds_the_only_key_of_its_algorithm() -> None:
    tokens = Tokens(SECRET, ring=KeyRing([public_key(RSA_PUBLIC, "r1"), public_key(ED_PUBLIC, "e1")]))
    assert tokens.verify(jwt.encode(claims(), RSA_KEY, algorithm="RS256"), NOW).identity == "ana"
    assert tokens.verify(jwt.encode(claims(), ED_KEY, algorithm="EdDSA"), NOW).identity == "ana"
    two = Tokens(SECRET, ring=KeyRing([public_key(RSA_PUBLIC, "r1"), public_key(OTHER_RSA_KEY.public_key(), "r2")]))
    with pytest.raises(ClientMistake):
        two.verify(jwt.encode(claims(), RSA_KEY, algorithm="RS256"), NOW)
    assert two.verify(sign_rsa({"alg": "RS256", "kid": "r2"}, claims(), OTHER_RSA_KEY), NOW).identity == "ana"


def test_of_several_keys_without_kid_each_is_tried() -> None:
    tokens = Tokens(SECRET, ring=KeyRing([public_key(OTHER_RSA_KEY.public_key()), public_key(RSA_PUBLIC)]))
    assert tokens.verify(sign_rsa({"alg": "RS256"}, claims()), NOW).identity == "ana"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iss": "us"},
        {"aud": "parley"},
        {"iss": "them", "aud": "parley"},
        {"iss": "us", "aud": "other"},
        {"iss": ["us"], "aud": "parley"},
        {"iss": "us", "aud": ["other"]},
        {"iss": "us", "aud": {"parley": 1}},
    ],
)
def test_rfc_7519_section_4_1_issuer_and_audience_are_required_where_configured(changes: dict[str, Any]) -> None:
    with pytest.raises(ClientMistake) as caught:
        STRICT.verify(forge(HS, claims(**changes)), NOW)
    assert caught.value.code == "token_invalid"


def test_issuer_and_audience_are_issued_where_configured() -> None:
    token = STRICT.issue("ana", grants=Grants.for_room("lobby"), utc=NOW)
    assert STRICT.verify(token, NOW).identity == "ana"
    assert TOKENS.verify(token, NOW).identity == "ana"
    several = forge(HS, claims(iss="us", aud=["other", "parley"]))
    assert STRICT.verify(several, NOW).identity == "ana"


def test_an_expired_forgery_is_a_forgery() -> None:
    with pytest.raises(ClientMistake) as caught:
        TOKENS.verify(forge(HS, claims(exp=AT - 100), secret="x" * 40), NOW)
    assert caught.value.code == "token_invalid"


@pytest.mark.parametrize("header", [HS, {"alg": "HS256"}, {"alg": "HS256", "typ": "jwt"}])
def test_a_token_of_an_existing_tool_is_taken(header: dict[str, str]) -> None:
    found = TOKENS.verify(forge(header, claims(video={"room": "lobby", "roomJoin": True, "agent": 1}, iat=...)), NOW)
    assert found.grants.room_join
    assert found.issued_at is None


LIVEKIT_ADMIN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiQW5hIiwibWV0YWRhdGEiOiJtIiwidmlkZW8iOnsicm9vbUFkbWl"
    "uIjp0cnVlLCJyb29tSm9pbiI6dHJ1ZSwicm9vbSI6ImxvYmJ5IiwiY2FuUHVibGlzaCI6dHJ1ZSwiY2FuU3Vic2NyaWJlIjpmYWx"
    "zZSwiY2FuUHVibGlzaERhdGEiOnRydWUsImNhblB1Ymxpc2hTb3VyY2VzIjpbIm1pY3JvcGhvbmUiXX0sImF0dHJpYnV0ZXMiOns"
    "idGVhbSI6InJlZCJ9LCJzdWIiOiJhbmEiLCJpc3MiOiJBUElrZXkiLCJuYmYiOjE3OTUyNTM3NjIsImV4cCI6MTgyNjc4OTc2Mn0"
    ".CNXcJqtxfOc0UAdyar4h_42_iJGU4NtF8CY559ls0dQ"
)
LIVEKIT_AGENT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJraW5kIjoiYWdlbnQiLCJ2aWRlbyI6eyJyb29tSm9pbiI6dHJ1ZSwicm9vbSI"
    "6ImxvYmJ5IiwiY2FuUHVibGlzaCI6dHJ1ZSwiY2FuU3Vic2NyaWJlIjp0cnVlLCJjYW5QdWJsaXNoRGF0YSI6dHJ1ZX0sInJvb21"
    "Db25maWciOnsibWF4UGFydGljaXBhbnRzIjoyfSwic3ViIjoiYmVuIiwiaXNzIjoiQVBJa2V5IiwibmJmIjoxNzk1MjUzNzYyLCJ"
    "leHAiOjE4MjY3ODk3NjJ9.yMaKWS99cDnxWrI3Xb-EIEyIhqHpi8-QVrfRCPoDTw4"
)
"""Made with `AccessToken` of livekit-api 1.2.2: one with all that it can say, one of an agent."""


def test_tokens_of_livekits_own_tool_are_taken() -> None:
    then = datetime.fromtimestamp(1795253762 + 60, UTC)
    admin = TOKENS.verify(LIVEKIT_ADMIN, then)
    assert (admin.identity, admin.name, admin.role, admin.metadata) == ("ana", "Ana", "moderator", "m")
    assert admin.grants == Grants(room="lobby", room_join=True, room_admin=True, can_subscribe=False)
    agent = TOKENS.verify(LIVEKIT_AGENT, then)
    assert (agent.identity, agent.role, agent.grants) == ("ben", "member", Grants.for_room("lobby"))
    issuer = Tokens(SECRET, issuer="APIkey")
    assert issuer.verify(LIVEKIT_AGENT, then).identity == "ben"
    with pytest.raises(ClientMistake):
        TOKENS.verify(LIVEKIT_AGENT[:-4] + "AAAA", then)


def test_what_is_issued_is_what_is_verified() -> None:
    grants = Grants(room="lobby", room_join=True, can_publish=False, hidden=True)
    token = TOKENS.issue("ana", grants=grants, utc=NOW, name="Ana\x00", role="owner", lifetime=timedelta(hours=1))
    found = TOKENS.verify(token, NOW)
    assert (found.identity, found.name, found.role, found.grants) == ("ana", "Ana", "owner", grants)
    assert found.expires_at == NOW + timedelta(hours=1)
    assert found.issued_at == NOW
    assert (found.token_id == "", found.origin) == (False, None)


def test_a_refreshed_token_says_the_same_for_longer_and_where_it_comes_from() -> None:
    first = TOKENS.verify(forge(HS, claims(name="Ana", role="moderator", metadata="m", jti="t1")), NOW)
    later = NOW + timedelta(seconds=480)
    fresh = TOKENS.verify(TOKENS.refresh(first, later), later)
    assert (fresh.identity, fresh.name, fresh.role, fresh.grants) == ("ana", "Ana", "moderator", first.grants)
    assert (fresh.metadata, fresh.expires_at) == ("m", later + timedelta(minutes=10))
    assert fresh.token_id != "t1"
    again = TOKENS.verify(TOKENS.refresh(fresh, later), later)
    for one in (fresh, again):
        assert (one.first.token_id, one.first.expires_at) == ("t1", first.expires_at)


def test_a_token_of_another_issuer_is_refreshed_with_our_own_key() -> None:
    tokens = CONFIGURATIONS["eddsa"].tokens
    first = tokens.verify(sign_ed({"alg": "EdDSA", "kid": "e1"}, claims()), NOW)
    token = tokens.refresh(first, NOW)
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert tokens.verify(token, NOW).identity == "ana"
    with pytest.raises(ClientMistake):
        TOKENS.verify(token, NOW)


def test_an_identity_that_cannot_be_one_gets_no_token() -> None:
    with pytest.raises(ClientMistake):
        TOKENS.issue("", grants=Grants(), utc=NOW)


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, "devkey-devkey-devkey-devkey-devkey-devkey", b"short"])
def test_a_weak_secret_signs_nothing(secret: str | bytes) -> None:
    with pytest.raises(WeakSecret) as caught:
        Tokens(secret)
    assert not secret or str(secret) not in caught.value.message


def test_the_leeway_is_at_most_a_minute() -> None:
    assert Tokens(SECRET.encode(), leeway=60.0).verify(GOOD, NOW).identity == "ana"
    with pytest.raises(ValueError, match="leeway"):
        Tokens(SECRET, leeway=61.0)


def test_a_refresh_is_due_after_four_fifths() -> None:
    assert refresh_time(NOW + timedelta(seconds=600), NOW, 100.0) == 580.0
    assert refresh_time(NOW, NOW, 100.0) == 101.0


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_no_text_raises_anything_else(text: str) -> None:
    for configuration in CONFIGURATIONS.values():
        with pytest.raises(ClientMistake):
            configuration.tokens.verify(text, NOW)


@given(st.binary(max_size=80), st.sampled_from(["RS256", "EdDSA", "HS256"]), st.sampled_from(["r1", "e1", None]))
def test_no_signature_raises_anything_else(signature: bytes, algorithm: str, kid: str | None) -> None:
    from tests.signaling.identity.forging import b64

    header = {"alg": algorithm} if kid is None else {"alg": algorithm, "kid": kid}
    for configuration in CONFIGURATIONS.values():
        with pytest.raises(ClientMistake):
            configuration.tokens.verify(f"{b64(header)}.{b64(claims())}.{b64(signature)}", NOW)


@given(
    st.dictionaries(
        st.sampled_from(
            ["sub", "exp", "nbf", "iat", "name", "video", "role", "jti", "aud", "iss", "metadata", "origin"]
        ),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(st.text(), st.integers()),
    )
)
def test_no_signed_claims_raise_anything_else(payload: dict[str, object]) -> None:
    for tokens in (TOKENS, STRICT):
        with contextlib.suppress(ClientMistake):
            tokens.verify(forge(HS, claims() | payload), NOW)
