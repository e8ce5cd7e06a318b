"""Changes that wait for the database, as lines of a file. Pure.

A line is one transaction: `<CRC-32 in hexadecimal> <JSON>`. A line that was cut off or damaged is told apart from the
others, and they are read all the same.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One write, by its name in `changes`, with JSON values and aware times."""

    kind: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class Decoded:
    """What a piece of a file holds: whole lines, damaged ones as they are, and how many bytes both are."""

    lines: list[tuple[Change, ...]] = field(default_factory=list)
    damaged: list[bytes] = field(default_factory=list)
    length: int = 0


def encode_line(changes: Sequence[Change]) -> bytes:
    """The line of one transaction, with its end. Raises TypeError for what JSON cannot say."""
    body = json.dumps([_outward(change) for change in changes], separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode_lines(data: bytes) -> Decoded:
    """The lines of a piece of a file. What follows the last line end is not counted: it may go on in the next piece."""
    found = Decoded()
    for line in data.split(b"\n")[:-1]:
        found.length += len(line) + 1
        changes = _decode(line)
        if changes is not None:
            found.lines.append(changes)
        elif line:
            found.damaged.append(line + b"\n")
    return found


def _outward(change: Change) -> list[object]:
    times = [name for name, value in change.values.items() if isinstance(value, datetime)]
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in change.values.items()
    }
    return [change.kind, values, times]


def _decode(line: bytes) -> tuple[Change, ...] | None:
    checksum, space, body = line.partition(b" ")
    if not space or checksum != b"%08x" % zlib.crc32(body):
        return None
    try:
        return tuple(_inward(*one) for one in json.loads(body))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _inward(kind: str, values: dict[str, Any], times: list[str]) -> Change:
    if not isinstance(kind, str) or not isinstance(values, dict):
        raise TypeError("a change has a kind and values")
    return Change(kind, {**values, **{name: datetime.fromisoformat(values[name]) for name in times}})
