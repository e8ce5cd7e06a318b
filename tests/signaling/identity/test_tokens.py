import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import ClientMistake, WeakSecret
from signaling.identity.grants import Grants
from signaling.identity.tokens import Tokens, refresh_time

SECRET = "a2V5cyBmb3IgdGVzdHMgb25seSwgbm8gcmVhbCBvbmU"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = int(NOW.timestamp())
TOKENS = Tokens(SECRET)
STRICT = Tokens(SECRET, issuer="us", audience="parley")


def b64(data: bytes | str | object) -> str:
    raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    base = {"sub": "ana", "exp": AT + 600, "iat": AT, "nbf": AT, "video": {"room": "lobby", "roomJoin": True}}
    return {key: value for key, value in (base | changes).items() if value is not ...}


def forge(header: object, payload: object, secret: str = SECRET, digest: Callable[..., Any] = hashlib.sha256) -> str:
    """A token made by hand, signed with whatever the forger has."""
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


HS = {"alg": "HS256", "typ": "JWT"}
GOOD = forge(HS, claims())
HEAD, BODY, SIGN = GOOD.split(".")
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)

FORGED = {
    "empty": "",
    "one part": "abc",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.x",
    "five parts, as JWE": f"{HEAD}.a.b.c.d",
    "no signature": f"{HEAD}.{BODY}.",
    "alg none, unsigned": f"{b64({'alg': 'none'})}.{BODY}.",
    "alg none, signed": forge({"alg": "none"}, claims()),
    "alg None": forge({"alg": "None"}, claims()),
    "alg nOnE": forge({"alg": "nOnE"}, claims()),
    "alg missing": forge({"typ": "JWT"}, claims()),
    "alg null": forge({"alg": None}, claims()),
    "alg list": forge({"alg": ["HS256"]}, claims()),
    "alg lower case": forge({"alg": "hs256"}, claims()),
    "alg HS384": forge({"alg": "HS384"}, claims(), digest=hashlib.sha384),
    "alg HS512": forge({"alg": "HS512"}, claims(), digest=hashlib.sha512),
    "alg RS256": jwt.encode(claims(), RSA, algorithm="RS256"),
    "alg RS256 over HMAC": forge({"alg": "RS256"}, claims()),
    "alg PS256": jwt.encode(claims(), RSA, algorithm="PS256"),
    "another secret": forge(HS, claims(), secret="x" * 40),
    "an empty secret": forge(HS, claims(), secret=""),
    "signature of another payload": f"{HEAD}.{b64(claims(sub='eve'))}.{SIGN}",
    "signature cut short": GOOD[:-4],
    "signature with a line feed": f"{GOOD}\n",
    "padding": f"{GOOD}=",
    "standard base64": f"{HEAD}.{BODY}.{'+/' * 21}",
    "kid with a path": forge({**HS, "kid": "../../dev/null", "x5u": "a"}, claims()),
    "jku": forge({**HS, "jku": "https://evil.example/keys"}, claims()),
    "jwk": forge({**HS, "jwk": {"kty": "oct", "k": b64("x" * 40)}}, claims(), secret="x" * 40),
    "x5c": forge({**HS, "x5c": ["AAAA"]}, claims()),
    "crit": forge({**HS, "crit": ["exp"]}, claims()),
    "b64 false": forge({**HS, "b64": False, "crit": ["b64"]}, claims()),
    "zip": forge({**HS, "zip": "DEF"}, claims()),
    "typ of another token": forge({**HS, "typ": "at+jwt"}, claims()),
    "typ not a text": forge({**HS, "typ": 5}, claims()),
    "header not JSON": f"{b64('nonsense')}.{BODY}.{SIGN}",
    "header not an object": forge([], claims()),
    "header of one character": f"a.{BODY}.{SIGN}",
    "payload not JSON": forge(HS, "nonsense"),
    "payload not an object": forge(HS, ["sub"]),
    "payload deep": forge(HS, "[" * 2500),
    "exp missing": forge(HS, claims(exp=...)),
    "exp a text": forge(HS, claims(exp=str(AT + 600))),
    "exp true": forge(HS, claims(exp=True)),
    "exp huge": forge(HS, claims(exp=2**60)),
    "exp NaN": forge(HS, claims(exp=float("nan"))),
    "exp negative": forge(HS, claims(exp=-1)),
    "nbf to come": forge(HS, claims(nbf=AT + 11)),
    "nbf a text": forge(HS, claims(nbf="now")),
    "iat to come": forge(HS, claims(iat=AT + 11)),
    "sub missing": forge(HS, claims(sub=...)),
    "sub empty": forge(HS, claims(sub="")),
    "sub a number": forge(HS, claims(sub=5)),
    "sub with control characters": forge(HS, claims(sub="a\x00b")),
    "sub too long": forge(HS, claims(sub="x" * 129)),
    "name a number": forge(HS, claims(name=5)),
    "video a list": forge(HS, claims(video=[])),
    "roomJoin a text": forge(HS, claims(video={"room": "lobby", "roomJoin": "true"})),
    "room a number": forge(HS, claims(video={"room": 1, "roomJoin": True})),
    "role unknown": forge(HS, claims(role="god")),
    "role a list": forge(HS, claims(role=["owner"])),
    "metadata too long": forge(HS, claims(metadata="x" * 4097)),
    "a megabyte": forge(HS, claims(metadata="x" * 1_000_000)),
    "not ASCII": "ä.ö.ü",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    """RFC 8725 sections 2 and 3: the algorithm and the key are ours to choose."""
    with pytest.raises(ClientMistake) as caught:
        TOKENS.verify(FORGED[name], NOW)
    assert caught.value.code == "token_invalid"
    assert FORGED[name] == "" or FORGED[name] not in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iss": "us"},
        {"aud": "parley"},
        {"iss": "them", "aud": "parley"},
        {"iss": "us", "aud": "other"},
        {"iss": ["us"], "aud": "parley"},
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


def test_rfc_7519_section_4_1_4_an_expired_token_is_told_apart() -> None:
    for exp in (AT - 10, AT - 3600, 0):
        with pytest.raises(ClientMistake) as caught:
            TOKENS.verify(forge(HS, claims(exp=exp)), NOW)
        assert caught.value.code == "token_expired"
    assert TOKENS.verify(forge(HS, claims(exp=AT - 9)), NOW).identity == "ana"


def test_an_expired_forgery_is_a_forgery() -> None:
    with pytest.raises(ClientMistake) as caught:
        TOKENS.verify(forge(HS, claims(exp=AT - 100), secret="x" * 40), NOW)
    assert caught.value.code == "token_invalid"


@pytest.mark.parametrize("header", [HS, {"alg": "HS256"}, {**HS, "kid": "' OR 1=1 --"}, {"alg": "HS256", "typ": "jwt"}])
def test_a_token_of_an_existing_tool_is_taken(header: dict[str, str]) -> None:
    found = TOKENS.verify(forge(header, claims(video={"room": "lobby", "roomJoin": True, "agent": 1}, iat=...)), NOW)
    assert found.grants.room_join
    assert found.issued_at is None


def test_what_is_issued_is_what_is_verified() -> None:
    grants = Grants(room="lobby", room_join=True, can_publish=False, hidden=True)
    token = TOKENS.issue("ana", grants=grants, utc=NOW, name="Ana\x00", role="owner", lifetime=timedelta(hours=1))
    found = TOKENS.verify(token, NOW)
    assert (found.identity, found.name, found.role, found.grants) == ("ana", "Ana", "owner", grants)
    assert found.expires_at == NOW + timedelta(hours=1)
    assert found.issued_at == NOW
    assert found.token_id


def test_a_refreshed_token_says_the_same_for_longer() -> None:
    first = TOKENS.verify(forge(HS, claims(name="Ana", role="moderator")), NOW)
    later = NOW + timedelta(seconds=480)
    fresh = TOKENS.verify(TOKENS.refresh(first, later), later)
    assert (fresh.identity, fresh.name, fresh.role, fresh.grants) == ("ana", "Ana", "moderator", first.grants)
    assert fresh.expires_at == later + timedelta(minutes=10)


def test_a_room_admin_without_a_role_is_a_moderator() -> None:
    assert TOKENS.verify(forge(HS, claims(video={"room": "r", "roomAdmin": True})), NOW).role == "moderator"
    assert TOKENS.verify(GOOD, NOW).role == "member"


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
    with pytest.raises(ClientMistake):
        TOKENS.verify(text, NOW)


@given(
    st.dictionaries(
        st.sampled_from(["sub", "exp", "nbf", "iat", "name", "video", "role", "jti", "aud", "iss", "metadata"]),
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
