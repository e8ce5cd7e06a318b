"""Who is kept out: asked whenever a token is used, and again of all who are here when somebody is removed. Pure."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from signaling.call.departure import depart, dismiss
from signaling.call.live_call import end_call
from signaling.errors import ClientMistake
from signaling.identity.claims import Claims
from signaling.protocol.server_messages import EarlyEnd, LeaveReason, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from signaling.call.conversation import Conversation
    from signaling.call.rooms import Room
    from signaling.protocol.session import Session


def check_admission(house: "Conversation", claims: Claims) -> None:
    """Whether this token still admits its bearer. Raises ClientMistake: `banned`, `token_invalid` (withdrawn)."""
    denial = house.records.deny_list.denial(claims, house.utc())
    if denial is None:
        return
    if denial.ban is None:
        raise ClientMistake("token_invalid", "the token was withdrawn when its bearer was removed")
    until = denial.ban.until
    raise ClientMistake("banned", details=None if until is None else {"until": rfc3339(until)})


def is_admitted(house: "Conversation", claims: Claims) -> bool:
    """The same as an answer."""
    return house.records.deny_list.denial(claims, house.utc()) is None


def look_at_load(house: "Conversation") -> bool:
    """Show the gate how late the event loop is; whether newcomers are taken."""
    return house.join_gate.look(house.media.gauges().get("loop_lag_seconds", 0.0))


def expel(house: "Conversation", session: "Session", reason: LeaveReason, now: float) -> None:
    """End a session, in a room or not; its client is told why, and not to come back by itself."""
    person = house.rooms.participant(session.participant_id or "")
    if person is not None:
        session.send(depart(house, person, reason, now))
    dismiss(house, session, reason, "banned" if reason == "banned" else "forbidden")


def empty_room(house: "Conversation", room_id: str, now: float) -> None:
    """The room is no more: whoever is in it is told, and their sessions end; who is on the way in comes too late."""
    house.rooms.close(room_id, now)
    house.records.deny_list.forget_room(room_id)
    room = house.rooms.find(room_id)
    if room is not None:
        _end(house, room, "room_deleted", lambda session: expel(house, session, "room_deleted", now))


def close_ended(house: "Conversation", now: float) -> None:
    """The time that was set for a room's end has come: its call ends, and whoever is in it is told."""
    utc = house.utc()
    for room in [room for room in house.rooms if room.policy.has_ended(utc)]:
        _end(house, room, "scheduled_end", lambda session: _close(house, session, now))


def _end(house: "Conversation", room: "Room", reason: EarlyEnd, send_away: "Callable[[Session], None]") -> None:
    """The call is over for all of them: whatever goes wrong with one keeps nobody else in it."""
    end_call(house, room, reason)
    sessions = [house.audience.session(person.id) for person in room]
    with ExitStack() as everybody:
        for session in reversed(sessions):
            if session is not None:
                everybody.callback(send_away, session)


def _close(house: "Conversation", session: "Session", now: float) -> None:
    session.send(depart(house, house.person(session), "removed", now))
    dismiss(house, session, "room_closed", "room_closed")


def expel_denied(house: "Conversation", now: float) -> None:
    """Ask again of every session, in whatever state, and end those whose token admits nobody any more."""
    utc = house.utc()
    for session in list(house.sessions.values()):
        denial = None if session.claims is None else house.records.deny_list.denial(session.claims, utc)
        if denial is not None:
            expel(house, session, "removed" if denial.ban is None else "banned", now)
