"""The handler for moderators: mute, unmute, deafen, undeafen, kick, ban, unban. Pure.

Who may do it to whom is the table's matter (`identity/permissions.py`); here is what it does.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from signaling.call.admission import expel, expel_denied
from signaling.call.audit import AuditEvent
from signaling.call.rooms import Participant
from signaling.call.timed_flags import TimedFlag
from signaling.errors import ClientMistake
from signaling.identity.deny_list import Ban
from signaling.identity.grants import Role
from signaling.identity.permissions import may, may_undo
from signaling.protocol.client_messages import Moderate, Request
from signaling.protocol.server_messages import OK, LeaveReason, Outgoing, rfc3339

if TYPE_CHECKING:
    from signaling.call.conversation import Conversation
    from signaling.protocol.session import Session

_FLAGS: dict[str, tuple[TimedFlag, bool]] = {
    "mute": ("mute", True),
    "unmute": ("mute", False),
    "deafen": ("deaf", True),
    "undeafen": ("deaf", False),
}
_REMOVALS: dict[str, LeaveReason] = {"kick": "removed", "ban": "banned"}


@dataclass(frozen=True, slots=True)
class _Act:
    """One act: who does what, and until when it holds (None: until it is undone)."""

    session: "Session"
    actor: Participant
    order: Moderate
    until: datetime | None = None


def moderate(house: "Conversation", session: "Session", request: Request, now: float) -> Outgoing:
    """One act on one participant of the same room. The person is told, and everybody sees what has changed.

    A moderator's unmute lifts the moderator's mute only, never the person's own. `unban` names an identity.
    Raises ClientMistake: `forbidden`, `no_such_participant`.
    """
    order = cast(Moderate, request.payload)
    until = None if order.duration is None else house.utc() + timedelta(seconds=order.duration)
    act = _Act(session, house.person(session), order, until)
    if order.action == "unban":
        return _unban(house, act)
    room = house.rooms.find(act.actor.room_id)
    assert room is not None
    target = room.get(order.target)
    _check(act, target.role)
    house.audience.tell(target.id, _notice(act))
    if order.action in _REMOVALS:
        _remove(house, act, target, now)
    else:
        _set_flag(house, act, target, now)
    _record(house, act, target.identity)
    return OK


def lift_expired(house: "Conversation", now: float) -> None:
    """Undo the mutes and deafens whose time is over; the person is told, and everybody sees it."""
    for participant_id, flag in house.timed_flags.take_due(now):
        person = house.rooms.participant(participant_id)
        if person is not None and person.change_flags(**{flag: False}):
            house.media.set_flags(person.id, person.media_flags)
            action = "unmute" if flag == "mute" else "undeafen"
            house.audience.tell(person.id, Outgoing("moderated", {"action": action, "by": None, "reason": None}))
            house.announce_update(person, to_self=True)


def _check(act: _Act, target_role: Role | None = None) -> None:
    """Raises ClientMistake (`forbidden`)."""
    assert act.session.claims is not None
    if not may(act.session.claims, f"participant.{act.order.action}", target_role, room=act.actor.room_id):
        raise ClientMistake("forbidden", "this needs a moderator, and one of a higher role than the other")


def _notice(act: _Act) -> Outgoing:
    """What the person is told. Who is hidden stays so."""
    notice: dict[str, object] = {
        "action": act.order.action,
        "by": None if act.actor.hidden else act.actor.id,
        "reason": act.order.reason,
    }
    if act.until is not None:
        notice["until"] = rfc3339(act.until)
    return Outgoing("moderated", notice)


def _set_flag(house: "Conversation", act: _Act, target: Participant, now: float) -> None:
    flag, value = _FLAGS[act.order.action]
    seconds = act.order.duration
    house.timed_flags.set(target.id, flag, None if seconds is None else now + seconds)
    if target.change_flags(**{flag: value}):
        house.media.set_flags(target.id, target.media_flags)
        house.announce_update(target, to_self=True)


def _remove(house: "Conversation", act: _Act, target: Participant, now: float) -> None:
    """Out of the room: the token is withdrawn, and whoever else is here by it, or by the same identity, goes too."""
    session = house.audience.session(target.id)
    assert session is not None
    assert session.claims is not None
    deny_list, utc = house.records.deny_list, house.utc()
    deny_list.withdraw(session.claims, utc)
    if act.order.action == "ban":
        deny_list.ban(Ban(target.identity, target.room_id, utc, act.actor.role, act.until, act.order.reason))
    expel(house, session, _REMOVALS[act.order.action], now)
    expel_denied(house, now)


def _unban(house: "Conversation", act: _Act) -> Outgoing:
    """Lift the ban of an identity from this room. A token that was withdrawn stays so."""
    _check(act)
    deny_list, identity, room_id = house.records.deny_list, act.order.target, act.actor.room_id
    ban = deny_list.find_ban(identity, room_id, house.utc())
    if ban is None:
        raise ClientMistake("no_such_participant", "nobody of this identity is banned from this room")
    if not may_undo(act.actor.role, ban.by_role):
        raise ClientMistake("forbidden", "somebody of a higher role has imposed this ban")
    deny_list.unban(identity, room_id)
    _record(house, act, identity)
    return OK


def _record(house: "Conversation", act: _Act, target: str) -> None:
    """The trail of an act that was done; `target` is an identity."""
    carrier = act.session.carrier
    house.records.audit.record(
        AuditEvent(
            at=house.utc(),
            action=f"participant.{act.order.action}",
            room=act.actor.room_id,
            actor=act.actor.identity,
            actor_role=act.actor.role,
            address="" if carrier is None else carrier.address,
            target=target,
            reason=act.order.reason,
            until=act.until,
        )
    )
