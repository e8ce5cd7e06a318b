"""Reads the alerts of a DTLS 1.2 association whose SSL object has been given back (RFC 6347, RFC 5246 section 7.2).

An SSL object of OpenSSL holds some 90 KB for as long as it lives, and after the handshake DTLS-SRTP has nothing more to
say than close_notify. These are the few octets that it takes to understand one: the peer's write key and IV. Only the
AEAD ciphers are known here; with any other the SSL object has to stay. Pure.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

RECORD_HEADER: Final = 13
ALERT: Final = 21
CLOSE_NOTIFY: Final = 0
FATAL: Final = 2

_EPOCH_AND_NUMBER = slice(3, 11)
_EXPLICIT_NONCE = 8
_TAG = 16


@dataclass(frozen=True, slots=True)
class _Cipher:
    """Octets of a write key and of a write IV; whether a part of the nonce stands in each record."""

    key: int
    iv: int
    explicit: bool


_CIPHERS = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": _Cipher(16, 4, True),  # RFC 5288 section 3
    "ECDHE-ECDSA-CHACHA20-POLY1305": _Cipher(32, 12, False),  # RFC 7905 section 2
}
"""By OpenSSL's name. All of them use SHA-256 in their PRF."""


@dataclass(frozen=True, slots=True)
class AlertKeys:
    """What it takes to read the records that one end writes; `explicit` as in RFC 5246 section 6.2.3.3."""

    key: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    explicit: bool


def alert_keys(
    cipher: str, master: bytes, client_random: bytes, server_random: bytes, *, server: bool
) -> AlertKeys | None:
    """The keys with which the peer writes; `server` is our role. None for a cipher that is not known here.

    RFC 5246 section 6.3: client key, server key, client IV, server IV, as AEAD has no MAC keys.
    """
    sizes = _CIPHERS.get(cipher)
    if sizes is None:
        return None
    block = _expand(master, b"key expansion" + server_random + client_random, 2 * (sizes.key + sizes.iv))
    which = 0 if server else 1
    key, iv = which * sizes.key, 2 * sizes.key + which * sizes.iv
    return AlertKeys(block[key : key + sizes.key], block[iv : iv + sizes.iv], sizes.explicit)


def ends_association(datagram: bytes, keys: AlertKeys) -> bool:
    """Whether a datagram of whole records has an authentic close_notify or a fatal alert in it.

    Whatever else stands in it is passed over; no octets raise.
    """
    at = 0
    while at + RECORD_HEADER <= len(datagram):
        size = int.from_bytes(datagram[at + 11 : at + 13], "big")
        record = datagram[at : at + RECORD_HEADER + size]
        at += RECORD_HEADER + size
        if record[0] == ALERT and len(record) == RECORD_HEADER + size:
            alert = _open(record, keys)
            if len(alert) == 2 and (alert[0] == FATAL or alert[1] == CLOSE_NOTIFY):
                return True
    return False


def _open(record: bytes, keys: AlertKeys) -> bytes:
    """What a record says (RFC 6347 section 4.1.2.1); nothing where it is not authentic."""
    number, sealed = record[_EPOCH_AND_NUMBER], record[RECORD_HEADER:]
    if keys.explicit:
        nonce, sealed = keys.iv + sealed[:_EXPLICIT_NONCE], sealed[_EXPLICIT_NONCE:]
    else:
        nonce = bytes(a ^ b for a, b in zip(keys.iv, bytes(4) + number, strict=True))
    if len(sealed) < _TAG or len(nonce) != 12:
        return b""
    header = number + record[:3] + (len(sealed) - _TAG).to_bytes(2, "big")
    try:
        return (AESGCM(keys.key) if keys.explicit else ChaCha20Poly1305(keys.key)).decrypt(nonce, sealed, header)
    except InvalidTag:
        return b""


def _expand(secret: bytes, seed: bytes, size: int) -> bytes:
    """P_SHA256 of RFC 5246 section 5."""
    out, chained = b"", seed
    while len(out) < size:
        chained = hmac.digest(secret, chained, hashlib.sha256)
        out += hmac.digest(secret, chained + seed, hashlib.sha256)
    return out[:size]
