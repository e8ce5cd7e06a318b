import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import BadKey
from signaling.identity.keys import Key, KeyRing, KeySet, public_key, read_public_key
from tests.signaling.identity.forging import ED_KEY, ED_PUBLIC, OTHER_RSA_KEY, RSA_KEY, RSA_PUBLIC

R1, R2 = public_key(RSA_PUBLIC, "r1"), public_key(OTHER_RSA_KEY.public_key(), "r2")
E1 = public_key(ED_PUBLIC, "e1")
UNNAMED = public_key(ED_PUBLIC)
SECRET = Key("HS256", b"x" * 32)


def pem(key: object) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def test_each_kind_of_key_has_one_algorithm() -> None:
    """RFC 8725 section 3.1, RFC 8037 section 3.1."""
    assert (R1.algorithm, E1.algorithm) == ("RS256", "EdDSA")
    for algorithm, material in (("RS256", b"x"), ("HS256", RSA_PUBLIC), ("EdDSA", RSA_PUBLIC), ("HS256", pem)):
        with pytest.raises(BadKey):
            Key(algorithm, material)  # type: ignore[arg-type]


@pytest.mark.parametrize("bits", [1024, 2047])
def test_rfc_7518_section_3_3_an_rsa_key_has_2048_bits_or_more(bits: int) -> None:
    with pytest.raises(BadKey):
        public_key(rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key())


def test_other_curves_are_no_keys_here() -> None:
    for other in (ec.generate_private_key(ec.SECP256R1()).public_key(), Ed448PrivateKey.generate().public_key()):
        with pytest.raises(BadKey):
            read_public_key(pem(other))


def test_a_key_never_shows_itself() -> None:
    assert "x" * 8 not in repr(SECRET)


def test_a_kid_is_bounded() -> None:
    for kid in ("", "x" * 257):
        with pytest.raises(BadKey):
            public_key(ED_PUBLIC, kid)


def test_a_kid_finds_its_key_under_its_algorithm_only() -> None:
    keys = KeySet([R1, R2, E1])
    assert keys.candidates("RS256", "r1") == (R1,)
    for algorithm, kid in (("EdDSA", "r1"), ("HS256", "r1"), ("RS256", "R1"), ("none", "r1"), ("RS256", "r3")):
        assert keys.candidates(algorithm, kid) == ()
    assert (keys.knows("e1"), keys.knows("e2"), len(keys)) == (True, False, 3)


def test_rfc_7515_section_4_1_4_without_kid_there_must_be_no_choice() -> None:
    keys = KeySet([R1, R2, E1])
    assert keys.candidates("EdDSA", None) == (E1,)
    assert keys.candidates("RS256", None) == ()
    assert keys.candidates("HS256", None) == ()
    assert KeySet([E1, UNNAMED]).candidates("EdDSA", None) == (UNNAMED,)
    assert KeySet([SECRET]).candidates("HS256", "x") == ()
    assert list(KeySet([SECRET])) == [SECRET]


def test_two_keys_never_share_a_kid() -> None:
    with pytest.raises(BadKey):
        KeySet([R1, public_key(ED_PUBLIC, "r1")])
    assert len(KeySet([UNNAMED, SECRET])) == 2


def test_a_ring_replaces_what_was_fetched_and_keeps_what_was_set() -> None:
    ring = KeyRing([E1])
    ring.replace([R1])
    ring.replace([R2])
    assert [ring.current.knows(kid) for kid in ("e1", "r1", "r2")] == [True, False, True]
    with pytest.raises(BadKey):
        ring.replace([public_key(RSA_PUBLIC, "e1")])
    assert ring.current.knows("r2")


def test_rfc_7468_a_public_key_is_read_from_pem_and_a_private_one_refused() -> None:
    assert read_public_key(pem(RSA_PUBLIC), "r1") == R1
    assert read_public_key(pem(ED_PUBLIC)).material == ED_PUBLIC
    for private in (RSA_KEY, ED_KEY):
        with pytest.raises(BadKey) as caught:
            read_public_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        assert "private" in caught.value.message


@given(
    st.binary() | st.binary().map(lambda inner: b"-----BEGIN PUBLIC KEY-----\n" + inner + b"\n-----END PUBLIC KEY-----")
)
def test_no_bytes_raise_anything_else(pem_like: bytes) -> None:
    with pytest.raises(BadKey):
        read_public_key(pem_like)
