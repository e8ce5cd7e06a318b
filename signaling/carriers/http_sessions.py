"""Sessions as plain HTTP reaches them: found by their secret, taken up again in silence, caught up with. Pure."""

from typing import TYPE_CHECKING

from signaling.call.admission import check_admission
from signaling.call.entry import joined
from signaling.call.guessing import check_patience
from signaling.call.lines import hold_line
from signaling.call.membership import welcome_back
from signaling.carriers.http_line import RETRY_SECONDS, HttpLine
from signaling.errors import ClientMistake
from signaling.limits import address_key
from signaling.protocol.event_stream import EventStream
from signaling.protocol.http_messages import Credentials
from signaling.protocol.server_messages import Outgoing, frame
from signaling.protocol.session import Session

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation


def find_session(house: "Conversation", credentials: Credentials, address: str, now: float) -> Session:
    """The session whose secret this is. Who has it is heard, however many others guess at the same address.

    Raises ClientMistake: `unauthenticated`; `rate_limited` after too many wrong secrets, which count as failed
    authentications. A session that is over is nobody's attempt at guessing.
    """
    session = house.sessions.get(credentials.session)
    if session is not None and session.accepts(credentials.secret):
        return session
    check_patience(house, address, now)
    if session is not None:
        house.failed_auths.take(address_key(address), now)
    raise ClientMistake("unauthenticated", "there is no such session; it may have ended")


def line_of(house: "Conversation", session: Session, fresh: HttpLine, now: float) -> HttpLine:
    """The session's line; or `fresh`, where that was given up: it goes on under the secret that it had.

    Raises ClientMistake: `session_taken` for a session that another connection speaks for; `banned`, `token_invalid`,
    `rate_limited` where it may not come back.
    """
    before = session.carrier
    if isinstance(before, HttpLine):
        if before.ended is None:
            before.heard(now)
            return before
        house.lost(before, now)
    if session.state != "away":
        raise ClientMistake("session_taken")
    assert session.claims is not None
    # Each return is told to the whole room, so that it has to be worth a message.
    _check_pace(session, now)
    check_admission(house, session.claims)
    hold_line(house, session.claims.identity)
    session.take_over(fresh, secret_stays=True)
    fresh.session = session
    house.counters["resumes"] += 1
    welcome_back(house, session)
    return fresh


def _check_pace(session: Session, now: float) -> None:
    """Raises ClientMistake (`rate_limited`)."""
    if session.guard.check(now) != "pass":
        raise ClientMistake("rate_limited", details={"retry_after": RETRY_SECONDS})


def check_room(house: "Conversation", session: Session, room_id: str) -> None:
    """Whether the path names the room that the session is in, or the one that its token was for before it was moved.

    Raises ClientMistake (`not_in_room`).
    """
    person = house.rooms.participant(session.participant_id or "")
    came_by = session.home is not None and session.home.grants.room == room_id
    if person is not None and person.room_id != room_id and not came_by:
        raise ClientMistake("not_in_room", "you are in another room")


def open_stream(house: "Conversation", line: HttpLine, last_event_id: int, now: float) -> EventStream:
    """A stream that begins with what came after `last_event_id`, under the numbers that it had.

    Where that is no longer kept: `resume-lost`, and the whole state. Raises ClientMistake: `bad_message` for a number
    that was never sent, `rate_limited`: it counts as a message.
    """
    session = line.speaker()
    _check_pace(session, now)
    session.heard(last_event_id)
    missed = session.replay.after(last_event_id)
    settings = house.settings
    frames = [frame(message, seq, answered) for seq, message, answered in missed or ()]
    stream = EventStream(settings.queue_messages, settings.queue_bytes, frames)
    line.attach(stream)
    if missed is None:
        house.counters["resumes_lost"] += 1
        session.send(Outgoing("resume-lost", {}))
        person = house.rooms.participant(session.participant_id or "")
        if person is not None:
            session.send(joined(house, person))
        if session.slots is not None:
            session.send(session.slots)
    return stream
