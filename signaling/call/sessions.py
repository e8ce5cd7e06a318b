"""Sessions: authentication, failed secrets, leave and resume. Wrong secrets count against their address. Pure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from signaling.call.joining import joined
from signaling.call.leaving import check_admission, depart, is_admitted
from signaling.call.state import State, announce_update, count_connection, release_connection
from signaling.errors import ClientMistake, ClosingMistake
from signaling.identity.tokens import refresh_time
from signaling.limits import address_key
from signaling.protocol.client_messages import Auth, Request, Resume
from signaling.protocol.envelope import RequestId
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.session import Session
from signaling.version import VERSION


def check_failed_secrets(state: State, address: str, now: float) -> None:
    """Whether this address may still guess. Raises ClientMistake (`rate_limited`)."""
    if state.failed_auths.exhausted(address_key(address), now):
        raise ClientMistake("rate_limited", "too many failed authentications from this address", {"retry_after": 60})


@contextmanager
def counting_failures(state: State, address: str, now: Callable[[], float], wrong: str) -> Iterator[None]:
    """Somebody at this address shows a secret; the block raises ClientMistake with the code `wrong` if it is none.

    Raises ClientMistake (`rate_limited`) instead of looking, once too many from there were wrong.
    """
    check_failed_secrets(state, address, now())
    try:
        yield
    except ClientMistake as mistake:
        if mistake.code == wrong:
            state.failed_auths.take(address_key(address), now())
        raise


def auth(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Who this is, from the token alone."""
    return authenticate(state, session, cast(Auth, request.payload).token, now)


def authenticate(state: State, session: "Session", token: str, now: float) -> Outgoing:
    """Take a token; the answer is `welcome`.

    Raises ClosingMistake: `token_invalid`, `token_expired`, `banned`, `rate_limited` (too many forged tokens from an
    address, or too many connections of an identity). A token that is merely old, or was withdrawn, is nobody's attempt
    at guessing, and not counted.
    """
    assert session.carrier is not None
    address = address_key(session.carrier.address)
    if state.failed_auths.exhausted(address, now):
        raise ClosingMistake("rate_limited", "too many failed authentications from this address")
    utc = state.utc()
    try:
        claims = state.tokens.verify(token, utc)
    except ClientMistake as mistake:
        state.counters["auth_failures"] += 1
        if mistake.code == "token_invalid":
            state.failed_auths.take(address, now)
        raise ClosingMistake(mistake.code, mistake.message) from None
    try:
        check_admission(state, claims)
    except ClientMistake as mistake:
        raise ClosingMistake(mistake.code, mistake.message, mistake.details) from None
    count_connection(state, claims.identity)
    session.claims = claims
    session.refresh_at = refresh_time(claims.expires_at, utc, now)
    return welcome(state, session, resumed=False)


def welcome(state: State, session: "Session", *, resumed: bool) -> Outgoing:
    """Session, secret and limits, for a session that is authenticated."""
    assert session.claims is not None
    settings = state.settings
    return Outgoing(
        "welcome",
        {
            "session": session.id,
            "secret": session.secret,
            "resumed": resumed,
            "identity": session.claims.identity,
            "name": session.claims.name or session.claims.identity,
            "server": {"name": "parley", "version": VERSION},
            "limits": {
                "message_bytes": settings.message_bytes,
                "messages_per_second": settings.messages_per_second,
                "resume_seconds": settings.seat_seconds,
            },
        },
    )


def leave(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Leave the room; the session goes on, and may join again."""
    del request
    return depart(state, state.person(session), "client_initiated", now)


def participants(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """Who is in the room."""
    del request, now
    person = state.person(session)
    room = state.rooms.find(person.room_id)
    assert room is not None
    return Outgoing("participants", {"participants": room.views(person)})


def resume(state: State, session: "Session", request: Request, now: float) -> None:
    """Take up an earlier session on this line; whoever does not know its secret hears `resume-lost` and stays as it is.

    The session resumed takes the line over; the one that the line was opened with ends. An authenticated line resumes
    only what is its own identity's. A seat whose token was withdrawn, or whose owner is banned, is nobody's.
    """
    payload = cast(Resume, request.payload)
    seat = state.sessions.get(payload.session)
    if seat is None or not _may_take(state, session, seat, payload.secret, now):
        state.counters["resumes_lost"] += 1
        session.heard()
        session.send(Outgoing("resume-lost", {}), request.id)
        return
    _change_line(state, session, seat)
    _bring_up_to_date(state, seat, payload.seq_ack, request.id)
    welcome_back(state, seat)


def welcome_back(state: State, seat: "Session") -> None:
    """The seat has a line again; everybody hears of it."""
    person = state.person(seat)
    before = person.state
    if before == "reconnecting":
        person.step("returned")
        if person.media_up:
            person.step("media_up")
    if person.state != before:
        announce_update(state, person, to_self=True)


def _may_take(state: State, session: "Session", seat: "Session", secret: str, now: float) -> bool:
    """Whether this line may take up that seat. A wrong secret counts as a failed authentication of its address."""
    if not seat.accepts(secret):
        assert session.carrier is not None
        state.failed_auths.take(address_key(session.carrier.address), now)
        return False
    if seat is session or seat.participant_id is None or not _same_person(session, seat):
        return False
    return seat.claims is not None and is_admitted(state, seat.claims)


def _same_person(session: "Session", seat: "Session") -> bool:
    if session.claims is None:
        return True
    return seat.claims is not None and seat.claims.identity == session.claims.identity


def _change_line(state: State, session: "Session", seat: "Session") -> None:
    """`seat` takes over the line of `session`, which ends; a line that `seat` still had is closed."""
    assert seat.claims is not None
    if seat.carrier is None:
        if session.claims is None:
            count_connection(state, seat.claims.identity)
    elif session.claims is not None:
        release_connection(state, session)
    carrier = session.carrier
    assert carrier is not None
    session.claims = None
    state.end(session, "replaced")
    older = seat.take_over(carrier)
    carrier.session = seat
    if older is not None:
        older.session = None
        older.close("session_taken")


def _bring_up_to_date(state: State, seat: "Session", seq_ack: int, request_id: RequestId) -> None:
    """What was missed, in order and once; or, where that is no longer kept, the whole state."""
    missed = seat.take_missed(seq_ack)
    if missed is None:
        state.counters["resumes_lost"] += 1
        seat.send(Outgoing("resume-lost", {}))
        seat.send(welcome(state, seat, resumed=True), request_id)
        seat.send(joined(state, state.person(seat)))
        if seat.slots is not None:
            seat.send(seat.slots)
        return
    state.counters["resumes"] += 1
    seat.send(welcome(state, seat, resumed=True), request_id)
    for message, answered in missed:
        seat.send(message, answered)
