"""Is a secret good enough to sign tokens with? Pure."""

import re

SHORTEST = 32
"""Bytes; RFC 7518 section 3.2 asks for a key no shorter than the hash of HS256."""

_FEWEST_DIFFERENT = 8

_WELL_KNOWN = re.compile(
    r"change.?me|change.?this|your.?(super.?)?secret|super.?secret|insecure|devkey"
    r"|256.?bit.?secret|string.?secret|change.?in.?prod|replace.?(me|this)|^(secret|password)+$",
)
"""Parts of the secrets that stand in tutorials, sample files and other servers' defaults."""


def weakness(secret: str) -> str:
    """Why this secret is refused, or an empty text. The secret itself is never repeated."""
    if not secret:
        return "there is none"
    length = len(secret.encode())
    if length < SHORTEST:
        return f"it has {length} bytes, and fewer than {SHORTEST} can be guessed"
    if _WELL_KNOWN.search(secret.lower()):
        return "it is a well-known one, or made from one"
    if len(set(secret)) < _FEWEST_DIFFERENT:
        return f"it has fewer than {_FEWEST_DIFFERENT} different characters"
    return ""
