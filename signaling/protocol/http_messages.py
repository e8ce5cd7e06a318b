"""What the requests of plain HTTP say, as messages of the protocol. Pure; raises only ClientMistake.

A request becomes the text of a message and goes the way of all messages: there is no second reader of anything.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import orjson

from signaling.errors import ClientMistake
from signaling.protocol.client_messages import parse_client_message
from signaling.protocol.envelope import MOST_BYTES, read_envelope

SESSION_HEADER = "Parley-Session"

OPENING = frozenset({"auth", "resume"})
"""What may be sent without a session, as it makes one or finds one."""

_CREDENTIALS = re.compile(r"([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64})")


class Credentials(NamedTuple):
    """Whose request it is: a session, and its secret."""

    session: str
    secret: str

    def __str__(self) -> str:
        """As the header has it."""
        return f"{self.session}.{self.secret}"


def parse_credentials(header: str) -> Credentials:
    """The header Parley-Session: `session.secret`. Raises ClientMistake (`unauthenticated`)."""
    found = _CREDENTIALS.fullmatch(header)
    if found is None:
        raise ClientMistake("unauthenticated", f"{SESSION_HEADER} is <session>.<secret>")
    return Credentials(found[1], found[2])


def auth_message(token: str) -> bytes:
    """`auth` with this token. Raises ClientMistake (`token_invalid`) for one that no header of ours could hold."""
    if not token.isascii():
        raise ClientMistake("token_invalid")
    return message_text("auth", {"token": token})


def join_message(room: str, body: bytes) -> bytes:
    """`join` of this room, with the payload that the body is. Raises ClientMistake (`bad_message`, `too_large`)."""
    body = body.strip() or b"{}"
    # Parsed alone first, so that what follows its end is not read as a part of the envelope around it.
    try:
        alone = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ClientMistake("bad_message", f"not JSON: {error.msg}") from None
    if not isinstance(alone, dict):
        _refuse("the body is a JSON object")
    if len(body) > MOST_BYTES:
        raise ClientMistake("too_large")
    payload = read_envelope(b'{"type":"join","payload":%b}' % body).payload
    if "room" in payload:
        _refuse("the room stands in the path")
    return message_text("join", {"room": room, **payload})


def leave_message() -> bytes:
    """`leave`."""
    return message_text("leave", {})


def join_answer(welcome: Mapping[str, object], joined: Mapping[str, object], seq: int) -> bytes:
    """What the two answers say, as one. `seq` is the number of the last message that is in it."""
    known = {"session": welcome["session"], "secret": welcome["secret"], "seq": seq}
    return orjson.dumps({**known, "welcome": welcome, "joined": joined})


def check_opening(text: bytes) -> None:
    """Whether this may come without a session. Raises ClientMistake: `unauthenticated`, or what is wrong with it."""
    if parse_client_message(text).type not in OPENING:
        raise ClientMistake("unauthenticated", f"without {SESSION_HEADER} only auth and resume are taken")


def message_text(kind: str, payload: dict[str, object]) -> bytes:
    """A message of this type; what answers it names the type too."""
    return orjson.dumps({"type": kind, "id": kind, "payload": payload})


def _refuse(why: str) -> NoReturn:
    raise ClientMistake("bad_message", why)
