"""Moderators' acts on one participant: mute, deafen, floor, move, kick, ban; over the WebSocket and over REST. Pure.

The table in `identity/permissions.py` says who may act on whom.
"""

from dataclasses import dataclass
from typing import cast

from signaling.call.acts import Act, check, notify, record
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request for one act. The target is a participant, by id or by identity; of `unban` it is an identity.

    `duration` is seconds. `room` is the new room of a `move`.
    """

    action: str
    target: str | None = None
    identity: str | None = None
    duration: int | None = None
    reason: str | None = None
    room: str | None = None


def moderate(state: State, session: Session, request: Request, now: float) -> Outgoing:
    """Handle `moderate`: an act of one participant on another in the same room. Raises as `act_in_room`."""
    person = state.person(session)
    assert session.standing is not None
    address = "" if session.carrier is None else session.carrier.address
    actor = Asker(holder=session.standing, address=address, participant_id=person.id, hidden=person.hidden)
    payload = cast(Moderate, request.payload)
    to_identity = payload.action == "unban"
    order = Order(
        action=payload.action,
        target=None if to_identity else payload.target,
        identity=payload.target if to_identity else None,
        duration=payload.duration,
        reason=payload.reason,
        room=payload.room,
    )
    act_in_room(state, actor, person.room_id, order, now, cast(Entry | None, request.found))
    return OK


def act_in_room(state: State, actor: Asker, room_id: str, order: Order, now: float, found: Entry | None = None) -> str:
    """Act on one participant of a room, notify the target, and announce the change; returns the target's identity.

    A moderator's unmute lifts the moderator's mute only, never the participant's own. `found` is the look-up of the new
    room of a `move`. Raises ClientMistake: `forbidden`, `no_such_participant`, and as `moving.move`; `not_found` where
    the new room was deleted after the look-up.
    """
    if order.action == "unban":
        assert order.identity is not None
        lift(state, lift_act(actor, room_id, order.reason), order.identity)
        return order.identity
    act = _act(actor, room_id, order)
    target = _target(state, act, order)
    if order.action == "ban":
        ban(state, ban_act(actor, room_id, order.duration, order.reason), target.identity, now)
        return target.identity
    if order.action == "move":
        assert order.room is not None
        move(state, act, target, order.room, _policy_there(state, order.room, found), now)
    else:
        check(act, target.role)
        notify(state, act, target.id)
        _do(state, act, target, now)
    record(state, act, target.identity)
    return target.identity


def lift_expired(state: State, now: float) -> None:
    """Lift mutes and deafens whose time is over, notify the participants, and announce the change."""
    for participant_id, flag in state.timed_flags.take_due(now):
        person = state.rooms.participant(participant_id)
        if person is not None and person.change_flags(**{flag: False}):
            state.media.participants.set_flags(person.id, person.media_flags)
            action = "unmute" if flag == "mute" else "undeafen"
            state.audience.send(person.id, Outgoing("moderated", {"action": action, "by": None, "reason": None}))
            announce_update(state, person, to_self=True)


def _act(actor: Asker, room_id: str, order: Order) -> Act:
    return Act(
        actor=actor,
        permission=f"participant.{order.action}",
        action=order.action,
        room_id=room_id,
        seconds=order.duration,
        reason=order.reason,
        to_room=order.room,
    )


def _target(state: State, act: Act, order: Order) -> Participant:
    """The participant to act on. An actor outside the room without the permission does not learn who is in it."""
    room = state.rooms.find(act.room_id or "")
    target = None
    if room is not None:
        target = room.with_identity(order.identity) if order.identity is not None else room.find(order.target or "")
    if target is None:
        if act.actor.participant_id is None:
            check(act)
        raise ClientMistake("no_such_participant")
    return target


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


def _policy_there(state: State, room_id: str, found: Entry | None) -> RoomPolicy | None:
    if found is None:
        return None
    if found.refusal is not None:
        raise found.refusal
    if state.rooms.closed_since(room_id, found.asked_at):
        raise ClientMistake("not_found", "the room was deleted")
    return found.policy


def _set_flag(state: State, act: Act, target: Participant, now: float) -> None:
    flag, value = _FLAGS[act.action]
    state.timed_flags.set(target.id, flag, None if act.seconds is None else now + act.seconds)
    if target.change_flags(**{flag: value}):
        state.media.participants.set_flags(target.id, target.media_flags)
        announce_update(state, target, to_self=True)


def _kick(state: State, target: Participant, now: float) -> None:
    """Revoke the target's token, and remove every participant who joined with it."""
    session = state.audience.session(target.id)
    assert session is not None
    assert session.claims is not None
    state.records.deny_list.withdraw(session.claims, state.utc())
    expel(state, session, "removed", now)
    expel_denied(state, now)
