"""The plain HTTP carrier: requests bring messages in, an event stream sends them out. Pure.

Everything that the server sends goes into the stream, in order; the answer to a request stands in the HTTP answer too,
with the same `seq`. Without a stream nothing waits here: the session keeps what was missed.
"""

from typing import Any, NamedTuple

import orjson

from signaling.call.conversation import Conversation
from signaling.call.joining import joined
from signaling.call.leaving import check_admission
from signaling.call.sessions import check_failed_secrets, welcome_back
from signaling.call.state import State, count_connection
from signaling.errors import ClientMistake
from signaling.limits import address_key
from signaling.protocol.envelope import RequestId
from signaling.protocol.plain_http import Credentials, EventStream
from signaling.protocol.server_messages import Outgoing, frame
from signaling.protocol.session import Session

ALIVE_SECONDS = 30.0
"""How long a line lives on without an open stream and without a request."""

MOST_WAITING = 16
"""Requests of one line that may wait for the one before them: messages are acted on in the order in which they come."""

RETRY_SECONDS = 1
"""After which a session that was too fast may speak again: its bucket refills by many messages a second."""

UNNAMED_ID = 0
"""The id of a message that came without one, so that its answer can be told from all else that it leads to."""


class Answer(NamedTuple):
    """What answers one message: the envelope as it was sent, and what it says."""

    frame: bytes
    seq: int
    type: str
    payload: dict[str, Any]


class HttpCarrier:
    """One client's line: it lasts from its first request until it is given up, ended or superseded.

    `ended` is why it is over, None before. Times are monotonic seconds.
    """

    __slots__ = (
        "__weakref__",
        "_collected",
        "_heard_at",
        "_stream",
        "address",
        "ended",
        "session",
        "user_agent",
        "waiting",
    )

    def __init__(self, address: str, user_agent: str, now: float) -> None:
        self.session: Session | None = None
        self.address = address
        self.user_agent = user_agent
        self.ended: str | None = None
        self.waiting = 0
        self._collected: list[bytes] | None = None
        self._heard_at = now
        self._stream: EventStream | None = None

    def deliver(self, frame: bytes) -> None:
        """Into the stream, where there is one; and it may be the answer that a request waits for."""
        if self.ended is not None:
            return
        if self._collected is not None:
            self._collected.append(frame)
        if self._stream is not None:
            self._stream.put(frame)

    def close(self, code: str) -> None:
        """End the line, and the stream once what waits has been written."""
        self.ended = self.ended or code
        self.end_stream(code)

    def end_stream(self, why: str) -> None:
        """End the stream, where there is one, once what waits has been written."""
        if self._stream is not None:
            self._stream.end(why)

    def collect(self) -> None:
        """From here to `answer` what is delivered is looked through; between the two one message is done, at once."""
        self._collected = []

    def answer(self, request_id: RequestId = None) -> Answer | None:
        """What the one message led to; None where nothing answers it. Raises ClientMistake for an `error`."""
        collected, self._collected = self._collected or [], None
        found = None
        for one in collected:
            envelope = orjson.loads(one)
            payload = envelope["payload"]
            if envelope["type"] == "error":
                raise _mistake(payload)
            if request_id is not None and envelope.get("id") == request_id:
                found = Answer(one, envelope["seq"], envelope["type"], payload)
        return found

    def heard(self, now: float) -> None:
        """A request came: a sign of life."""
        self._heard_at = now

    def attach(self, stream: EventStream) -> None:
        """From now on this stream is read; the one before it ends."""
        if self._stream is not None:
            self._stream.end("session_taken")
        self._stream = stream

    def detach(self, stream: EventStream, now: float) -> None:
        """A stream has ended, whatever the reason."""
        if self._stream is stream:
            self._stream = None
            self._heard_at = now

    def speaker(self) -> Session:
        """The session that it speaks for. Raises ClientMistake for a line that speaks for nobody any more."""
        if self.session is None or self.ended is not None:
            raise ClientMistake(self.ended or "unauthenticated")
        return self.session

    @property
    def is_spent(self) -> bool:
        """Whether a request has ended it, or has left it to nobody: who does not authenticate has no line."""
        return self.ended is not None or (self.session is not None and self.session.state == "opened")

    def is_over(self, now: float) -> bool:
        """Whether it has ended, speaks for nobody any more, or has shown no sign of life for too long."""
        if self.ended is not None or self.session is None:
            return True
        return self._stream is None and not self.waiting and now - self._heard_at > ALIVE_SECONDS


def _mistake(problem: dict[str, Any]) -> ClientMistake:
    """The refusal that an `error` tells of; over HTTP who is too fast hears when to come again."""
    details = problem.get("details")
    if problem["code"] == "rate_limited":
        details = {"retry_after": RETRY_SECONDS} | (details or {})
    return ClientMistake(problem["code"], problem["message"], details)


class HttpCarriers:
    """All lines, for whoever keeps the time."""

    def __init__(self) -> None:
        self._lines: set[HttpCarrier] = set()

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: HttpCarrier) -> None:
        """A line that has begun."""
        self._lines.add(line)

    def take_over(self, now: float) -> list[HttpCarrier]:
        """Those that are over; they are here no longer."""
        over = [line for line in self._lines if line.is_over(now)]
        self._lines.difference_update(over)
        return over


def find_session(state: State, credentials: Credentials, address: str, now: float) -> Session:
    """The session whose secret this is. Who has it is heard, however many others guess at the same address.

    Raises ClientMistake: `unauthenticated`; `rate_limited` after too many wrong secrets, which count as failed
    authentications. A session that is over is nobody's attempt at guessing.
    """
    session = state.sessions.get(credentials.session)
    if session is not None and session.accepts(credentials.secret):
        return session
    check_failed_secrets(state, address, now)
    if session is not None:
        state.failed_auths.take(address_key(address), now)
    raise ClientMistake("unauthenticated", "there is no such session; it may have ended")


def carrier_of(conversation: Conversation, session: Session, fresh: HttpCarrier, now: float) -> HttpCarrier:
    """The session's line; or `fresh`, where that was given up: it goes on under the secret that it had.

    Raises ClientMistake: `session_taken` for a session that another connection speaks for; `banned`, `token_invalid`,
    `rate_limited` where it may not come back.
    """
    before = session.carrier
    if isinstance(before, HttpCarrier):
        if before.ended is None:
            before.heard(now)
            return before
        conversation.lost(before, now)
    if session.state != "away":
        raise ClientMistake("session_taken")
    assert session.claims is not None
    # Each return is told to the whole room, so that it has to be worth a message.
    _check_pace(session, now)
    check_admission(conversation, session.claims)
    count_connection(conversation, session.claims.identity)
    session.take_over(fresh, secret_stays=True)
    fresh.session = session
    conversation.counters["resumes"] += 1
    welcome_back(conversation, session)
    return fresh


def _check_pace(session: Session, now: float) -> None:
    """Raises ClientMistake (`rate_limited`)."""
    if session.guard.check(now) != "pass":
        raise ClientMistake("rate_limited", details={"retry_after": RETRY_SECONDS})


def check_room(state: State, session: Session, room_id: str) -> None:
    """Whether the path names the room that the session is in, or the one that its token was for before it was moved.

    Raises ClientMistake (`not_in_room`).
    """
    person = state.rooms.participant(session.participant_id or "")
    came_by = session.home is not None and session.home.grants.room == room_id
    if person is not None and person.room_id != room_id and not came_by:
        raise ClientMistake("not_in_room", "you are in another room")


def open_stream(state: State, line: HttpCarrier, last_event_id: int, now: float) -> EventStream:
    """A stream that begins with what came after `last_event_id`, under the numbers that it had.

    Where that is no longer kept: `resume-lost`, and the whole state. Raises ClientMistake: `bad_message` for a number
    that was never sent, `rate_limited`: it counts as a message.
    """
    session = line.speaker()
    _check_pace(session, now)
    session.heard(last_event_id)
    missed = session.replay.after(last_event_id)
    settings = state.settings
    frames = [frame(message, seq, answered) for seq, message, answered in missed or ()]
    stream = EventStream(settings.queue_messages, settings.queue_bytes, frames)
    line.attach(stream)
    if missed is None:
        state.counters["resumes_lost"] += 1
        session.send(Outgoing("resume-lost", {}))
        person = state.rooms.participant(session.participant_id or "")
        if person is not None:
            session.send(joined(state, person))
        if session.slots is not None:
            session.send(session.slots)
    return stream
