"""Values that both databases store unchanged: checks of texts and JSON documents. Pure. All raise ClientMistake
(`bad_message`).

Both databases keep what passes here unchanged: PostgreSQL refuses NUL in text, and neither takes lone surrogates.
"""

import json
import unicodedata
from math import isfinite
from typing import Any

from signaling.errors import ClientMistake
from signaling.storage import words

DEEPEST = 32
"""Maximum depth of arrays and objects in a document."""
_LARGEST_INTEGER = 2**53
"""A browser rounds larger integers."""


def check_text(field: str, text: str, longest: int, *, least: int = 0) -> str:
    """Return the text if it has `least` to `longest` characters that both databases can store."""
    if not least <= len(text) <= longest:
        raise ClientMistake("bad_message", f"{field}: from {least} to {longest} characters")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ClientMistake("bad_message", f"{field}: no NUL and no lone surrogates")
    return text


def check_word(field: str, word: str, known: tuple[str, ...]) -> str:
    """Return the word if it is a known one."""
    if word not in known:
        raise ClientMistake("bad_message", f"{field}: one of {', '.join(known)}")
    return word


def check_number(field: str, number: int, least: int, most: int) -> int:
    """Return the number if it is from `least` to `most`. `true` is not a number."""
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise ClientMistake("bad_message", f"{field}: a whole number from {least} to {most}")
    return number


def check_document(field: str, value: Any, longest: int = words.DOCUMENT_BYTES) -> Any:
    """Return the JSON value if it fits `longest` bytes and survives a round trip unchanged."""
    _check_value(field, value, DEEPEST)
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > longest:
        raise ClientMistake("bad_message", f"{field}: {size} bytes of JSON, {longest} at most")
    return value


def check_object(field: str, value: Any, longest: int = words.DOCUMENT_BYTES) -> dict[str, Any]:
    """As `check_document`, for a JSON object."""
    if not isinstance(value, dict):
        raise ClientMistake("bad_message", f"{field}: a JSON object")
    check_document(field, value, longest)
    return value


def search_key(text: str) -> str:
    """Return the search key of a name: case-folded, NFKC, truncated to the length of the column."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded[: words.NAME_KEY_LENGTH]


def _check_value(field: str, value: Any, depth: int) -> None:
    if depth == 0:
        raise ClientMistake("bad_message", f"{field}: nested deeper than {DEEPEST}")
    if isinstance(value, list | tuple):
        for item in value:
            _check_value(field, item, depth - 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise ClientMistake("bad_message", f"{field}: names of members must be strings")
            _check_scalar(field, name)
            _check_value(field, item, depth - 1)
    else:
        _check_scalar(field, value)


def _check_scalar(field: str, value: Any) -> None:
    if isinstance(value, str):
        check_text(field, value, words.DOCUMENT_BYTES)
    elif isinstance(value, float):
        if not isfinite(value):
            raise ClientMistake("bad_message", f"{field}: finite numbers only")
    elif isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise ClientMistake("bad_message", f"{field}: whole numbers within 2 to the 53rd")
    elif value is not None:
        raise ClientMistake("bad_message", f"{field}: only JSON values")
