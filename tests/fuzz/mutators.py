"""Changes to good input that make it bad: of lines, of octets, of JSON text. Pure; all chance comes from outside."""

from collections.abc import Sequence
from random import Random

ODD_CHARACTERS = "\x00\r\n :=/-٣é\ud800\U0001f600999"
ODD_NUMBERS = (-1, 0, 2**16, 2**32, 10**30)
ODD_OCTETS = (0x00, 0x01, 0x7F, 0x80, 0xBE, 0xFE, 0xFF)
ODD_JSON = ("{", "}", "[", "]", '"', ":", ",", "\\", "null", "true", "NaN", "1e999", "-0", "9" * 20, "\\ud800", "\x00")


def mutate_lines(text: str, chance: Random) -> str:
    """Delete, repeat, swap and cut lines, and put other characters in."""
    lines = text.split("\r\n")
    for _ in range(chance.randrange(1, 6)):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        line = lines[at]
        place = chance.randrange(len(line) + 1)
        match chance.randrange(7):
            case 0:
                lines[at] = ""
            case 1:
                lines.insert(other, line)
            case 2:
                lines[at], lines[other] = lines[other], line
            case 3:
                lines[at] = line[:place]
            case 4:
                lines[at] = line[:place] + chance.choice(ODD_CHARACTERS) + line[place + 1 :]
            case 5:
                lines[at] = line[:place] + str(chance.choice(ODD_NUMBERS)) + line[place:]
            case _:
                lines[at] = line[:place] + lines[other][place:]
    return "\r\n".join(lines)


def mutate_octets(data: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """Flip, set, cut, repeat and insert octets, change lengths, and go on as another of `others`."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(8):
            case 0:
                del changed[at:]
            case 1:
                del changed[at : at + chance.randrange(1, 9)]
            case 2:
                changed[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 3:
                changed[at:at] = changed[at : at + chance.randrange(1, 33)]
            case 4:
                changed[at : at + 1] = bytes((chance.choice(ODD_OCTETS),))
            case 5:
                changed[at : at + 2] = chance.randrange(1 << 16).to_bytes(2, "big")
            case 6 if others:
                changed[at:] = chance.choice(others)[at:]
            case _ if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def mutate_json(text: str, chance: Random) -> str:
    """Put pieces of JSON in, take characters out, repeat parts."""
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(text) + 1)
        end = at + chance.randrange(9)
        match chance.randrange(4):
            case 0:
                text = text[:at] + chance.choice(ODD_JSON) + text[at:]
            case 1:
                text = text[:at] + text[end:]
            case 2:
                text = text[:end] + text[at:]
            case _:
                text = text[:at] + chance.choice(ODD_CHARACTERS) + text[at + 1 :]
    return text
