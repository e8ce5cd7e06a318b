"""Bearer secrets: the tokens of invites, and API keys. Pure: chance comes from an argument.

They are shown only at creation and stored as SHA-256. They have at least 128 random bits, so a slow password hash would
gain nothing.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from signaling.ids import RandomBytes, new_secret

API_KEY_BEGIN = "parley_"
"""The prefix of a key. No JSON Web Token starts with it."""
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
    """Return a new key."""
    prefix = base64.b32encode(random(_PREFIX_BYTES)).decode().lower()[:12]
    return ApiKeyText(prefix, base64.urlsafe_b64encode(random(_SECRET_BYTES)).rstrip(b"=").decode())


def parse_api_key(text: str) -> ApiKeyText | None:
    """Return the parts of a key, or None if the text is not one."""
    found = _API_KEY.match(text)
    return ApiKeyText(found[1], found[2]) if found else None


def new_invite_token(random: RandomBytes) -> str:
    """Return a new token of 128 bits for a link."""
    return new_secret(random)


def hash_of(secret: str) -> str:
    """Return the hash that is stored for a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, kept: str) -> bool:
    """Whether a secret matches a stored hash, compared in constant time."""
    return hmac.compare_digest(hash_of(secret), kept)
