"""Bearer secrets: the tokens of invites, and API keys. Pure: chance comes from an argument.

Shown once, when they are made; kept as SHA-256. They have 128 bits of chance or more, so that a slow hash, as passwords
need it, would gain nothing.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from signaling.ids import RandomBytes, new_secret

API_KEY_BEGIN = "parley_"
"""No JSON Web Token begins so."""
_API_KEY = re.compile(API_KEY_BEGIN + r"([a-z2-7]{12})_([A-Za-z0-9_-]{43})\Z")
_PREFIX_BYTES = 8
_SECRET_BYTES = 32
LONGEST = 128


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """An API key: `parley_<prefix>_<secret>`. The prefix is public and finds the row; the secret has 256 bits."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"{API_KEY_BEGIN}{self.prefix}_{self.secret}"


def new_api_key(random: RandomBytes) -> ApiKeyText:
    """A new key."""
    prefix = base64.b32encode(random(_PREFIX_BYTES)).decode().lower()[:12]
    return ApiKeyText(prefix, base64.urlsafe_b64encode(random(_SECRET_BYTES)).rstrip(b"=").decode())


def parse_api_key(text: str) -> ApiKeyText | None:
    """The parts of a key; None for what is none."""
    found = _API_KEY.match(text)
    return ApiKeyText(found[1], found[2]) if found else None


def new_invite_token(random: RandomBytes) -> str:
    """A token of 128 bits for a link."""
    return new_secret(random)


def hash_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, kept: str) -> bool:
    """Whether a secret is the one that was kept; takes as long for a wrong one."""
    return hmac.compare_digest(hash_of(secret), kept)
