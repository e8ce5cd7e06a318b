"""Requests of plain HTTP as messages of the protocol. Pure; raises only ClientMistake.

A request becomes the text of a message and goes the way of all messages: there is no second reader of anything.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

import orjson

from signaling.errors import ClientMistake
from signaling.protocol.client_messages import parse_client_message
from signaling.protocol.envelope import LARGEST_INTEGER, MOST_BYTES, RequestId, read_envelope
from signaling.protocol.server_messages import Outgoing, frame

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
        raise ClientMistake("unauthenticated", f"{SESSION_HEADER} must be <session>.<secret>")
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
        _refuse("the body must be a JSON object")
    if len(body) > MOST_BYTES:
        raise ClientMistake("too_large")
    payload = read_envelope(b'{"type":"join","payload":%b}' % body).payload
    if "room" in payload:
        _refuse("the room must be in the path")
    return message_text("join", {"room": room, **payload})


def leave_message() -> bytes:
    """`leave`."""
    return message_text("leave", {})


def join_answer(welcome: Outgoing, joined: Outgoing, seq: int) -> bytes:
    """The two answers in one object. `seq` is the number of the last message in it."""
    known = {"session": welcome.payload["session"], "secret": welcome.payload["secret"], "seq": seq}
    bodies = {"welcome": orjson.Fragment(welcome.body), "joined": orjson.Fragment(joined.body)}
    return orjson.dumps(known | bodies)


def check_opening(text: bytes) -> None:
    """Whether this may come without a session. Raises ClientMistake: `unauthenticated`, or what is wrong with it."""
    if parse_client_message(text).type not in OPENING:
        raise ClientMistake("unauthenticated", f"without {SESSION_HEADER} the server accepts only auth and resume")


def message_text(kind: str, payload: dict[str, object]) -> bytes:
    """A message of this type; what answers it names the type too."""
    return orjson.dumps({"type": kind, "id": kind, "payload": payload})


def _refuse(why: str) -> NoReturn:
    raise ClientMistake("bad_message", why)


HEARTBEAT = b":\n\n"
"""A comment: says nothing, and shows both sides and all between them that the stream is alive."""

RETRY_MILLISECONDS = 1000
"""How long an EventSource waits before it comes again."""


def event_block(message: Outgoing, seq: int, request_id: RequestId) -> bytes:
    """One message of the server as a server-sent event; `seq` is its id."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, message.type.encode(), frame(message, seq, request_id))


def parse_last_event_id(text: str | None) -> int:
    """The `seq` in the header Last-Event-ID; 0 where nothing was read yet. Raises ClientMistake (`bad_message`)."""
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > LARGEST_INTEGER:
        raise ClientMistake("bad_message", "Last-Event-ID must be the seq of a message")
    return int(text)


class EventStream:
    """What waits to be written to one reader.

    It takes `most_messages` or `most_bytes` besides what was missed before it began; past that the reader is too slow:
    the rest is dropped and `ended` says so. `rouse` is called whenever there is something to do.
    """

    __slots__ = ("_bytes", "_limits", "_queue", "_rouse", "ended")

    def __init__(
        self, most_messages: int, most_bytes: int, missed: Iterable[tuple[int, Outgoing, RequestId]] = ()
    ) -> None:
        self.ended: str | None = None
        blocks = [event_block(message, seq, request_id) for seq, message, request_id in missed]
        self._queue: deque[bytes] = deque((b"retry: %d\n\n" % RETRY_MILLISECONDS, *blocks))
        self._bytes = sum(map(len, self._queue))
        # What was missed has its bound where it was kept.
        self._limits = (most_messages + len(self._queue), most_bytes + self._bytes)
        self._rouse: Callable[[], None] | None = None

    def watch(self, rouse: Callable[[], None]) -> None:
        """Call this whenever there is something to do."""
        self._rouse = rouse

    def put(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        """Queue one message."""
        if self.ended is not None:
            return
        block = event_block(message, seq, request_id)
        self._queue.append(block)
        self._bytes += len(block)
        most_messages, most_bytes = self._limits
        if len(self._queue) > most_messages or self._bytes > most_bytes:
            self._queue.clear()
            self.end("slow_consumer")
        elif self._rouse is not None:
            self._rouse()

    def take(self) -> bytes:
        """All that waits, to be written now."""
        waiting = b"".join(self._queue)
        self._queue.clear()
        self._bytes = 0
        return waiting

    def end(self, why: str) -> None:
        """Nothing comes after what waits. The first reason stays."""
        self.ended = self.ended or why
        if self._rouse is not None:
            self._rouse()
