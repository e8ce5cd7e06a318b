"""Sessions: authentication and its failures, `welcome`, `leave`, `participants`, and `resume`. Pure.

Wrong secrets (tokens, API keys, passwords, invites, session secrets) are counted by address.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import cast

from signaling.call.joining import joined
from signaling.call.leaving import check_admission, denied, depart, is_admitted
from signaling.call.state import State, announce_update, count_connection, release_connection
from signaling.errors import ClientMistake, ClosingMistake
from signaling.identity.claims import Claims
from signaling.identity.tokens import refresh_time
from signaling.limits import address_key
from signaling.protocol.client_messages import Auth, Request, Resume
from signaling.protocol.envelope import RequestId
from signaling.protocol.plain_http import Credentials
from signaling.protocol.server_messages import Outgoing
from signaling.protocol.session import Carrier, Session
from signaling.version import VERSION


def check_failed_secrets(state: State, address: str, now: float) -> None:
    """Raise ClientMistake (`rate_limited`) after too many wrong secrets from this address."""
    if state.failed_auths.exhausted(address_key(address), now):
        raise ClientMistake("rate_limited", "too many failed authentications from this address", {"retry_after": 60})


def count_failed_secret(state: State, address: str, now: float) -> None:
    """Count a wrong secret from this address."""
    state.failed_auths.take(address_key(address), now)


@contextmanager
def counting_failures(state: State, address: str, now: Callable[[], float], wrong: str) -> Iterator[None]:
    """Check a secret from this address in the block; a ClientMistake with the code `wrong` counts as a failure.

    Raises ClientMistake (`rate_limited`) before the block after too many failures from this address.
    """
    check_failed_secrets(state, address, now())
    try:
        yield
    except ClientMistake as mistake:
        if mistake.code == wrong:
            count_failed_secret(state, address, now())
        raise


def verify_token(state: State, token: str, address: str, now: float) -> Claims:
    """The claims of a token from this address.

    Raises ClientMistake: `token_invalid`, `token_expired`, `banned`, and `rate_limited` after too many forged tokens
    from the address. Expired and revoked tokens do not count as failed authentications.
    """
    check_failed_secrets(state, address, now)
    utc = state.utc()
    claims = _verify(state, token, utc, address, now)
    denial = state.records.deny_list.denial(claims, utc)
    if denial is not None:
        raise denied(denial)
    return claims


def _verify(state: State, token: str, utc: datetime, address: str, now: float) -> Claims:
    try:
        return state.tokens.verify(token, utc)
    except ClientMistake as mistake:
        if mistake.code == "token_invalid":
            count_failed_secret(state, address, now)
        raise


def auth(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `auth`; the answer is `welcome`."""
    return authenticate(state, session, cast(Auth, request.payload).token, now)


def authenticate(state: State, session: Session, token: str, now: float) -> Outgoing:
    """Authenticate a session with a token; the answer is `welcome`.

    Raises ClosingMistake: `token_invalid`, `token_expired`, `banned`, and `rate_limited` for too many forged tokens
    from an address or too many connections of an identity.
    """
    assert session.carrier is not None
    address = session.carrier.address
    if state.failed_auths.exhausted(address_key(address), now):
        raise ClosingMistake("rate_limited", "too many failed authentications from this address")
    utc = state.utc()
    try:
        claims = _verify(state, token, utc, address, now)
    except ClientMistake as mistake:
        state.counters["auth_failures"] += 1
        raise ClosingMistake(mistake.code, mistake.message) from None
    denial = state.records.deny_list.denial(claims, utc)
    if denial is not None:
        refusal = denied(denial)
        raise ClosingMistake(refusal.code, refusal.message, refusal.details)
    count_connection(state, claims.identity)
    session.claims = claims
    session.refresh_at = refresh_time(claims.expires_at, utc, now)
    return welcome(state, session, resumed=False)


def welcome(state: State, session: Session, *, resumed: bool) -> Outgoing:
    """`welcome` for an authenticated session: its id, its secret, and its limits."""
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


def leave(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `leave`. The session stays authenticated, and may join again."""
    del request
    return depart(state, state.person(session), "client_initiated", now)


def participants(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `participants`: list the room."""
    del request, now
    person = state.person(session)
    room = state.rooms.find(person.room_id)
    assert room is not None
    return Outgoing("participants", {"participants": room.views(person)})


def find_session(state: State, credentials: Credentials, address: str, now: float) -> Session:
    """The session with these credentials. Other failures from the same address do not lock out the right secret.

    Raises ClientMistake: `unauthenticated`; `rate_limited` after too many wrong secrets, which count as failed
    authentications. Credentials of a session that has ended do not count.
    """
    session = state.sessions.get(credentials.session)
    if session is not None and session.accepts(credentials.secret):
        return session
    check_failed_secrets(state, address, now)
    if session is not None:
        count_failed_secret(state, address, now)
    raise ClientMistake("unauthenticated", "there is no such session; it may have ended")


def check_room(state: State, session: Session, room_id: str) -> None:
    """Raise ClientMistake (`not_in_room`) unless `room_id` is the session's room, or was before a moderator's move."""
    person = state.rooms.participant(session.participant_id or "")
    came_by = session.home is not None and session.home.grants.room == room_id
    if person is not None and person.room_id != room_id and not came_by:
        raise ClientMistake("not_in_room", "you are in another room")


def resume(state: State, session: Session, request: Request, now: float) -> None:
    """Handle `resume`: move the carrier of `session` to an earlier session, and end `session`.

    A wrong secret is answered with `resume-lost`, and nothing changes. An authenticated session resumes only sessions
    of its own identity. Sessions of banned identities and revoked tokens cannot be resumed.
    """
    payload = cast(Resume, request.payload)
    earlier = state.sessions.get(payload.session)
    if earlier is None or not _may_resume(state, session, earlier, payload.secret, now):
        state.counters["resumes_lost"] += 1
        session.heard()
        session.send(Outgoing("resume-lost", {}), request.id)
        return
    _move_carrier(state, session, earlier)
    _send_missed(state, earlier, payload.seq_ack, request.id)
    _announce_return(state, earlier)


def reconnect(state: State, session: Session, carrier: Carrier) -> None:
    """Give a new carrier to a session that has lost its own, without a change of its secret.

    Raises ClientMistake: `banned`, `token_invalid` (revoked), and ClosingMistake (`rate_limited`).
    """
    assert session.claims is not None
    check_admission(state, session.claims)
    count_connection(state, session.claims.identity)
    session.take_over(carrier, secret_stays=True)
    carrier.session = session
    state.counters["resumes"] += 1
    _announce_return(state, session)


def send_state(state: State, session: Session) -> None:
    """Send `joined` and `slots` to a client that has missed more messages than the session stores."""
    person = state.rooms.participant(session.participant_id or "")
    if person is not None:
        session.send(joined(state, person))
    if session.slots is not None:
        session.send(session.slots)


def _announce_return(state: State, session: Session) -> None:
    """Announce that a participant is connected again."""
    person = state.person(session)
    before = person.state
    if before == "reconnecting":
        person.step("returned")
        if person.media_up:
            person.step("media_up")
    if person.state != before:
        announce_update(state, person, to_self=True)


def _may_resume(state: State, session: Session, earlier: Session, secret: str, now: float) -> bool:
    """Whether `session` may resume `earlier`. A wrong secret counts as a failed authentication."""
    if not earlier.accepts(secret):
        assert session.carrier is not None
        count_failed_secret(state, session.carrier.address, now)
        return False
    if earlier is session or earlier.participant_id is None or not _same_identity(session, earlier):
        return False
    return earlier.claims is not None and is_admitted(state, earlier.claims)


def _same_identity(session: Session, earlier: Session) -> bool:
    if session.claims is None:
        return True
    return earlier.claims is not None and earlier.claims.identity == session.claims.identity


def _move_carrier(state: State, session: Session, earlier: Session) -> None:
    """Move the carrier of `session` to `earlier`, end `session`, and close the former carrier of `earlier`."""
    assert earlier.claims is not None
    if earlier.carrier is None:
        if session.claims is None:
            count_connection(state, earlier.claims.identity)
    elif session.claims is not None:
        release_connection(state, session)
    carrier = session.carrier
    assert carrier is not None
    session.claims = None
    state.end(session, "replaced")
    former = earlier.take_over(carrier)
    carrier.session = earlier
    if former is not None:
        former.session = None
        former.close("session_taken")


def _send_missed(state: State, session: Session, seq_ack: int, request_id: RequestId) -> None:
    """Send the missed messages, in order and once; or, where some are no longer stored, the whole state."""
    missed = session.take_missed(seq_ack)
    if missed is None:
        state.counters["resumes_lost"] += 1
        session.send(Outgoing("resume-lost", {}))
        session.send(welcome(state, session, resumed=True), request_id)
        send_state(state, session)
        return
    state.counters["resumes"] += 1
    session.send(welcome(state, session, resumed=True), request_id)
    for message, answered in missed:
        session.send(message, answered)
