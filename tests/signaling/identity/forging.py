"""Tokens made by hand: the ways of signing of each kind of configuration, and what a forger would try with each."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signaling.identity.keys import KeyRing, public_key
from signaling.identity.tokens import Tokens

SECRET = "a2V5cyBmb3IgdGVzdHMgb25seSwgbm8gcmVhbCBvbmU"
OWN_SECRET = "b3VyIG93biBzZWNyZXQsIG5vdCB0aGF0IG9mIG90aGVycw"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = int(NOW.timestamp())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED_KEY = Ed25519PrivateKey.generate()
OTHER_ED_KEY = Ed25519PrivateKey.generate()

Signer = Callable[[object, object], str]


def b64(data: bytes | str | object) -> str:
    raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    said = {"sub": "ana", "exp": AT + 600, "iat": AT, "nbf": AT, "video": {"room": "lobby", "roomJoin": True}}
    return {key: value for key, value in (said | changes).items() if value is not ...}


def forge(
    header: object, payload: object, secret: str | bytes = SECRET, digest: Callable[..., Any] = hashlib.sha256
) -> str:
    """Signed with HMAC, whatever the header says."""
    key = secret if isinstance(secret, bytes) else secret.encode()
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(hmac.new(key, signed.encode(), digest).digest())}"


def sign_rsa(header: object, payload: object, key: rsa.RSAPrivateKey = RSA_KEY) -> str:
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"


def sign_pss(header: object, payload: object) -> str:
    signed = f"{b64(header)}.{b64(payload)}"
    made = RSA_KEY.sign(signed.encode(), padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    return f"{signed}.{b64(made)}"


def sign_ed(header: object, payload: object, key: Ed25519PrivateKey = ED_KEY) -> str:
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


class Configuration(NamedTuple):
    """One way of setting a server up, and how a token that it takes is signed."""

    tokens: Tokens
    header: Mapping[str, object]
    sign: Signer


RSA_PUBLIC, ED_PUBLIC = RSA_KEY.public_key(), ED_KEY.public_key()
_BOTH = KeyRing([public_key(RSA_PUBLIC, "r1"), public_key(ED_PUBLIC, "e1")])
CONFIGURATIONS: dict[str, Configuration] = {
    "secret": Configuration(Tokens(SECRET), {"alg": "HS256", "typ": "JWT"}, forge),
    "rsa": Configuration(
        Tokens(OWN_SECRET, ring=KeyRing([public_key(RSA_PUBLIC, "r1")])),
        {"alg": "RS256", "typ": "JWT", "kid": "r1"},
        sign_rsa,
    ),
    "rsa without kid": Configuration(
        Tokens(OWN_SECRET, ring=KeyRing([public_key(RSA_PUBLIC)])), {"alg": "RS256", "typ": "JWT"}, sign_rsa
    ),
    "eddsa": Configuration(
        Tokens(OWN_SECRET, ring=KeyRing([public_key(ED_PUBLIC, "e1")])),
        {"alg": "EdDSA", "typ": "JWT", "kid": "e1"},
        sign_ed,
    ),
    "all, as hs256": Configuration(Tokens(SECRET, ring=_BOTH), {"alg": "HS256", "typ": "JWT"}, forge),
    "all, as rs256": Configuration(Tokens(SECRET, ring=_BOTH), {"alg": "RS256", "typ": "JWT", "kid": "r1"}, sign_rsa),
    "all, as eddsa": Configuration(Tokens(SECRET, ring=_BOTH), {"alg": "EdDSA", "typ": "JWT", "kid": "e1"}, sign_ed),
}


def public_texts() -> dict[str, bytes]:
    """Each way in which a forger may write a public key that it takes for the HMAC secret."""
    texts: dict[str, bytes] = {}
    for name, key in (("RSA", RSA_PUBLIC), ("Ed25519", ED_PUBLIC)):
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        texts |= {
            f"{name} PEM": pem,
            f"{name} PEM without its last line feed": pem.rstrip(),
            f"{name} DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        }
    texts["Ed25519 raw"] = ED_PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw)
    texts["RSA PKCS1"] = RSA_PUBLIC.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    return texts


def forgeries(configuration: Configuration) -> dict[str, str]:
    """What a forger tries who can have tokens signed by the very key of this configuration, and who cannot."""
    good, sign = dict(configuration.header), configuration.sign
    whole = sign(good, claims())
    head, body, signature = whole.split(".")
    return {
        **_shapes(head, body, signature, whole),
        **_algorithms(good, sign),
        **_key_names(good, sign),
        **_headers(good, sign, body, signature),
        **_payloads(good, sign),
    }


def _shapes(head: str, body: str, signature: str, whole: str) -> dict[str, str]:
    return {
        "empty": "",
        "one part": "abc",
        "two parts": f"{head}.{body}",
        "four parts": f"{whole}.x",
        "five parts, as JWE": f"{head}.a.b.c.d",
        "no signature": f"{head}.{body}.",
        "alg none, unsigned": f"{b64({'alg': 'none'})}.{body}.",
        "signature of another payload": f"{head}.{b64(claims(sub='eve'))}.{signature}",
        "signature cut short": whole[:-4],
        "signature with a line feed": f"{whole}\n",
        "signature of zeros": f"{head}.{body}.{b64(bytes(64))}",
        "signature of 256 zeros": f"{head}.{body}.{b64(bytes(256))}",
        "padding": f"{whole}=",
        "standard base64": f"{head}.{body}.{'+/' * 21}",
        "header of one character": f"a.{body}.{signature}",
        "not ASCII": "ä.ö.ü",
    }


def _algorithms(good: dict[str, object], sign: Signer) -> dict[str, str]:
    named = {**good, "alg": ...}
    tried: dict[str, str] = {
        "alg missing": sign({key: value for key, value in good.items() if key != "alg"}, claims()),
        "another secret": forge({"alg": "HS256"}, claims(), secret="x" * 40),
        "an empty secret": forge({"alg": "HS256"}, claims(), secret=""),
        "RS256 by another key": sign_rsa({"alg": "RS256", "kid": "r1"}, claims(), OTHER_RSA_KEY),
        "RS256 by another key, no kid": sign_rsa({"alg": "RS256"}, claims(), OTHER_RSA_KEY),
        "EdDSA by another key": sign_ed({"alg": "EdDSA", "kid": "e1"}, claims(), OTHER_ED_KEY),
        "EdDSA by another key, no kid": sign_ed({"alg": "EdDSA"}, claims(), OTHER_ED_KEY),
        "HS384": forge({**good, "alg": "HS384"}, claims(), digest=hashlib.sha384),
        "HS512": forge({**good, "alg": "HS512"}, claims(), digest=hashlib.sha512),
        "PS256": sign_pss({**good, "alg": "PS256"}, claims()),
        "RS256 over HMAC": forge({"alg": "RS256", "kid": "r1"}, claims()),
        "EdDSA over RSA": sign_rsa({"alg": "EdDSA", "kid": "e1"}, claims()),
        "RS256 over Ed25519": sign_ed({"alg": "RS256", "kid": "r1"}, claims()),
        "RS256 with the kid of the Ed25519 key": sign_rsa({"alg": "RS256", "kid": "e1"}, claims()),
        "EdDSA with the kid of the RSA key": sign_ed({"alg": "EdDSA", "kid": "r1"}, claims()),
    }
    for wrong in ("none", "None", "nOnE", "NONE", "hs256", "rs256", "eddsa", "Ed448", "ES256", "RS256 ", "", None, 1):
        tried[f"alg {wrong!r}"] = sign({**named, "alg": wrong}, claims())
    tried["alg a list"] = sign({**named, "alg": [good["alg"]]}, claims())
    for name, text in public_texts().items():
        for kid in (None, "r1", "e1"):
            header = {"alg": "HS256"} if kid is None else {"alg": "HS256", "kid": kid}
            tried[f"HS256 with the public key as secret: {name}, kid {kid}"] = forge(header, claims(), secret=text)
    return tried


KIDS = {
    "path": "../../dev/null",
    "absolute path": "/dev/null",
    "file": "file:///etc/passwd",
    "URL": "https://evil.example/key.pem",
    "SQL": "x' UNION SELECT 'secret' --",
    "command": "|/usr/bin/true",
    "unknown": "r2",
    "case": "R1",
    "NUL": "r1\x00",
    "space": " r1",
    "dunder": "__class__",
    "long": "x" * 257,
    "empty": "",
}


def _key_names(good: dict[str, object], sign: Signer) -> dict[str, str]:
    tried = {f"kid as {name}": sign({**good, "kid": kid}, claims()) for name, kid in KIDS.items()}
    for wrong in (None, 1, ["r1"], {"r1": 1}, True):
        tried[f"kid {wrong!r}"] = sign({**good, "kid": wrong}, claims())
    return tried


def _headers(good: dict[str, object], sign: Signer, body: str, signature: str) -> dict[str, str]:
    twice = json.dumps(good)[:-1] + f', "alg": "{good["alg"]}"}}'
    extra: dict[str, object] = {
        "jku": "https://evil.example/keys",
        "jwk": {"kty": "oct", "k": b64("x" * 40)},
        "x5u": "https://evil.example/chain",
        "x5c": ["AAAA"],
        "x5t": "AAAA",
        "crit": ["exp"],
        "zip": "DEF",
        "cty": "JWT",
        "enc": "A256GCM",
    }
    return {
        **{name: sign({**good, name: value}, claims()) for name, value in extra.items()},
        "b64 false": sign({**good, "b64": False, "crit": ["b64"]}, claims()),
        "b64 false, not critical": sign({**good, "b64": False}, claims()),
        "alg twice": sign(twice, claims()),
        "typ of another token": sign({**good, "typ": "at+jwt"}, claims()),
        "typ not a text": sign({**good, "typ": 5}, claims()),
        "header not JSON": f"{b64('nonsense')}.{body}.{signature}",
        "header not an object": sign([], claims()),
    }


def _payloads(good: dict[str, object], sign: Signer) -> dict[str, str]:
    whole = json.dumps(claims())
    texts = {
        "payload not JSON": "nonsense",
        "payload deep": "[" * 2500,
        "payload deep within": '{"a":' + "[" * 1200 + "]" * 1200 + "}",
        "sub twice": whole[:-1] + ', "sub": "eve"}',
        "exp twice": whole[:-1] + f', "exp": {AT + 900}}}',
        "a grant twice": whole.replace('"roomJoin": true', '"roomJoin": true, "roomJoin": true'),
        "exp NaN": whole.replace(str(AT + 600), "NaN"),
        "exp infinite": whole.replace(str(AT + 600), "1e999"),
        "payload a token": sign(good, claims()),
    }
    wrong: dict[str, object] = {
        "payload not an object": ["sub"],
        "payload a token, as text": json.dumps(sign(good, claims())),
        "exp missing": claims(exp=...),
        "exp a text": claims(exp=str(AT + 600)),
        "exp true": claims(exp=True),
        "exp huge": claims(exp=2**60),
        "exp negative": claims(exp=-1),
        "nbf beyond the leeway": claims(nbf=AT + 11),
        "nbf a text": claims(nbf="now"),
        "iat beyond the leeway": claims(iat=AT + 11),
        "sub missing": claims(sub=...),
        "sub empty": claims(sub=""),
        "sub a number": claims(sub=5),
        "sub with control characters": claims(sub="a\x00b"),
        "sub too long": claims(sub="x" * 129),
        "name a number": claims(name=5),
        "jti a number": claims(jti=5),
        "jti too long": claims(jti="x" * 257),
        "video a list": claims(video=[]),
        "roomJoin a text": claims(video={"room": "lobby", "roomJoin": "true"}),
        "room a number": claims(video={"room": 1, "roomJoin": True}),
        "role unknown": claims(role="god"),
        "role a list": claims(role=["owner"]),
        "metadata too long": claims(metadata="x" * 4097),
        "a megabyte": claims(metadata="x" * 1_000_000),
        "origin a text": claims(origin="x"),
        "origin without a name": claims(origin={"exp": AT}),
        "origin without a time": claims(origin={"jti": "x"}),
    }
    return {name: sign(good, payload) for name, payload in (texts | wrong).items()}
