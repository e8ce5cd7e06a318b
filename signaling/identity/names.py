"""Rules for identities and display names. Pure.

A display name is typed by people and is cleaned. An identity is a key and is refused instead. Control and format
characters (Unicode categories Cc and Cf, with the overrides of writing direction), surrogates, unassigned code points
and line separators never pass.
"""

import re
import unicodedata

from signaling.errors import ClientMistake

ROOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
"""Pattern of a room id in the protocol. Safe in a path and in a file name."""

LONGEST_NAME = 64
LONGEST_IDENTITY = 128
LONGEST_USER_AGENT = 256

_JOINERS = "\u200c\u200d"
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MOST_MARKS = 4


def clean_name(text: str) -> str:
    """Return a display name safe to show in a list: at most 64 characters, or empty. See `clean_title`."""
    cut = clean_title(text)[:LONGEST_NAME].strip(_JOINERS + " ")
    return cut if _can_be_seen(cut) else ""


def clean_title(text: str) -> str:
    """Return a title cleaned by the same rules but not truncated: storage refuses one that is too long.

    Normalised to NFC, white space collapsed. The joiners that emoji and Persian need are kept between other characters,
    and no more than four combining marks on one letter. Only the first 512 characters are looked at.
    """
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", text[: LONGEST_NAME * 8]):
        if char.isspace():
            kept.append(" ")
            continue
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MOST_MARKS or (category in _REFUSED and char not in _JOINERS):
            continue
        kept.append(char)
    cleaned = " ".join("".join(kept).split()).strip(_JOINERS + " ")
    return cleaned if _can_be_seen(cleaned) else ""


def _can_be_seen(text: str) -> bool:
    return any(char.isprintable() and not char.isspace() for char in text)


def clean_user_agent(text: str) -> str:
    """Return a client's User-Agent on one line of at most 256 characters. Empty if nothing is left."""
    kept = "".join(" " if unicodedata.category(char) in _REFUSED else char for char in text[: LONGEST_USER_AGENT * 2])
    return " ".join(kept.split())[:LONGEST_USER_AGENT]


def check_identity(text: str) -> str:
    """Return the identity if it is 1 to 128 printable characters without white space at its ends.

    Raises ClientMistake (`bad_message`).
    """
    if not 1 <= len(text) <= LONGEST_IDENTITY:
        raise ClientMistake("bad_message", f"an identity must have 1 to {LONGEST_IDENTITY} characters")
    if text != text.strip() or any(unicodedata.category(char) in _REFUSED for char in text):
        raise ClientMistake(
            "bad_message", "an identity must not contain control characters, or white space at its ends"
        )
    return text
