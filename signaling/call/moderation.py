"""Moderation: mute, deafen, give the floor, move, kick, ban, from inside or outside the room. Pure.

Who may do it to whom is the table's matter (`identity/permissions.py`); here is what it does.
"""

from typing import cast

from signaling.call.acts import Act, check, notice, record
from signaling.call.bans import ban, ban_act, lift, lift_act
from signaling.call.floor import set_floor
from signaling.call.joining import Entry
from signaling.call.leaving import expel, expel_denied
from signaling.call.moving import move
from signaling.call.mutes import TimedFlag
from signaling.call.rooms import Participant, RoomPolicy
from signaling.call.state import State, announce_update
from signaling.errors import ClientMistake
from signaling.identity.permissions import Asker
from signaling.protocol.client_messages import Moderate, Request
from signaling.protocol.server_messages import OK, Outgoing
from signaling.protocol.session import Session

_FLAGS: dict[str, tuple[TimedFlag, bool]] = {
    "mute": ("mute", True),
    "unmute": ("mute", False),
    "deafen": ("deaf", True),
    "undeafen": ("deaf", False),
}
_FLOOR = {"give_floor": True, "take_floor": False}


def moderate(state: State, session: "Session", request: Request, now: float) -> Outgoing:
    """One act on one participant of the same room, by another one. Raises as `act_in_room`."""
    person = state.person(session)
    assert session.standing is not None
    address = "" if session.carrier is None else session.carrier.address
    actor = Asker(holder=session.standing, address=address, participant_id=person.id, hidden=person.hidden)
    found = cast(Entry | None, request.found)
    act_in_room(state, actor, person.room_id, cast(Moderate, request.payload), now, found)
    return OK


def act_in_room(
    state: State, actor: Asker, room_id: str, order: Moderate, now: float, found: Entry | None = None
) -> str:
    """One act of whoever asks, on one participant of a room; the identity that it was done to.

    The person is told, and everybody sees what has changed. A moderator's unmute lifts the moderator's mute only, never
    the person's own. `unban` names an identity. `found` is what was looked up of the room that a `move` goes to.
    Raises ClientMistake: `forbidden`, `no_such_participant`, and as `moving.move`; `not_found` where that room was
    deleted meanwhile.
    """
    if order.action == "unban":
        lift(state, lift_act(actor, room_id, order.reason), order.target)
        return order.target
    target = _target(state, actor, room_id, order)
    if order.action == "ban":
        ban(state, ban_act(actor, room_id, order.duration, order.reason), target.identity, now)
        return target.identity
    act = _act(actor, room_id, order)
    if order.action == "move":
        assert order.room is not None
        move(state, act, target, order.room, _rules_there(state, order.room, found), now)
    else:
        check(act, target.role)
        state.audience.tell(target.id, notice(state, act))
        _do(state, act, target, now)
    record(state, act, target.identity)
    return target.identity


def _do(state: State, act: Act, target: Participant, now: float) -> None:
    if act.action == "kick":
        _kick(state, target, now)
    elif act.action in _FLOOR:
        room = state.rooms.find(target.room_id)
        assert room is not None
        ends = None if act.seconds is None else now + act.seconds
        set_floor(state, room, target.identity, _FLOOR[act.action], ends)
    else:
        _set_flag(state, act, target, now)


def _rules_there(state: State, room_id: str, found: Entry | None) -> RoomPolicy | None:
    if found is None:
        return None
    if found.refusal is not None:
        raise found.refusal
    if state.rooms.closed_since(room_id, found.asked_at):
        raise ClientMistake("not_found", "the room was deleted")
    return found.policy


def lift_expired(state: State, now: float) -> None:
    """Undo the mutes and deafens whose time is over; the person is told, and everybody sees it."""
    for participant_id, flag in state.timed_flags.take_due(now):
        person = state.rooms.participant(participant_id)
        if person is not None and person.change_flags(**{flag: False}):
            state.media.participants.set_flags(person.id, person.media_flags)
            action = "unmute" if flag == "mute" else "undeafen"
            state.audience.tell(person.id, Outgoing("moderated", {"action": action, "by": None, "reason": None}))
            announce_update(state, person, to_self=True)


def _act(actor: Asker, room_id: str, order: Moderate) -> Act:
    return Act(
        actor=actor,
        permission=f"participant.{order.action}",
        action=order.action,
        room_id=room_id,
        seconds=order.duration,
        reason=order.reason,
        to_room=order.room,
    )


def _target(state: State, actor: Asker, room_id: str, order: Moderate) -> Participant:
    """Who it is done to. Who may do it to nobody does not learn who is there, if they are not there themselves."""
    if actor.participant_id is None:
        check(_act(actor, room_id, order))
    room = state.rooms.find(room_id)
    if room is None:
        raise ClientMistake("no_such_participant")
    return room.get(order.target)


def _set_flag(state: State, act: Act, target: Participant, now: float) -> None:
    flag, value = _FLAGS[act.action]
    state.timed_flags.set(target.id, flag, None if act.seconds is None else now + act.seconds)
    if target.change_flags(**{flag: value}):
        state.media.participants.set_flags(target.id, target.media_flags)
        announce_update(state, target, to_self=True)


def _kick(state: State, target: Participant, now: float) -> None:
    """Out of the room: the token is withdrawn, and whoever else is here by it goes too."""
    session = state.audience.session(target.id)
    assert session is not None
    assert session.claims is not None
    state.records.deny_list.withdraw(session.claims, state.utc())
    expel(state, session, "removed", now)
    expel_denied(state, now)
