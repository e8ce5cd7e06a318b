"""Server-sent events: messages as text/event-stream (WHATWG HTML, section 9.2), and what waits for one reader. Pure.

`id` is the message's `seq`, `event` its type, `data` the whole envelope: one line, as our JSON has no line breaks.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable

from signaling.errors import ClientMistake
from signaling.protocol.envelope import LARGEST_INTEGER

HEARTBEAT = b":\n\n"
"""A comment: says nothing, and shows both sides and all between them that the stream is alive."""

RETRY_MILLISECONDS = 1000
"""How long an EventSource waits before it comes again."""

_ENVELOPE = re.compile(rb'\{"type":"([a-z-]+)",(?:"id":(?:"(?:[^"\\]|\\.)*"|\d+),)?"seq":(\d+),')


def event_block(frame: bytes) -> bytes:
    """One message of the server, as `server_messages.frame` made it, as an event."""
    head = _ENVELOPE.match(frame)
    assert head is not None
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (head[2], head[1], frame)


def parse_last_event_id(text: str | None) -> int:
    """The `seq` in the header Last-Event-ID; 0 where nothing was read yet. Raises ClientMistake (`bad_message`)."""
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > LARGEST_INTEGER:
        raise ClientMistake("bad_message", "Last-Event-ID is the seq of a message")
    return int(text)


class EventStream:
    """What waits to be written to one reader.

    It takes `most_messages` or `most_bytes` besides what was missed before it began; past that the reader is too slow:
    the rest is dropped and `ended` says so. `rouse` is called whenever there is something to do.
    """

    __slots__ = ("_bytes", "_limits", "_queue", "_rouse", "ended")

    def __init__(self, most_messages: int, most_bytes: int, missed: Iterable[bytes] = ()) -> None:
        self.ended: str | None = None
        self._queue: deque[bytes] = deque((b"retry: %d\n\n" % RETRY_MILLISECONDS, *map(event_block, missed)))
        self._bytes = sum(map(len, self._queue))
        # What was missed has its bound where it was kept.
        self._limits = (most_messages + len(self._queue), most_bytes + self._bytes)
        self._rouse: Callable[[], None] | None = None

    def watch(self, rouse: Callable[[], None]) -> None:
        """Call this whenever there is something to do."""
        self._rouse = rouse

    def put(self, frame: bytes) -> None:
        """One more message."""
        if self.ended is not None:
            return
        block = event_block(frame)
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
