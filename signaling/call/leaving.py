"""Departures: leave, removal, bans, deleted rooms, ended calls; and who is still admitted. Pure."""

from collections.abc import Callable
from contextlib import ExitStack

from signaling.call.mutes import TIMED_FLAGS
from signaling.call.rooms import LiveRoom, Participant
from signaling.call.state import State
from signaling.clock import rfc3339
from signaling.errors import ClientMistake
from signaling.identity.claims import Claims
from signaling.identity.deny_list import Denial
from signaling.protocol.server_messages import EarlyEnd, LeaveReason, Outgoing
from signaling.protocol.session import Session


def end_call(state: State, room: LiveRoom, reason: EarlyEnd) -> None:
    """End a call with participants in it. They get `call-state-changed` once, before they are removed."""
    if room.call.end(reason, state.utc()):
        state.audience.send_room(room, Outgoing("call-state-changed", {"call": room.call.view()}))


def depart(state: State, person: Participant, reason: LeaveReason, now: float) -> Outgoing:
    """Remove a participant from its room and the media server, and announce it; returns `participant-left`.

    The media server comes last, so that its failure leaves no participant behind.
    """
    message = Outgoing("participant-left", {"participant": person.id, "reason": reason})
    room = state.rooms.find(person.room_id)
    session = state.audience.session(person.id)
    state.rooms.remove(person)
    state.audience.detach(person.id)
    remember_mutes(state, person)
    state.timed_flags.forget(person.id)
    state.records.chronicle.left(person.id, reason, state.utc())
    if session is not None:
        session.media(False, now)
    if room is not None:
        state.audience.announce(room, person, message)
    state.media.participants.remove(person.id)
    return message


def remember_mutes(state: State, person: Participant) -> None:
    """Store the moderators' mutes of a participant who leaves: they apply to the identity until it returns."""
    flags = {"mute": person.flags.mute, "deaf": person.flags.deaf}
    ends = {flag: state.timed_flags.ends(person.id, flag) for flag in TIMED_FLAGS if flags[flag]}
    state.mutes_of_absent.keep(person.room_id, person.identity, ends)
    if state.rooms.find(person.room_id) is None:
        state.mutes_of_absent.call_ended(person.room_id)


def return_mutes(state: State, person: Participant, now: float) -> None:
    """Restore the moderators' mutes of an identity that returns. Of two ends of a flag the later one counts."""
    flags = {"mute": person.flags.mute, "deaf": person.flags.deaf}
    ends = state.mutes_of_absent.take(person.room_id, person.identity, now)
    for flag, at in ends.items():
        other = state.timed_flags.ends(person.id, flag) if flags[flag] else at
        state.timed_flags.set(person.id, flag, None if at is None or other is None else max(at, other))
    if person.change_flags(**dict.fromkeys(ends, True)):
        state.media.participants.set_flags(person.id, person.media_flags)


def dismiss(state: State, session: Session, reason: str, code: str) -> None:
    """End a session; its client is told not to reconnect by itself."""
    session.send(Outgoing("reconnect", {"action": "disconnect", "reason": reason}))
    state.end(session, "removed", code)


def check_admission(state: State, claims: Claims) -> None:
    """Raise ClientMistake (`banned`, `token_invalid`) where the bearer is banned or the token was revoked."""
    denial = state.records.deny_list.denial(claims, state.utc())
    if denial is not None:
        raise denied(denial)


def denied(denial: Denial) -> ClientMistake:
    """The error for a bearer on the deny list: `banned`, with the end of the ban if it has one, or `token_invalid`."""
    if denial.ban is None:
        return ClientMistake("token_invalid", "the token was revoked when the participant was removed")
    until = denial.ban.until
    return ClientMistake("banned", details=None if until is None else {"until": rfc3339(until)})


def is_admitted(state: State, claims: Claims) -> bool:
    """Whether the bearer is neither banned nor the token revoked."""
    return state.records.deny_list.denial(claims, state.utc()) is None


def look_at_load(state: State) -> bool:
    """Read the lag of the event loop; whether joins are accepted."""
    return state.join_gate.look(state.media.observation.gauges().get("loop_lag_seconds", 0.0))


def expel(state: State, session: Session, reason: LeaveReason, now: float) -> None:
    """End a session, in a room or not; its client is told the reason, and not to reconnect by itself."""
    person = state.rooms.participant(session.participant_id or "")
    if person is not None:
        session.send(depart(state, person, reason, now))
    dismiss(state, session, reason, "banned" if reason == "banned" else "forbidden")


def remove_session(state: State, session: Session, reason: LeaveReason, now: float) -> bool:
    """End a session whose client receives no messages, and remove its participant.

    False where it has no participant and has not ended: nothing was changed.
    """
    if session.state == "closed":
        return True
    person = state.rooms.participant(session.participant_id or "")
    if person is None:
        return False
    depart(state, person, reason, now)
    state.end(session, "removed")
    return True


def empty_room(state: State, room_id: str, now: float) -> None:
    """A room was deleted: end the sessions of its participants, and refuse the joins whose look-up found the room."""
    state.rooms.close(room_id, now)
    state.records.deny_list.forget_room(room_id)
    room = state.rooms.find(room_id)
    if room is not None:
        _end(state, room, "room_deleted", lambda session: expel(state, session, "room_deleted", now))


def close_ended(state: State, now: float) -> None:
    """End the calls of rooms whose scheduled end has come, and remove their participants."""
    utc = state.utc()
    for room in [room for room in state.rooms if room.policy.has_ended(utc)]:
        _end(state, room, "scheduled_end", lambda session: _close(state, session, now))


def _end(state: State, room: LiveRoom, reason: EarlyEnd, send_away: Callable[[Session], None]) -> None:
    """End a call for all participants. A failure with one does not keep the others in it."""
    end_call(state, room, reason)
    sessions = [state.audience.session(person.id) for person in room]
    with ExitStack() as removals:
        for session in reversed(sessions):
            if session is not None:
                removals.callback(send_away, session)


def _close(state: State, session: Session, now: float) -> None:
    session.send(depart(state, state.person(session), "removed", now))
    dismiss(state, session, "room_closed", "room_closed")


def expel_denied(state: State, now: float) -> None:
    """End every session, in whatever state, whose bearer is banned or whose token was revoked."""
    utc = state.utc()
    for session in list(state.sessions.values()):
        denial = None if session.claims is None else state.records.deny_list.denial(session.claims, utc)
        if denial is not None:
            expel(state, session, "removed" if denial.ban is None else "banned", now)
