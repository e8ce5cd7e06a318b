import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import BadKey
from signaling.identity.jwks import MOST_BYTES, MOST_KEYS, read_jwks
from tests.signaling.identity.forging import ED_PUBLIC, RSA_PUBLIC, b64

NUMBERS = RSA_PUBLIC.public_numbers()
RSA_JWK = {
    "kty": "RSA",
    "kid": "r1",
    "use": "sig",
    "alg": "RS256",
    "n": b64(NUMBERS.n.to_bytes(256, "big")),
    "e": "AQAB",
}
ED_JWK = {"kty": "OKP", "crv": "Ed25519", "kid": "e1", "x": b64(ED_PUBLIC.public_bytes_raw())}
EC_JWK = {"kty": "EC", "crv": "P-256", "kid": "c1", "x": "AA", "y": "AA"}


def document(*keys: object, **more: object) -> bytes:
    return json.dumps({"keys": keys, **more}).encode()


def altered(key: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (key | changes).items() if value is not ...}


def test_rfc_7517_section_5_rsa_and_ed25519_keys_are_read() -> None:
    reading = read_jwks(document(RSA_JWK, ED_JWK, issuer="anything"))
    assert [(key.algorithm, key.kid) for key in reading.keys] == [("RS256", "r1"), ("EdDSA", "e1")]
    assert [key.material for key in reading.keys] == [RSA_PUBLIC, ED_PUBLIC]
    assert reading.skipped == {}


def test_use_alg_kid_and_operations_may_be_left_out() -> None:
    bare = altered(RSA_JWK, use=..., alg=..., kid=...)
    (key,) = read_jwks(document(bare | {"key_ops": ["verify"]})).keys
    assert (key.algorithm, key.kid) == ("RS256", None)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (EC_JWK, "kty"),
        ({"kty": None}, "kty"),
        ({}, "kty"),
        (altered(RSA_JWK, use="enc"), "use"),
        (altered(RSA_JWK, key_ops=["sign"]), "key_ops"),
        (altered(RSA_JWK, key_ops="verify"), "key_ops"),
        (altered(RSA_JWK, alg="RS512"), "alg"),
        (altered(RSA_JWK, alg="HS256"), "alg"),
        (altered(ED_JWK, alg="RS256"), "alg"),
        (altered(RSA_JWK, kid=5), "kid"),
        (altered(RSA_JWK, kid=""), "kid"),
        (altered(RSA_JWK, kid="x" * 257), "kid"),
        (altered(RSA_JWK, n=b64((NUMBERS.n >> 1024).to_bytes(128, "big"))), "size"),
        (altered(RSA_JWK, n=b64(b"\xff" * 2048)), "size"),
        (altered(RSA_JWK, n=...), "malformed"),
        (altered(RSA_JWK, n="=+/"), "malformed"),
        (altered(RSA_JWK, n="A"), "malformed"),
        (altered(RSA_JWK, n=b64((NUMBERS.n & ~1).to_bytes(256, "big"))), "malformed"),
        (altered(RSA_JWK, e="AQ"), "malformed"),
        (altered(RSA_JWK, e="Aw"), "malformed"),
        (altered(RSA_JWK, e="AQAA"), "malformed"),
        (altered(RSA_JWK, e="AQAC"), "malformed"),
        (altered(RSA_JWK, e=65537), "malformed"),
        (altered(ED_JWK, crv="Ed448"), "crv"),
        (altered(ED_JWK, crv="X25519"), "crv"),
        (altered(ED_JWK, x="AAAA"), "malformed"),
        (altered(ED_JWK, x=None), "malformed"),
    ],
)
def test_what_is_of_no_use_is_passed_over_and_counted(key: dict[str, Any], reason: str) -> None:
    """RFC 7517 section 5, RFC 7518 section 6.3.1, RFC 8037 section 2."""
    reading = read_jwks(document(key, altered(ED_JWK, kid="good")))
    assert [key.kid for key in reading.keys] == ["good"]
    assert reading.skipped == {reason: 1}


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "oct"},
        altered(RSA_JWK, d="AAAA"),
        altered(ED_JWK, d="AAAA"),
        altered(EC_JWK, d="AAAA"),
        altered(RSA_JWK, k="AAAA"),
    ],
)
def test_a_set_with_a_secret_in_it_is_refused_as_a_whole(key: dict[str, Any]) -> None:
    with pytest.raises(BadKey) as caught:
        read_jwks(document(ED_JWK, key))
    assert "secret" in caught.value.message
    assert "AAAA" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": null}',
        b'{"keys": [1]}',
        b'{"keys": [[]]}',
        document(ED_JWK, altered(RSA_JWK, kid="e1")),
        document(*[EC_JWK] * (MOST_KEYS + 1)),
        document(ED_JWK) + b" " * MOST_BYTES,
    ],
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(BadKey):
        read_jwks(text)


def test_an_empty_set_is_a_set() -> None:
    assert read_jwks(document()).keys == ()


def test_the_largest_rsa_key_taken_has_8192_bits() -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 8191) | 1)
    big = altered(RSA_JWK, n=b64(numbers.n.to_bytes(1024, "big")))
    assert len(read_jwks(document(big)).keys) == 1


@given(st.binary())
def test_no_bytes_raise_anything_else(text: bytes) -> None:
    with pytest.raises(BadKey):
        read_jwks(text)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.sampled_from(list(RSA_JWK.values()) + list(ED_JWK.values()))
MEMBERS = st.sampled_from(["kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y", "d"])


@given(st.lists(st.dictionaries(MEMBERS, VALUES) | SCALARS, max_size=4), st.sampled_from([RSA_JWK, ED_JWK]))
def test_no_key_raises_anything_else(keys: list[Any], good: dict[str, Any]) -> None:
    merged = [good | key if isinstance(key, dict) else key for key in keys]
    for entries in (keys, merged):
        try:
            reading = read_jwks(json.dumps({"keys": entries}).encode())
        except BadKey:
            continue
        assert len(reading.keys) + sum(reading.skipped.values()) == len(entries)
