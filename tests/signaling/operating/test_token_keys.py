from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from signaling.errors import BadSettings, ClientMistake
from signaling.identity.grants import Grants
from signaling.identity.jwks_source import JwksWatcher
from signaling.operating.token_keys import make_ring, make_tokens, make_watcher
from tests.signaling.identity.forging import ED_KEY, ED_PUBLIC, RSA_KEY, RSA_PUBLIC
from tests.signaling.identity.test_jwks import ED_JWK, RSA_JWK, altered, document
from tests.signaling.serving import settings_for

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def files(tmp_path):
    for name, key in (("rsa.pem", RSA_PUBLIC), ("ed.pem", ED_PUBLIC)):
        (tmp_path / name).write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "keys.json").write_bytes(document(ED_JWK, RSA_JWK))
    return tmp_path


def signed(key, algorithm, kid=None):
    said = {"sub": "ana", "exp": int((NOW + timedelta(minutes=1)).timestamp()), "video": {"room": "r"}}
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def test_public_keys_are_read_from_their_files(files):
    settings = settings_for(files, jwt_public_keys=[f"r1={files}/rsa.pem", f"{files}/ed.pem"])
    tokens = make_tokens(settings, make_ring(settings))
    assert tokens.verify(signed(RSA_KEY, "RS256", "r1"), NOW).identity == "ana"
    assert tokens.verify(signed(ED_KEY, "EdDSA"), NOW).identity == "ana"
    assert make_watcher(settings, make_ring(settings), lambda: 0.0) is None


def test_a_key_set_in_a_file_is_there_from_the_start(files):
    settings = settings_for(files, jwks_file=files / "keys.json", jwt_public_keys=[f"mine={files}/ed.pem"])
    ring = make_ring(settings)
    assert [ring.current.knows(kid) for kid in ("mine", "e1", "r1")] == [True] * 3
    assert isinstance(make_watcher(settings, ring, lambda: 0.0), JwksWatcher)


def test_a_key_set_at_a_url_comes_later():
    settings = settings_for(None, data_dir=".", jwks_url="https://id.example/keys")
    ring = make_ring(settings)
    assert len(ring.current) == 0
    assert isinstance(make_watcher(settings, ring, lambda: 0.0), JwksWatcher)


def test_with_public_keys_only_what_we_issue_is_signed_with_a_secret_of_our_own(files):
    settings = settings_for(files, jwt_secret="", jwt_public_keys=[f"{files}/ed.pem"])
    tokens = make_tokens(settings, make_ring(settings))
    own = tokens.issue("ana", grants=Grants.for_room("r"), utc=NOW)
    assert jwt.get_unverified_header(own)["alg"] == "HS256"
    restarted = make_tokens(settings, make_ring(settings))
    assert restarted.verify(own, NOW).identity == "ana"
    pem = (files / "ed.pem").read_bytes()
    forged = jwt.api_jws.encode(b'{"sub": "eve", "exp": 1767225660}', b"x" * 32, algorithm="HS256")
    assert pem not in forged.encode()
    with pytest.raises(ClientMistake):
        restarted.verify(forged, NOW)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.pem", None, "No such file"),
        ("bad.pem", b"nonsense", "not a public key"),
        ("private.pem", ED_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "private"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_named(files, name, content, says):
    if content is not None:
        (files / name).write_bytes(content)
    with pytest.raises(BadSettings) as caught:
        make_ring(settings_for(files, jwt_public_keys=[f"{files}/{name}"]))
    assert name in caught.value.what
    assert says in caught.value.why


@pytest.mark.parametrize("content", [None, b"{}", document({"kty": "oct", "k": "AAAA"})])
def test_a_key_set_file_that_cannot_be_used_stops_the_start(files, content):
    file = files / "keys.json"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(BadSettings) as caught:
        make_ring(settings_for(files, jwks_file=file))
    assert "jwks_file" in caught.value.what


def test_two_keys_with_one_kid_stop_the_start(files):
    with pytest.raises(BadSettings):
        make_ring(settings_for(files, jwt_public_keys=[f"k={files}/rsa.pem", f"k={files}/ed.pem"]))
    (files / "keys.json").write_bytes(document(altered(ED_JWK, kid="k")))
    with pytest.raises(BadSettings):
        make_ring(settings_for(files, jwt_public_keys=[f"k={files}/rsa.pem"], jwks_file=files / "keys.json"))
