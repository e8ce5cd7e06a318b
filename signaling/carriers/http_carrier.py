"""The plain HTTP carrier: requests carry messages to the server, an event stream carries them to the client. Pure.

Every message of the server goes into the stream, in order. The answer to a request also stands in the HTTP answer, with
the same `seq`. Without a stream the carrier queues nothing: the session stores the messages for `resume`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from signaling.call.conversation import Conversation
from signaling.call.sessions import reconnect, send_state
from signaling.call.state import State
from signaling.errors import ClientMistake
from signaling.protocol.envelope import RequestId
from signaling.protocol.plain_http import EventStream
from signaling.protocol.server_messages import Outgoing, frame
from signaling.protocol.session import Session

ALIVE_SECONDS = 30.0
"""A carrier without a stream and without a request is given up after this time."""

MOST_WAITING = 16
"""Requests of one carrier that may wait for an earlier one: messages are handled in order of arrival."""

RETRY_SECONDS = 1
"""Retry-After of a session over its message rate, whose bucket refills by many messages a second."""

UNNAMED_ID = 0
"""The id given to a message without one, so that its answer can be recognised."""


class Answer(NamedTuple):
    """The message that answers a request, as the session numbered it."""

    message: Outgoing
    seq: int
    request_id: RequestId

    def frame(self) -> bytes:
        """The envelope, as in the event stream."""
        return frame(self.message, self.seq, self.request_id)


class HttpCarrier:
    """The carrier of one client, from its first request until it is given up, closed or superseded.

    `ended` is the reason why it is over, None before. Times are monotonic seconds.
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
        self._collected: list[Answer] | None = None
        self._heard_at = now
        self._stream: EventStream | None = None

    def deliver(self, message: Outgoing, seq: int, request_id: RequestId) -> None:
        """Queue a message in the stream, if one is attached, and note it for `answer`."""
        if self.ended is not None:
            return
        if self._collected is not None:
            self._collected.append(Answer(message, seq, request_id))
        if self._stream is not None:
            self._stream.put(message, seq, request_id)

    def close(self, code: str) -> None:
        """End the carrier, and its stream once the queued messages are written."""
        self.ended = self.ended or code
        self.end_stream(code)

    def end_stream(self, why: str) -> None:
        """End the stream, if one is attached, once the queued messages are written."""
        if self._stream is not None:
            self._stream.end(why)

    def collect(self) -> None:
        """Note delivered messages until `answer` is called. One message is handled between the two, without a wait."""
        self._collected = []

    def answer(self, request_id: RequestId = None) -> Answer | None:
        """The message that answers `request_id`, None where there is none. Raises ClientMistake for an `error`."""
        collected, self._collected = self._collected or [], None
        found = None
        for one in collected:
            if one.message.type == "error":
                raise _mistake(one.message.payload)
            if request_id is not None and one.request_id == request_id:
                found = one
        return found

    def heard(self, now: float) -> None:
        """A request arrived: a sign of life."""
        self._heard_at = now

    def attach(self, stream: EventStream) -> None:
        """Deliver into this stream from now on; the former one ends."""
        if self._stream is not None:
            self._stream.end("session_taken")
        self._stream = stream

    def detach(self, stream: EventStream, now: float) -> None:
        """A stream has ended."""
        if self._stream is stream:
            self._stream = None
            self._heard_at = now

    def speaker(self) -> Session:
        """Its session. Raises ClientMistake for a carrier that has ended or lost its session."""
        if self.session is None or self.ended is not None:
            raise ClientMistake(self.ended or "unauthenticated")
        return self.session

    @property
    def is_spent(self) -> bool:
        """Whether a request has ended it, or has left its session unauthenticated."""
        return self.ended is not None or (self.session is not None and self.session.state == "opened")

    def is_over(self, now: float) -> bool:
        """Whether it has ended, has lost its session, or has shown no sign of life for `ALIVE_SECONDS`."""
        if self.ended is not None or self.session is None:
            return True
        return self._stream is None and not self.waiting and now - self._heard_at > ALIVE_SECONDS


def _mistake(problem: Mapping[str, Any]) -> ClientMistake:
    """The refusal of an `error` message. Over HTTP, `rate_limited` always has a `retry_after`."""
    details = problem.get("details")
    if problem["code"] == "rate_limited":
        details = {"retry_after": RETRY_SECONDS} | (details or {})
    return ClientMistake(problem["code"], problem["message"], details)


class HttpCarriers:
    """All plain HTTP carriers, for the task that keeps their time limits."""

    def __init__(self) -> None:
        self._carriers: set[HttpCarrier] = set()

    def __len__(self) -> int:
        return len(self._carriers)

    def add(self, carrier: HttpCarrier) -> None:
        """Keep the time limits of a carrier."""
        self._carriers.add(carrier)

    def take_over(self, now: float) -> list[HttpCarrier]:
        """Remove the carriers that are over, and return them."""
        over = [carrier for carrier in self._carriers if carrier.is_over(now)]
        self._carriers.difference_update(over)
        return over


def carrier_of(conversation: Conversation, session: Session, fresh: HttpCarrier, now: float) -> HttpCarrier:
    """The carrier of a session. `fresh` replaces one that was given up; the session keeps its secret.

    Raises ClientMistake: `session_taken` where another connection carries the session; `banned`, `token_invalid`,
    `rate_limited` where the session may not return.
    """
    before = session.carrier
    if isinstance(before, HttpCarrier):
        if before.ended is None:
            before.heard(now)
            return before
        conversation.lost(before, now)
    if session.state != "away":
        raise ClientMistake("session_taken")
    # The room hears of each return, so a return costs a message.
    _count_message(session, now)
    reconnect(conversation, session, fresh)
    return fresh


def _count_message(session: Session, now: float) -> None:
    """Count a message against the rate of the session. Raises ClientMistake (`rate_limited`)."""
    if session.guard.check(now) != "pass":
        raise ClientMistake("rate_limited", details={"retry_after": RETRY_SECONDS})


def open_stream(state: State, carrier: HttpCarrier, last_event_id: int, now: float) -> EventStream:
    """A stream that begins with the messages after `last_event_id`, under their numbers.

    Where they are no longer stored, it begins with `resume-lost` and the whole state. Raises ClientMistake:
    `bad_message` for a number that was never sent; `rate_limited`, because it counts as a message.
    """
    session = carrier.speaker()
    _count_message(session, now)
    session.heard(last_event_id)
    missed = session.replay.after(last_event_id)
    settings = state.settings
    stream = EventStream(settings.queue_messages, settings.queue_bytes, missed or ())
    carrier.attach(stream)
    if missed is None:
        state.counters["resumes_lost"] += 1
        session.send(Outgoing("resume-lost", {}))
        send_state(state, session)
    return stream
