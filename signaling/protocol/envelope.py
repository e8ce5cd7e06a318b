"""Parses JSON text of a client into an envelope: type, id, payload. Pure; raises only ClientMistake.

RFC 8259 leaves much open that we refuse: duplicate keys, NaN and infinities, integers beyond 2**53, deep nesting, lone
surrogates. orjson parses; what it is silent about (duplicate keys, depth) is told from counts where they suffice, and
from a second, exact reading by the standard library where they do not.
"""

import json
import math
from typing import Any, NamedTuple, NoReturn

import orjson

from signaling.errors import ClientMistake, ClosingMistake

MOST_BYTES = 65_536
"""The largest message taken."""

DEEPEST = 16
"""Objects and arrays within each other, the envelope included."""

LARGEST_INTEGER = 2**53
"""As RFC 7493 (I-JSON) section 2.2: beyond it, other readers lose digits."""

LONGEST_ID = 64

RequestId = str | int | None


class Envelope(NamedTuple):
    """A client's message before its payload is looked at."""

    type: str
    id: RequestId
    payload: dict[str, Any]


def read_envelope(text: str | bytes) -> Envelope:
    """The envelope in one WebSocket text message. Raises ClientMistake (`too_large`, `bad_message`)."""
    _check_size(text)
    try:
        outer = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ClientMistake("bad_message", f"not JSON: {error.msg}") from None
    if not isinstance(outer, dict):
        _refuse("a message must be a JSON object")
    if not _plainly_strict(text, outer):
        outer = _read_exactly(text)
    return _envelope(outer)


def _check_size(text: str | bytes) -> None:
    """Characters first: text of more than the limit in characters needs no encoding to be refused."""
    size = len(text)
    if size * 4 > MOST_BYTES and isinstance(text, str):
        size = size if size > MOST_BYTES else len(text.encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise ClosingMistake("too_large", f"a message must have at most {MOST_BYTES} bytes")


def _plainly_strict(text: str | bytes, outer: dict[str, Any]) -> bool:
    """Whether counting shows that there are no duplicate keys, no depth and no number that lost digits.

    Every key has a colon after it; with as many colons in the whole text as there are keys in what was parsed, none
    was lost to a duplicate. Two levels with scalars in them are all that most messages have.
    """
    keys = len(outer)
    for value in outer.values():
        kind = type(value)
        if kind is dict:
            keys += len(value)
            for inner in value.values():
                if not _plain(inner):
                    return False
        elif not _plain(value):
            return False
    return keys == (text.count(":") if isinstance(text, str) else text.count(b":"))


def _plain(value: object) -> bool:
    """A scalar that orjson reads exactly; a float may be an integer that lost its digits."""
    if type(value) is int:
        return -LARGEST_INTEGER <= value <= LARGEST_INTEGER
    return type(value) is str or value is None or type(value) is bool


def _read_exactly(text: str | bytes) -> dict[str, Any]:
    """The standard library's reading, which sees each key and each digit. orjson has accepted the text before."""
    depth = 0
    deepest = 0
    for char in _brackets(text):
        depth += char in "{["
        depth -= char in "}]"
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        _refuse(f"nested more than {DEEPEST} deep")
    parsed: dict[str, Any] = _STRICT.decode(text if isinstance(text, str) else text.decode())
    return parsed


def _brackets(text: str | bytes) -> str:
    """The brackets outside of strings. Cuts strings out first, as they may hold brackets of their own."""
    whole = text if isinstance(text, str) else text.decode()
    if whole.count("{") + whole.count("[") <= DEEPEST:
        return ""
    outside = whole.replace("\\\\", "").replace('\\"', "").split('"')[::2]
    return "".join(char for part in outside for char in part if char in "{}[]")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        _refuse("an object contains a key twice")
    return parsed


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(value := int(digits)) > LARGEST_INTEGER:
        _refuse("an integer beyond 2**53")
    return value


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse("a number too large for a double")
    return value


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is not JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant)

_KEYS = frozenset({"type", "id", "payload"})


def _envelope(outer: dict[str, Any]) -> Envelope:
    if not _KEYS.issuperset(outer):
        _refuse("the envelope may contain only type, id and payload")
    kind, request_id, payload = outer.get("type"), outer.get("id"), outer.get("payload", {})
    if type(kind) is not str or not 1 <= len(kind) <= LONGEST_ID:
        _refuse("type is missing or not a string")
    if type(request_id) is str:
        if not 1 <= len(request_id) <= LONGEST_ID:
            _refuse(f"id must have 1 to {LONGEST_ID} characters")
    elif "id" in outer and (type(request_id) is not int or not 0 <= request_id <= LARGEST_INTEGER):
        _refuse("id must be a string or a whole number")
    if type(payload) is not dict:
        _refuse("payload is not an object")
    return Envelope(kind, request_id, payload)


def _refuse(why: str) -> NoReturn:
    raise ClientMistake("bad_message", why)
